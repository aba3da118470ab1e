"""Fits support vector machines here and in the peers, in turn, and prints the medians and their ratios.

    PIPELINE_DATA=DIR python benches/peers/svm.py [--rounds N] [--peers intelex,sklearn] [CASE ...]

A case is SOURCE,KERNEL,C (default `pixels,rbf,10`); SOURCE is `pixels` or STAGE@RUN, the features that
a stage of a finished run made, such as `a3_flattened@reports/cnn_svm/latest` (cache in `.pipeline`).
Needs scikit-learn (and scikit-learn-intelex for `intelex`, safetensors for features) in the Python
that runs it. scikit-learn alone takes about five minutes a round on the pixels.
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


def artifact(source):
    """Path of the features that `STAGE@RUN` names."""
    if "@" not in source:
        return source
    stage, run_dir = source.split("@")
    with open(f"{run_dir}/results.json") as file:
        digest = {stage["id"]: stage["digest"] for stage in json.load(file)["stages"]}[stage]
    return os.path.abspath(f".pipeline/v1/objects/{digest}")


def compare(case, peers, rounds):
    source, kernel, c = case.split(",")
    case_of_run = f"{artifact(source)},{kernel},{c}"
    commands = {"ours": ["cargo", "bench", "--quiet", "--bench", "svm", "--", case_of_run]}
    for peer in peers:
        commands[peer] = [sys.executable, f"{HERE}/svc.py", peer, case_of_run]
    runs = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            runs[name].append(run(command))
    medians = {
        name: {
            key: statistics.median(run[key] for run in results)
            for key in ("fit_s", "predict_s", "accuracy", "peak_rss_kib")
        }
        for name, results in runs.items()
    }
    ours = medians["ours"]
    ratios = {
        name: {key: median[key] / ours[key] for key in ("fit_s", "predict_s")}
        for name, median in medians.items() if name != "ours"
    }
    return {"case": case, "rounds": rounds, "medians": medians, "ratios": ratios}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default="intelex")
    parser.add_argument("cases", nargs="*", default=["pixels,rbf,10"])
    args = parser.parse_args()
    for case in args.cases:
        print(json.dumps(compare(case, args.peers.split(","), args.rounds), indent=2), flush=True)


if __name__ == "__main__":
    main()
