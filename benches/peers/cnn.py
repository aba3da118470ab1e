"""Trains the published networks here and in PyTorch in turn, and prints medians and ratios.

    PIPELINE_DATA=DIR python benches/peers/cnn.py [--networks b1,c1,…] [--rounds N] [--threads N]
        [--images N] [--json FILE]

Each figure is one epoch over 60,000 images, inference over 10,000, and the peak memory of a fresh process;
systems take turns in every round, so that a slow minute of the machine hits all of them. PyTorch runs in both
layouts: what counts is the faster one of each precision. Prints a Markdown table; --json writes every run.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
# Name and published batch size.
NETWORKS = {"b1": 128, "c1": 512, "b2": 128, "d1": 128, "d2": 128}
PRECISIONS = ["f32", "bf16"]
LAYOUTS = ["contiguous", "channels_last"]


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, cwd=f"{HERE}/../..")
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def commands(network, args):
    """(system, precision, layout) and the command that measures it."""
    shared = ["--architecture", network, "--batch", str(NETWORKS[network]), "--threads", str(args.threads), "--images", str(args.images)]
    for precision in PRECISIONS:
        yield ("ours", precision, None), ["cargo", "bench", "--quiet", "--bench", "nn", "--", *shared, "--precision", precision]
        for layout in LAYOUTS:
            yield ("torch", precision, layout), [sys.executable, f"{HERE}/cnn_epoch.py", *shared, "--precision", precision, "--layout", layout]


def summary(runs):
    """Medians by network, precision and system; of PyTorch's layouts the faster one, for each figure."""
    by_layout = {}
    for run in runs:
        key = (run["network"], run["precision"], run["name"])
        by_layout.setdefault(key, {}).setdefault(run["layout"], []).append(run)
    found = {}
    for (network, precision, name), layouts in by_layout.items():
        median = lambda runs, figure: statistics.median(value for run in runs for value in run[figure])
        epochs = {layout: median(runs, "epoch_seconds") for layout, runs in layouts.items()}
        best = min(epochs, key=epochs.get)
        found.setdefault(network, {}).setdefault(precision, {})[name] = {
            "layout": best,
            "epoch_seconds": epochs[best],
            "images_per_second": max(median(runs, "images_per_second") for runs in layouts.values()),
            "peak_mib": max(run["peak_rss_bytes"] for run in layouts[best]) / 2**20,
            "loss": layouts[best][-1]["loss"],
        }
    return found


def table(found):
    lines = [
        "| network | precision | epoch s, ours | PyTorch | times faster | images/s, ours | PyTorch | times faster | peak MiB, ours | PyTorch |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for network in NETWORKS:
        for precision in PRECISIONS:
            pair = found.get(network, {}).get(precision)
            if pair is None:
                continue
            ours, torch = pair["ours"], pair["torch"]
            lines.append(
                f"| {network.upper()} | {precision} | {ours['epoch_seconds']:.2f} | {torch['epoch_seconds']:.2f} "
                f"| {torch['epoch_seconds'] / ours['epoch_seconds']:.2f} "
                f"| {ours['images_per_second']:,.0f} | {torch['images_per_second']:,.0f} "
                f"| {ours['images_per_second'] / torch['images_per_second']:.2f} "
                f"| {ours['peak_mib']:.0f} | {torch['peak_mib']:.0f} |"
            )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--images", type=int, default=60_000)
    parser.add_argument("--json")
    args = parser.parse_args()
    networks = args.networks.split(",")
    unknown = [network for network in networks if network not in NETWORKS]
    if unknown:
        parser.error(f"unknown network `{unknown[0]}`; known: {', '.join(NETWORKS)}")
    runs = []
    for _ in range(args.rounds):
        for network in networks:
            for (name, precision, layout), command in commands(network, args):
                runs.append({**run(command), "name": name, "network": network, "layout": layout})
                print(f"{network} {name} {precision} {layout or ''}: {runs[-1]['epoch_seconds'][0]:.2f} s", file=sys.stderr)
    found = summary(runs)
    if args.json:
        with open(args.json, "w") as out:
            json.dump({"runs": runs, "summary": found}, out, indent=2)
            out.write("\n")
    print(table(found))


if __name__ == "__main__":
    main()
