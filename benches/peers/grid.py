"""The grid search of `svm_grid` here and scikit-learn-intelex's GridSearchCV, in turn: medians and ratio.

    PIPELINE_DATA=DIR python benches/peers/grid.py [--rounds N] [--n-train N] [--threads N]

C in {0.1, 1, 10} x kernel in {linear, rbf}, 5 stratified folds, the best fitted on all rows: 31 fits
on the first N training images (default 20,000). Seconds are those of the search and the last fit, without
reading the data. Needs scikit-learn-intelex in the Python that runs it; ours is `cargo run --release`.
"""

import argparse
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SEED, FOLDS = 42, 5


def read(name, header):
    with gzip.open(os.path.join(os.environ["PIPELINE_DATA"], name)) as file:
        return file.read()[header:]


def intelex(n_train):
    """Runs in a process of its own."""
    import numpy as np
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearnex.svm import SVC

    # oneDAL fits f32 as it is, about twice as fast as f64.
    x = np.frombuffer(read("train-images-idx3-ubyte.gz", 16), np.uint8).reshape(-1, 784)[:n_train]
    y = np.frombuffer(read("train-labels-idx1-ubyte.gz", 8), np.uint8)[:n_train]
    x = x / np.float32(255)
    grid = {"C": [0.1, 1.0, 10.0], "kernel": ["linear", "rbf"]}
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    clock = time.perf_counter()
    search = GridSearchCV(SVC(gamma="scale", cache_size=1024), grid, cv=folds).fit(x, y)
    seconds = time.perf_counter() - clock
    means = search.cv_results_["mean_test_score"].tolist()
    return {"seconds": seconds, "best": search.best_params_, "means": means}


def ours(n_train, threads):
    """The shipped pipeline on the same images, in a cache of its own."""
    with tempfile.TemporaryDirectory() as place:
        for split, n in [("train", n_train), ("t10k", 100)]:
            images = read(f"{split}-images-idx3-ubyte.gz", 16)[: n * 784]
            labels = read(f"{split}-labels-idx1-ubyte.gz", 8)[:n]
            sides = [n, 28, 28]
            header = bytes([0, 0, 8, 3]) + b"".join(side.to_bytes(4, "big") for side in sides)
            with open(f"{place}/{split}-images-idx3-ubyte", "wb") as file:
                file.write(header + images)
            with open(f"{place}/{split}-labels-idx1-ubyte", "wb") as file:
                file.write(bytes([0, 0, 8, 1]) + n.to_bytes(4, "big") + labels)
        command = [
            "cargo", "run", "--quiet", "--release", "--", "run", "svm_grid", "--json",
            "--dataset", "idx", "--data", place, "--seed", str(SEED), "--threads", str(threads),
            "--cache", f"{place}/cache", "--out", f"{place}/reports",
        ]
        output = subprocess.run(
            command, check=True, capture_output=True, text=True, cwd=f"{HERE}/../..").stdout
    results = json.loads(output)
    model = results.get("results", results)["models"][0]
    search = model["details"]["search"]
    return {
        "seconds": model["details"]["search_times"]["seconds"] + model["fit_seconds"],
        "best": search["candidates"][search["best"]]["params"],
        "means": [candidate["mean"] for candidate in search["candidates"]],
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--n-train", type=int, default=20_000)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        print(json.dumps(intelex(args.n_train)))
        return
    runs = {"ours": [], "intelex": []}
    for _ in range(args.rounds):
        runs["ours"].append(ours(args.n_train, args.threads))
        peer = [sys.executable, __file__, "--peer", "--n-train", str(args.n_train)]
        output = subprocess.run(peer, check=True, capture_output=True, text=True).stdout
        runs["intelex"].append(json.loads(output.strip().splitlines()[-1]))
    medians = {name: statistics.median(run["seconds"] for run in rs) for name, rs in runs.items()}
    print(json.dumps({
        "n_train": args.n_train, "rounds": args.rounds, "median_seconds": medians,
        "seconds": {name: [run["seconds"] for run in rs] for name, rs in runs.items()},
        "ratio": medians["intelex"] / medians["ours"],
        "best": {name: rs[0]["best"] for name, rs in runs.items()},
        "means": {name: rs[0]["means"] for name, rs in runs.items()},
    }, indent=2))


if __name__ == "__main__":
    main()
