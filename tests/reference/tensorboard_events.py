"""An event file by TensorBoard's own writer, for the bytes of ours.

    python tests/reference/tensorboard_events.py > tests/reference/tensorboard_events.json
"""

import io
import json

import tensorboard
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

STARTED = 1_700_000_000.25
SECONDS = 2.5


class Buffer(io.BytesIO):
    def close(self):  # the writer closes it, we still read it
        pass


out = Buffer()
writer = RecordWriter(out)
writer.write(event_pb2.Event(wall_time=STARTED, file_version="brain.Event:2").SerializeToString())
wall_time = STARTED
for epoch, validation in [(1, 0.25), (2, None), (300, 0.125)]:
    wall_time += SECONDS
    scalars = {"loss/train": 0.75 / epoch}
    if validation is not None:
        scalars["loss/validation"] = validation
    scalars["accuracy/train"] = 0.5
    if validation is not None:
        scalars["accuracy/validation"] = 1.0 - validation
    scalars["learning_rate"] = 0.001
    summary = summary_pb2.Summary(
        value=[summary_pb2.Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
    )
    writer.write(event_pb2.Event(wall_time=wall_time, step=epoch, summary=summary).SerializeToString())
writer.flush()
print(json.dumps({"tensorboard": tensorboard.__version__, "hex": out.getvalue().hex()}))
