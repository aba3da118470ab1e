"""Runs C1 here and in PyTorch in turn and prints the medians and their ratio.

    PIPELINE_DATA=DIR python benches/peers/c1.py [--rounds N] [--threads N]

Needs torch and numpy in the Python that runs it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def run(command):
    output = subprocess.run(command, check=True, capture_output=True, text=True, cwd=f"{HERE}/../..").stdout
    return json.loads(output.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    args = parser.parse_args()
    threads = ["--threads", str(args.threads)]
    commands = {
        "ours": ["cargo", "bench", "--quiet", "--bench", "nn", "--", "--repeats", "2", *threads],
        "torch": [sys.executable, f"{HERE}/c1_epoch.py", *threads],
    }
    epochs = {name: [] for name in commands}
    rates = {name: [] for name in commands}
    for _ in range(args.rounds):
        for name, command in commands.items():
            result = run(command)
            epochs[name] += result["epoch_seconds"]
            rates[name] += result["images_per_second"]
    epoch = {name: statistics.median(values) for name, values in epochs.items()}
    rate = {name: statistics.median(values) for name, values in rates.items()}
    print(json.dumps({
        "threads": args.threads,
        "median_epoch_seconds": epoch,
        "median_images_per_second": rate,
        "epoch_ratio": epoch["torch"] / epoch["ours"],
        "inference_ratio": rate["ours"] / rate["torch"],
    }, indent=2))


if __name__ == "__main__":
    main()
