"""Writes svc_fashion_mnist.json: LIBSVM on the first 10,000 images of Fashion-MNIST, RBF, C = 10.

Run in this directory: PIPELINE_DATA=DIR python svc_fashion_mnist.py
Needs libsvm-official. Objectives are those that LIBSVM prints for every pair of classes; its default
stopping tolerance of 1e-3 is kept, as scikit-learn does.
"""
import gzip
import json
import os
import re
import subprocess
import sys

import numpy as np

N, N_TEST, C = 10_000, 10_000, 10.0
HERE = os.path.dirname(os.path.abspath(__file__))


def load(split, n):
    base = os.path.join(os.environ["PIPELINE_DATA"], split)
    with gzip.open(base + "-images-idx3-ubyte.gz") as file:
        x = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784)[:n] / 255.0
    with gzip.open(base + "-labels-idx1-ubyte.gz") as file:
        return x, np.frombuffer(file.read(), np.uint8, offset=8)[:n].astype(int)


def fit():
    from libsvm.svmutil import svm_predict, svm_train

    x, y = load("train", N)
    gamma = float(1 / (784 * x.var()))
    # LIBSVM numbers classes by first appearance: sorted, a pair is (lower, higher).
    order = np.argsort(y, kind="stable")
    model = svm_train(y[order], x[order], f"-s 0 -t 2 -c {C} -g {gamma!r} -m 1024")
    x_test, y_test = load("t10k", N_TEST)
    predicted, _, _ = svm_predict(y_test, x_test, model, "-q")
    print("FIGURES", json.dumps({"gamma": gamma, "n_support": model.get_nr_sv(), "n_right": int((np.array(predicted) == y_test).sum())}))


if len(sys.argv) > 1:
    fit()
else:
    output = subprocess.run([sys.executable, __file__, "fit"], check=True, capture_output=True, text=True).stdout
    objectives = [float(found) for found in re.findall(r"obj = ([-\d.e+]+)", output)]
    assert len(objectives) == 45, output[-2000:]
    figures = json.loads(output.split("FIGURES")[1])
    case = {"libsvm": "3.37", "n": N, "c": C, "objectives": objectives, **figures}
    with open(os.path.join(HERE, "svc_fashion_mnist.json"), "w") as file:
        json.dump(case, file, indent=1)
