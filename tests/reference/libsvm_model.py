"""Writes libsvm_KERNEL.model, models in LIBSVM's text form, and libsvm_model.json, what LIBSVM says by them.

Run with the package libsvm-official: python libsvm_model.py
LIBSVM orders classes by their first appearance; here that is 2, 0, 1. Its folds for probabilities
come from the C library's rand(), so another system may write other probA and probB.
"""
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
from libsvm.svmutil import svm_predict, svm_save_model, svm_train

SEED, N, D, K, N_TEST = 5, 60, 5, 3, 40
HERE = Path(__file__).parent
rng = np.random.default_rng(SEED)


def draw(n):
    labels = (np.arange(n) + 2) % K
    x = rng.normal(0, 1, (n, D)) + 1.5 * (np.arange(D) % K == labels[:, None])
    x = np.round(x, 3)
    x[rng.uniform(size=x.shape) < 0.2] = 0.0
    return labels.tolist(), x


def sparse(x):
    return [{i + 1: float(v) for i, v in enumerate(row) if v != 0} for row in x]


labels, x = draw(N)
test_labels, test = draw(N_TEST)
KERNELS = dict(
    linear="-t 0", polynomial="-t 1 -g 0.3 -d 3 -r 1", rbf="-t 2 -g 0.3", sigmoid="-t 3 -g 0.1 -r 0.5",
)
cases = {}
for name, options in KERNELS.items():
    model = svm_train(labels, sparse(x), f"{options} -c 2 -b 1 -q")
    svm_save_model(str(HERE / f"libsvm_{name}.model"), model)
    predicted, _, decisions = svm_predict([], sparse(test), model, "-q")
    _, _, probabilities = svm_predict([], sparse(test), model, "-b 1 -q")
    cases[name] = dict(
        labels=model.get_labels(), predictions=[int(v) for v in predicted],
        decisions=decisions, probabilities=probabilities,
    )

with open(HERE / "libsvm_model.json", "w") as out:
    json.dump(dict(libsvm=version("libsvm-official"), seed=SEED, n_features=D,
                   features=test.ravel().tolist(), cases=cases), out)
