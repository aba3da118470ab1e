"""Clusters the pixels into 10 by k-means here, by scikit-learn and by scikit-learn-intelex, in turn, from
k-means++ starts of the same seeds, and prints the medians and their ratios.

    PIPELINE_DATA=DIR python benches/peers/kmeans.py [--rounds N] [--peers sklearn,intelex]

The starts differ by library, so iterations and inertia do; both stand beside the times. Needs scikit-learn, and
scikit-learn-intelex for `intelex`, in the Python that runs it.
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


def peer(name, seed):
    """One fit, in a process of its own."""
    import numpy as np

    if name == "intelex":
        from sklearnex import patch_sklearn

        patch_sklearn(verbose=False)
    from sklearn.cluster import KMeans

    with gzip.open(f"{os.environ['PIPELINE_DATA']}/train-images-idx3-ubyte.gz") as file:
        x = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784) / np.float32(255)
    model = KMeans(10, n_init=1, random_state=seed)
    clock = time.perf_counter()
    model.fit(x)
    print(json.dumps(dict(
        fit_s=time.perf_counter() - clock, inertia=float(model.inertia_), n_iter=int(model.n_iter_),
    )))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", default="sklearn,intelex")
    parser.add_argument("--peer", nargs=2, help="used by the program itself")
    args = parser.parse_args()
    if args.peer:
        return peer(args.peer[0], int(args.peer[1]))
    subprocess.run(["cargo", "bench", "--quiet", "--bench", "kmeans", "--no-run"], check=True, cwd=f"{HERE}/../..")
    runs = {}
    for seed in range(args.rounds):
        commands = {"ours": ["cargo", "bench", "--quiet", "--bench", "kmeans"]}
        for name in args.peers.split(","):
            commands[name] = [sys.executable, f"{HERE}/kmeans.py", "--peer", name, str(seed)]
        environment = {**os.environ, "FIRST_SEED": str(seed), "SEEDS": "1"}
        for name, command in commands.items():
            output = subprocess.run(
                command, check=True, capture_output=True, text=True, cwd=f"{HERE}/../..", env=environment
            ).stdout
            runs.setdefault(name, []).append(json.loads(output.strip().splitlines()[-1]))
    medians = {
        name: {key: statistics.median(run[key] for run in results) for key in ("fit_s", "inertia", "n_iter")}
        for name, results in runs.items()
    }
    faster = {name: median["fit_s"] / medians["ours"]["fit_s"] for name, median in medians.items()}
    print(json.dumps({"rounds": args.rounds, "medians": medians, "times_faster": faster}, indent=2))


if __name__ == "__main__":
    main()
