"""Fits the linear support vector machine (C=1, squared hinge) on the pixels here and by scikit-learn's LinearSVC,
in turn, and prints the medians, their ratios, and both objectives computed alike.

    PIPELINE_DATA=DIR python benches/peers/linear_svm.py [--rounds N] [--n-train N] [--dual auto,true]

`dual`: LinearSVC's choice of solver; `auto` is a trust region Newton method on the primal here, `true`
coordinate descent on the dual. Needs scikit-learn in the Python that runs it; its fits take minutes.
Times are of the processor (all threads), wall times stand beside them.
"""

import argparse
import gzip
import json
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def load(split):
    import numpy as np

    directory = os.environ["PIPELINE_DATA"]
    with gzip.open(f"{directory}/{split}-images-idx3-ubyte.gz") as file:
        x = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784) / 255.0
    with gzip.open(f"{directory}/{split}-labels-idx1-ubyte.gz") as file:
        y = np.frombuffer(file.read(), np.uint8, offset=8)
    return x, y


def peer(n_train, dual):
    """One fit of LinearSVC, in a process of its own."""
    import numpy as np
    from sklearn.svm import LinearSVC

    x, y = load("train")
    x, y = x[:n_train], y[:n_train]
    x_test, y_test = load("t10k")
    svc = LinearSVC(dual=dual if dual == "auto" else dual == "true", random_state=0)
    clock, cpu = time.perf_counter(), time.process_time()
    svc.fit(x, y)
    fit_s, fit_cpu_s = time.perf_counter() - clock, time.process_time() - cpu
    clock = time.perf_counter()
    accuracy = svc.score(x_test, y_test)
    predict_s = time.perf_counter() - clock
    # The constant feature is 1, so the intercept is penalised as it stands.
    primal = 0.0
    for k, (w, b) in enumerate(zip(svc.coef_, svc.intercept_)):
        violation = np.maximum(0, 1 - np.where(y == k, 1, -1) * (x @ w + b))
        primal += 0.5 * (w @ w + b * b) + (violation**2).sum()
    print(json.dumps(dict(
        fit_s=fit_s, fit_cpu_s=fit_cpu_s, predict_s=predict_s, accuracy=accuracy, primal=primal,
        n_iterations=int(svc.n_iter_),
    )))


def run(command, environment):
    output = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=f"{HERE}/../..", env=environment
    ).stdout
    return json.loads(output.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--n-train", type=int, default=60_000)
    parser.add_argument("--dual", default="auto,true")
    parser.add_argument("--peer", help="used by the program itself")
    args = parser.parse_args()
    if args.peer:
        return peer(args.n_train, args.peer)
    environment = {**os.environ, "N_TRAIN": str(args.n_train)}
    commands = {"ours": ["cargo", "bench", "--quiet", "--bench", "linear_svm", "--", "newton"]}
    for dual in args.dual.split(","):
        commands[f"sklearn dual={dual}"] = [
            sys.executable, f"{HERE}/linear_svm.py", "--n-train", str(args.n_train), "--peer", dual,
        ]
    runs = {name: [] for name in commands}
    for _ in range(args.rounds):
        for name, command in commands.items():
            runs[name].append(run(command, environment))
            print(name, json.dumps(runs[name][-1]), file=sys.stderr, flush=True)
    keys = ("fit_s", "fit_cpu_s", "predict_s", "accuracy", "primal")
    medians = {
        name: {key: statistics.median(run[key] for run in results) for key in keys}
        for name, results in runs.items()
    }
    ours = medians["ours"]
    ratios = {
        name: {key: median[key] / ours[key] for key in ("fit_s", "fit_cpu_s", "primal")}
        for name, median in medians.items() if name != "ours"
    }
    print(json.dumps({"rounds": args.rounds, "medians": medians, "ratios": ratios}, indent=2))


if __name__ == "__main__":
    main()
