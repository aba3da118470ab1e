"""Fits decision trees, forests and AdaBoost on the pixels here and by scikit-learn (and scikit-learn-intelex), in
turn, and prints the medians and their ratios.

    PIPELINE_DATA=DIR python benches/peers/trees.py [--rounds N] [--n-train N] [--cases gini,…] [--peers sklearn,intelex]

Cases: a Gini tree without limits, an entropy tree of depth 10, a random forest and extra trees of 100 trees, and 50
stumps boosted by SAMME; every peer may use all cores. Forests and AdaBoost get another seed in each round. Needs
scikit-learn, and scikit-learn-intelex for `intelex`, in the Python that runs it. Times are wall times; those of the
processor (all threads) stand beside them.
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
CASES = ["gini", "entropy", "forest", "extra_trees", "adaboost"]


def load(split):
    import numpy as np

    directory = os.environ["PIPELINE_DATA"]
    with gzip.open(f"{directory}/{split}-images-idx3-ubyte.gz") as file:
        x = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784) / np.float32(255)
    with gzip.open(f"{directory}/{split}-labels-idx1-ubyte.gz") as file:
        y = np.frombuffer(file.read(), np.uint8, offset=8)
    return x, y


def peer(name, case, n_train, seed):
    """One fit, in a process of its own."""
    if name == "intelex":
        from sklearnex import patch_sklearn

        patch_sklearn(verbose=False)
    from sklearn.ensemble import AdaBoostClassifier, ExtraTreesClassifier, RandomForestClassifier
    from sklearn.tree import DecisionTreeClassifier

    models = {
        "gini": lambda: DecisionTreeClassifier(random_state=seed),
        "entropy": lambda: DecisionTreeClassifier(criterion="entropy", max_depth=10, random_state=seed),
        "forest": lambda: RandomForestClassifier(n_jobs=-1, random_state=seed),
        "extra_trees": lambda: ExtraTreesClassifier(n_jobs=-1, random_state=seed),
        "adaboost": lambda: AdaBoostClassifier(DecisionTreeClassifier(max_depth=1), random_state=seed),
    }
    x, y = load("train")
    x, y = x[:n_train], y[:n_train]
    x_test, y_test = load("t10k")
    model = models[case]()
    clock, cpu = time.perf_counter(), time.process_time()
    model.fit(x, y)
    fit_s, fit_cpu_s = time.perf_counter() - clock, time.process_time() - cpu
    clock = time.perf_counter()
    accuracy = model.score(x_test, y_test)
    print(json.dumps(dict(
        fit_s=fit_s, fit_cpu_s=fit_cpu_s, predict_s=time.perf_counter() - clock, accuracy=accuracy,
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
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--peers", default="sklearn,intelex")
    parser.add_argument("--peer", nargs=3, help="used by the program itself")
    args = parser.parse_args()
    if args.peer:
        name, case, seed = args.peer
        return peer(name, case, args.n_train, int(seed))
    subprocess.run(["cargo", "bench", "--quiet", "--bench", "trees", "--no-run"], check=True, cwd=f"{HERE}/../..")
    report = {}
    for case in args.cases.split(","):
        runs = {}
        for seed in range(args.rounds):
            environment = {**os.environ, "N_TRAIN": str(args.n_train), "SEED": str(seed)}
            commands = {"ours": ["cargo", "bench", "--quiet", "--bench", "trees", "--", case]}
            # AdaBoost is scikit-learn's own in both.
            peers = ["sklearn"] if case == "adaboost" else args.peers.split(",")
            for name in peers:
                commands[name] = [
                    sys.executable, f"{HERE}/trees.py", "--n-train", str(args.n_train), "--peer", name, case, str(seed),
                ]
            for name, command in commands.items():
                runs.setdefault(name, []).append(run(command, environment))
                print(case, name, json.dumps(runs[name][-1]), file=sys.stderr, flush=True)
        medians = {
            name: {key: statistics.median(run[key] for run in results)
                   for key in ("fit_s", "fit_cpu_s", "predict_s", "accuracy")}
            for name, results in runs.items()
        }
        ours = medians["ours"]
        report[case] = {
            "medians": medians,
            "mean_accuracy": {
                name: statistics.mean(run["accuracy"] for run in results) for name, results in runs.items()
            },
            "times_faster": {
                name: {key: median[key] / ours[key] for key in ("fit_s", "fit_cpu_s", "predict_s")}
                for name, median in medians.items() if name != "ours"
            },
        }
    print(json.dumps({"rounds": args.rounds, "cases": report}, indent=2))


if __name__ == "__main__":
    main()
