"""Reads the event files of a run with TensorBoard itself and compares them with its report data.

    python benches/peers/read_events.py reports/NAME/RUN

Prints one line per network and fails if a file cannot be read, a tag is missing or steps are not
1, 2, 3, …
"""

import pathlib
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

TAGS = ["accuracy/train", "learning_rate", "loss/train"]
VALIDATION = ["accuracy/validation", "loss/validation"]


def check(directory):
    events = EventAccumulator(str(directory))
    events.Reload()
    tags = sorted(events.Tags()["scalars"])
    assert tags in (sorted(TAGS), sorted(TAGS + VALIDATION)), tags
    for tag in tags:
        scalars = events.Scalars(tag)
        assert [scalar.step for scalar in scalars] == list(range(1, len(scalars) + 1)), tag
        times = [scalar.wall_time for scalar in scalars]
        assert times == sorted(times), tag
    loss = events.Scalars("loss/train")
    print(f"{directory.name}: {len(loss)} epochs, training loss {loss[0].value:.4f} to {loss[-1].value:.4f}")


directories = sorted((pathlib.Path(sys.argv[1]) / "tensorboard").iterdir())
assert directories, "no event files"
for directory in directories:
    check(directory)
