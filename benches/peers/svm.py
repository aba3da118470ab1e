"""Fits the RBF C=10 support vector machine on the pixels here and in the peers, in turn, and prints
the medians and their ratios.

    PIPELINE_DATA=DIR python benches/peers/svm.py [--rounds N] [--peers intelex,sklearn]

Needs scikit-learn (and scikit-learn-intelex for `intelex`) in the Python that runs it. scikit-learn
alone takes about five minutes a round.
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
    parser.add_argument("--peers", default="intelex")
    args = parser.parse_args()
    commands = {"ours": ["cargo", "bench", "--quiet", "--bench", "svm", "--", "pixels"]}
    for peer in args.peers.split(","):
        commands[peer] = [sys.executable, f"{HERE}/svc.py", peer]
    runs = {name: [] for name in commands}
    for _ in range(args.rounds):
        for name, command in commands.items():
            runs[name].append(run(command))
    medians = {
        name: {key: statistics.median(run[key] for run in results) for key in ("fit_s", "predict_s", "accuracy")}
        for name, results in runs.items()
    }
    ours = medians["ours"]
    ratios = {
        name: {key: median[key] / ours[key] for key in ("fit_s", "predict_s")}
        for name, median in medians.items() if name != "ours"
    }
    print(json.dumps({"rounds": args.rounds, "medians": medians, "ratios": ratios}, indent=2))


if __name__ == "__main__":
    main()
