"""Nearest neighbours (k=5) of test pixels among the training pixels, here and by others, in turn;
prints the medians, their ratios to ours, and how many neighbours agree.

    cargo bench --bench knn --no-run
    PIPELINE_DATA=DIR python benches/peers/knn.py [--rounds N] [--metric euclidean|manhattan|cosine]
        [--n-queries N] [--peers sklearn,intelex,faiss]

FAISS is its flat index (exact), Euclidean; scikit-learn-intelex is Euclidean too. scikit-learn's
Manhattan search of all test images takes minutes: ask for fewer queries and compare per query. Wall
times of the search alone, all threads; each peer runs in a process of its own. Neighbours differ at
most where distances are equal, or so near that single precision cannot tell.
"""

import argparse
import glob
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
K = 5


def load(split):
    import numpy as np

    directory = os.environ["PIPELINE_DATA"]
    with gzip.open(f"{directory}/{split}-images-idx3-ubyte.gz") as file:
        x = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784)
    with gzip.open(f"{directory}/{split}-labels-idx1-ubyte.gz") as file:
        return x / np.float32(255), np.frombuffer(file.read(), np.uint8, offset=8)


def peer(name, metric, n_queries, path):
    """One search, in a process of its own."""
    import numpy as np

    x, y = load("train")
    queries = np.ascontiguousarray(load("t10k")[0][:n_queries])
    if name == "faiss":
        import faiss

        index = faiss.IndexFlatL2(x.shape[1])
        index.add(x)
        clock = time.perf_counter()
        idx = index.search(queries, K)[1]
    else:
        if name == "intelex":
            from sklearnex.neighbors import KNeighborsClassifier
        else:
            from sklearn.neighbors import KNeighborsClassifier

        knn = KNeighborsClassifier(K, metric=metric, algorithm="brute", n_jobs=-1).fit(x, y)
        clock = time.perf_counter()
        idx = knn.kneighbors(queries, return_distance=False)
    seconds = time.perf_counter() - clock
    with open(path, "w") as out:
        json.dump(dict(idx=idx.tolist()), out)
    print(json.dumps(dict(predict_s=seconds)))


def ours(binary, metric, n_queries, path):
    environment = dict(os.environ, N_QUERIES=str(n_queries), N_NEIGHBORS=str(K), NEIGHBORS=path)
    return [binary, metric], environment


def run(command, environment):
    out = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return json.loads(out.stdout.strip().splitlines()[-1])["predict_s"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--metric", default="euclidean")
    parser.add_argument("--n-queries", type=int, default=10_000)
    parser.add_argument("--peers", default="sklearn,intelex,faiss")
    parser.add_argument("--one", nargs=2, metavar=("PEER", "FILE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    metric, n_queries = arguments.metric, arguments.n_queries
    if arguments.one:
        peer(arguments.one[0], metric, n_queries, arguments.one[1])
        return
    built = [f for f in glob.glob(f"{HERE}/../../target/release/deps/knn-*") if not f.endswith(".d")]
    if not built:
        sys.exit("build the bench first: cargo bench --bench knn --no-run")
    binary = max(built, key=os.path.getmtime)
    names = [name for name in arguments.peers.split(",") if metric == "euclidean" or name == "sklearn"]
    seconds, found = {name: [] for name in ["ours", *names]}, {}
    with tempfile.TemporaryDirectory() as directory:
        for _ in range(arguments.rounds):
            for name in seconds:
                path = f"{directory}/{name}.json"
                if name == "ours":
                    command, environment = ours(binary, metric, n_queries, path)
                else:
                    command = [sys.executable, __file__, "--metric", metric, "--n-queries", str(n_queries)]
                    command, environment = [*command, "--one", name, path], os.environ
                seconds[name].append(run(command, environment))
                if name not in found:
                    with open(path) as file:
                        found[name] = json.load(file)["idx"]
    median = {name: statistics.median(times) for name, times in seconds.items()}
    for name, times in seconds.items():
        pairs = zip(found["ours"], found[name])
        same = sum(len(set(a) & set(b)) for a, b in pairs) / (K * n_queries)
        print(
            f"{name:8} median {median[name]:8.3f} s   of {[round(t, 3) for t in times]}   "
            f"{median[name] / median['ours']:6.1f} times ours   {same:.5f} of the neighbours"
        )


if __name__ == "__main__":
    main()
