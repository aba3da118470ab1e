"""Fits gradient boosted trees on the pixels here, by LightGBM and by scikit-learn's HistGradientBoosting, in
turn, and prints the medians and their ratios.

    PIPELINE_DATA=DIR python benches/peers/gradient_boosting.py [--rounds N] [--n-train N] [--n-estimators N]
        [--cases leaves31,depth10] [--peers lightgbm,sklearn] [--threads N]

All with 100 rounds of a tree a class, learning rate 0.1, leaves of at least 20 samples, up to 255 or 256 bins;
`leaves31`: up to 31 leaves, those that gain most first; `depth10`: every leaf down to depth 10. LightGBM's times
include the making of its bins, as ours do. Its second derivatives are 10/9 of ours and scikit-learn's. Needs both
in the Python that runs it. Times are of the processor (all threads), wall times stand beside them.
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
        x = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784)
    with gzip.open(f"{directory}/{split}-labels-idx1-ubyte.gz") as file:
        y = np.frombuffer(file.read(), np.uint8, offset=8)
    return x, y


def lightgbm(x, y, case, n_estimators, threads):
    import lightgbm as lgb

    limits = dict(num_leaves=31, max_depth=-1) if case == "leaves31" else dict(num_leaves=1024, max_depth=10)
    params = dict(
        objective="multiclass", num_class=10, learning_rate=0.1, min_data_in_leaf=20, max_bin=255,
        num_threads=threads, verbose=-1, force_row_wise=True, **limits,
    )
    model = lgb.train(params, lgb.Dataset(x, y, params=params), num_boost_round=n_estimators)
    return model.predict


def sklearn(x, y, case, n_estimators, threads):
    from sklearn.ensemble import HistGradientBoostingClassifier

    limits = dict(max_leaf_nodes=31) if case == "leaves31" else dict(max_leaf_nodes=None, max_depth=10)
    model = HistGradientBoostingClassifier(max_iter=n_estimators, early_stopping=False, random_state=0, **limits)
    return model.fit(x, y).predict_proba


def peer(name, args):
    """One fit of a peer, in a process of its own."""
    import numpy as np

    (x, y), (x_test, y_test) = load("train"), load("t10k")
    x, y = x[: args.n_train], y[: args.n_train]
    clock, cpu = time.perf_counter(), time.process_time()
    predict = dict(lightgbm=lightgbm, sklearn=sklearn)[name](x, y, args.cases, args.n_estimators, args.threads)
    fit_s, fit_cpu_s = time.perf_counter() - clock, time.process_time() - cpu
    clock = time.perf_counter()
    proba = predict(x_test)
    predict_s = time.perf_counter() - clock
    print(json.dumps(dict(
        fit_s=fit_s, fit_cpu_s=fit_cpu_s, predict_s=predict_s,
        accuracy=float((proba.argmax(1) == y_test).mean()),
        log_loss=float(-np.log(proba[np.arange(len(y_test)), y_test]).mean()),
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
    parser.add_argument("--n-estimators", type=int, default=100)
    parser.add_argument("--cases", default="leaves31,depth10")
    parser.add_argument("--peers", default="lightgbm,sklearn")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--peer", help="used by the program itself")
    args = parser.parse_args()
    if args.peer:
        return peer(args.peer, args)
    threads = str(args.threads)
    environment = {
        **os.environ, "N_TRAIN": str(args.n_train), "N_ESTIMATORS": str(args.n_estimators),
        "RAYON_NUM_THREADS": threads, "OMP_NUM_THREADS": threads,
    }
    commands = {}
    for case in args.cases.split(","):
        commands[case, "ours"] = ["cargo", "bench", "--quiet", "--bench", "gradient_boosting", "--", case]
        for name in args.peers.split(","):
            commands[case, name] = [
                sys.executable, f"{HERE}/gradient_boosting.py", "--n-train", str(args.n_train), "--threads", threads,
                "--n-estimators", str(args.n_estimators), "--cases", case, "--peer", name,
            ]
    runs = {key: [] for key in commands}
    for _ in range(args.rounds):
        for key, command in commands.items():
            runs[key].append(run(command, environment))
            print(*key, json.dumps(runs[key][-1]), file=sys.stderr, flush=True)
    keys = ("fit_s", "fit_cpu_s", "predict_s", "accuracy", "log_loss")
    results = {}
    for case in args.cases.split(","):
        medians = {
            name: {key: statistics.median(run[key] for run in results) for key in keys}
            for (of_case, name), results in runs.items() if of_case == case
        }
        ratios = {
            name: {key: median[key] / medians["ours"][key] for key in ("fit_s", "fit_cpu_s", "predict_s")}
            for name, median in medians.items() if name != "ours"
        }
        results[case] = {"medians": medians, "ratios": ratios}
    print(json.dumps({"rounds": args.rounds, **results}, indent=2))


if __name__ == "__main__":
    main()
