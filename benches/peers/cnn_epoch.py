"""A network in PyTorch: one epoch over the training images and inference over the test images.

    PIPELINE_DATA=DIR python benches/peers/cnn_epoch.py --architecture NAME --batch N
        [--layout contiguous|channels_last] [--precision f32|bf16] [--images N] [--threads N]

Prints one JSON line. The network is built from our architecture file; images are made floats beforehand;
three batches warm up. Adam, no augmentation; bf16 is autocast. Run in a process of its own: `peak_rss_bytes`
is the process's.
"""

import argparse
import contextlib
import gzip
import json
import os
import resource
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from torch_network import build, read as read_layers

LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
N_WARM_UP, N_INFERENCE_BATCH = 3, 512


def read(split, n):
    folder = os.environ["PIPELINE_DATA"]
    with gzip.open(f"{folder}/{split}-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)[:n]
    with gzip.open(f"{folder}/{split}-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)[:n]
    return torch.from_numpy(images.astype(np.float32) / 255.0), torch.from_numpy(labels.astype(np.int64))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--architecture", required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--layout", choices=LAYOUTS, default="contiguous")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--images", type=int, default=60_000)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    layout = LAYOUTS[args.layout]
    images, labels = read("train", args.images)
    test, _ = read("t10k", args.images)
    layers = read_layers(Path(__file__).parent / f"../../src/nn/architectures/{args.architecture}.toml")
    net = build(layers, (28, 28, 1), 10).to(memory_format=layout)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, foreach=True)

    def arithmetic():
        is_bf16 = args.precision == "bf16"
        return torch.autocast("cpu", dtype=torch.bfloat16) if is_bf16 else contextlib.nullcontext()

    def step(rows):
        x = images[rows].contiguous(memory_format=layout)
        with arithmetic():
            loss = nn.functional.cross_entropy(net(x), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item() * len(rows)

    for rows in torch.randperm(len(images)).split(args.batch)[:N_WARM_UP]:
        step(rows)
    started, cpu = time.perf_counter(), time.process_time()
    total = sum(step(rows) for rows in torch.randperm(len(images)).split(args.batch))
    epoch, cpu = time.perf_counter() - started, time.process_time() - cpu
    net.eval()
    with torch.inference_mode(), arithmetic():
        net(test[:N_INFERENCE_BATCH].contiguous(memory_format=layout))
        started = time.perf_counter()
        for x in test.split(N_INFERENCE_BATCH):
            net(x.contiguous(memory_format=layout))
        rate = len(test) / (time.perf_counter() - started)
    print(json.dumps({
        "system": f"torch {torch.__version__}",
        "threads": args.threads,
        "architecture": args.architecture,
        "batch_size": args.batch,
        "n_images": len(images),
        "precision": args.precision,
        "layout": args.layout,
        "epoch_seconds": [epoch],
        "epoch_cpu_seconds": cpu,
        "images_per_second": [rate],
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "loss": total / len(images),
    }))


if __name__ == "__main__":
    main()
