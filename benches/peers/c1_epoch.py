"""C1 in PyTorch: one epoch over 48,000 images at batch 512, and inference over 10,000.

    PIPELINE_DATA=DIR python benches/peers/c1_epoch.py [--repeats N] [--threads N]

Prints one JSON line; the layout (contiguous or channels last) that is faster here is reported.
"""

import argparse
import gzip
import json
import os
import time

import numpy as np
import torch
from torch import nn

N_TRAIN, BATCH = 48_000, 512


def read(split):
    folder = os.environ["PIPELINE_DATA"]
    with gzip.open(f"{folder}/{split}-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    with gzip.open(f"{folder}/{split}-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    return torch.from_numpy(images.astype(np.float32) / 255.0), torch.from_numpy(labels.astype(np.int64))


def measure(layout, train, test):
    torch.manual_seed(1)
    net = nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(5408, 128), nn.ReLU(), nn.Linear(128, 10),
    ).to(memory_format=layout)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, foreach=True)
    images, labels = train
    started = time.perf_counter()
    total = 0.0
    for rows in torch.randperm(N_TRAIN).split(BATCH):
        x = images[rows].contiguous(memory_format=layout)
        loss = nn.functional.cross_entropy(net(x), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    epoch = time.perf_counter() - started
    net.eval()
    started = time.perf_counter()
    with torch.inference_mode():
        for x in test[0].split(BATCH):
            net(x.contiguous(memory_format=layout))
    return epoch, len(test[0]) / (time.perf_counter() - started), total / N_TRAIN


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    images, labels = read("train")
    train, test = (images[:N_TRAIN], labels[:N_TRAIN]), read("t10k")
    layouts = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
    found = {name: [measure(layout, train, test) for _ in range(args.repeats)] for name, layout in layouts.items()}
    best = min(found, key=lambda name: min(epoch for epoch, _, _ in found[name]))
    print(json.dumps({
        "system": f"torch {torch.__version__}",
        "threads": args.threads,
        "layout": best,
        "epoch_seconds": [epoch for epoch, _, _ in found[best]],
        "images_per_second": [rate for _, rate, _ in found[best]],
        "loss": found[best][-1][2],
    }))


if __name__ == "__main__":
    main()
