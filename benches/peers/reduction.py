"""Fits reductions, discriminants and naive Bayes on Fashion-MNIST's pixels here, by scikit-learn and by
scikit-learn-intelex, in turn, and prints the medians and their ratios.

    PIPELINE_DATA=DIR python benches/peers/reduction.py [--rounds N] [--cases pca,lda,qda,gnb] [--peers sklearn,intelex]

`pca`: 50 components (scikit-learn's solvers covariance_eigh and full); `lda`: one covariance; `qda`: one a class, on
50 components, whose making is not timed; `gnb`: Gaussian naive Bayes. Pixels are divided by 255 for scikit-learn,
in float64 as it would make them, not timed. Accuracy is that of the test images. Needs scikit-learn, and
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
CASES = {"pca": ["pca_covariance", "pca_full"], "lda": ["lda"], "qda": ["qda"], "gnb": ["gnb"]}


def load(split):
    import numpy as np

    directory = os.environ["PIPELINE_DATA"]
    with gzip.open(f"{directory}/{split}-images-idx3-ubyte.gz") as file:
        x = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784) / 255.0
    with gzip.open(f"{directory}/{split}-labels-idx1-ubyte.gz") as file:
        y = np.frombuffer(file.read(), np.uint8, offset=8)
    return x, y


def peer(name, case, repeat):
    """Fits in a process of its own: patching scikit-learn is for good."""
    if name == "intelex":
        from sklearnex import patch_sklearn

        patch_sklearn(verbose=False)
    from sklearn.decomposition import PCA
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
    from sklearn.naive_bayes import GaussianNB

    (x, y), (x_test, y_test) = load("train"), load("t10k")
    if case == "qda":
        pca = PCA(50, svd_solver="covariance_eigh").fit(x)
        x, x_test = pca.transform(x), pca.transform(x_test)
    make = {
        "pca_covariance": lambda: PCA(50, svd_solver="covariance_eigh"),
        "pca_full": lambda: PCA(50, svd_solver="full"),
        "lda": LinearDiscriminantAnalysis,
        "qda": lambda: QuadraticDiscriminantAnalysis(tol=1e-12),
        "gnb": GaussianNB,
    }[case]
    times = []
    for _ in range(repeat):
        model = make()
        clock, cpu = time.perf_counter(), time.process_time()
        model.fit(x, y)
        times.append((time.perf_counter() - clock, time.process_time() - cpu))
    fit_s, fit_cpu_s = sorted(times)[len(times) // 2]
    found = dict(fit_s=fit_s, fit_cpu_s=fit_cpu_s)
    if case.startswith("pca"):
        found["explained"] = float(model.explained_variance_ratio_.sum())
    else:
        clock = time.perf_counter()
        found["accuracy"] = model.score(x_test, y_test)
        found["predict_s"] = time.perf_counter() - clock
    print(json.dumps(found))


def run(command, environment):
    output = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=f"{HERE}/../..", env=environment
    ).stdout
    found = json.loads(output.strip().splitlines()[-1])
    if "explained_variance_ratio" in found.get("details", {}):
        found["explained"] = found["details"]["explained_variance_ratio"]
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=3, help="fits in one process, of which the median counts")
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--peers", default="sklearn,intelex")
    parser.add_argument("--peer", help="used by the program itself")
    args = parser.parse_args()
    if args.peer:
        return peer(args.peer, args.cases, args.repeat)
    environment = {**os.environ, "REPEAT": str(args.repeat)}
    commands = {}
    for case in args.cases.split(","):
        commands[f"{case} ours"] = ["cargo", "bench", "--quiet", "--bench", "reduction", "--", case]
        for name in args.peers.split(","):
            for of_peer in CASES[case]:
                commands[f"{of_peer} {name}"] = [
                    sys.executable, f"{HERE}/reduction.py", "--repeat", str(args.repeat),
                    "--cases", of_peer, "--peer", name,
                ]
    runs = {name: [] for name in commands}
    for _ in range(args.rounds):
        for name, command in commands.items():
            runs[name].append(run(command, environment))
            print(name, json.dumps(runs[name][-1]), file=sys.stderr, flush=True)
    keys = ("fit_s", "fit_cpu_s", "predict_s", "accuracy", "explained")
    medians = {
        name: {key: statistics.median(run[key] for run in results) for key in keys if key in results[0]}
        for name, results in runs.items()
    }
    ratios = {}
    for name, median in medians.items():
        ours = medians[name.split()[0].split("_")[0] + " ours"]
        if median is not ours:
            ratios[name] = {key: median[key] / ours[key] for key in ("fit_s", "fit_cpu_s")}
    print(json.dumps({"rounds": args.rounds, "medians": medians, "ratios": ratios}, indent=2))


if __name__ == "__main__":
    main()
