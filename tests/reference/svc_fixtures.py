"""Writes svc_*.json: scikit-learn's SVC (LIBSVM) on small seeded data, for every kernel.

Run in this directory: python svc_fixtures.py
LIBSVM's dual objective is not exposed; it is computed from dual_coef_ in double precision.
"""
import json

import numpy as np
import sklearn
from sklearn.metrics.pairwise import pairwise_kernels
from sklearn.svm import SVC

SEED, N, D, K, C = 7, 240, 12, 3, 2.0
rng = np.random.default_rng(SEED)
labels = np.arange(N) % K
bytes_ = np.clip(rng.normal(100, 30, (N, D)) + 35.0 * (np.arange(D) % K == labels[:, None]), 0, 255)
bytes_ = bytes_.astype(np.uint8)
floats = np.round(rng.normal(0, 1, (N, D)) + 1.2 * (np.arange(D) % K == labels[:, None]), 3)
floats = floats.astype(np.float32)

KERNELS = {
    "linear": dict(kernel="linear"),
    "rbf": dict(kernel="rbf", gamma="scale"),
    "polynomial": dict(kernel="poly", gamma="scale", degree=3, coef0=1.0),
    "sigmoid": dict(kernel="sigmoid", gamma=0.01, coef0=0.0),
}

CLASS_WEIGHT = {0: 0.5, 2: 3.0}
sample_weight = np.round(rng.uniform(0.1, 2.0, N), 3)
sample_weight[rng.permutation(N)[:40]] = 0.0
# Of the last class half the rows are left out: the classes are out of balance.
UNBALANCED = np.flatnonzero((labels != K - 1) | (np.arange(N) % 2 == 0))


def fitted(name, x, labels, class_weight=None, sample_weight=None):
    arguments = dict(KERNELS[name], C=C, tol=1e-5, class_weight=class_weight)
    svc = SVC(decision_function_shape="ovr", **arguments).fit(x, labels, sample_weight)
    pairs = SVC(decision_function_shape="ovo", **arguments).fit(x, labels, sample_weight)
    kernel = pairwise_kernels(
        svc.support_vectors_, metric=svc.kernel, filter_params=True,
        gamma=svc._gamma, degree=svc.degree, coef0=svc.coef0,
    )
    # `support_` counts only rows of positive weight, `support_vectors_` and `n_support_` are right.
    of_class = np.repeat(np.arange(K), svc.n_support_)
    objectives = []
    for a in range(K):
        for b in range(a + 1, K):
            beta = np.where(of_class == a, svc.dual_coef_[b - 1], 0.0)
            beta = beta + np.where(of_class == b, svc.dual_coef_[a], 0.0)
            objectives.append(0.5 * beta @ kernel @ beta - np.abs(beta).sum())
    return dict(
        kernel=name, objectives=objectives, gamma=svc._gamma,
        n_support=svc.n_support_.tolist(), intercept=svc.intercept_.tolist(),
        predictions=svc.predict(x).tolist(),
        pairwise=pairs.decision_function(x[:20]).tolist(),
        decisions=svc.decision_function(x[:20]).tolist(),
    )


for kind, raw, x in (("bytes", bytes_, bytes_ / 255.0), ("floats", floats, floats.astype(np.float64))):
    with open(f"svc_{kind}.json", "w") as out:
        json.dump(dict(
            sklearn=sklearn.__version__, seed=SEED, c=C, n_features=D,
            features=raw.ravel().tolist(), labels=labels.tolist(),
            cases=[fitted(name, x, labels) for name in KERNELS],
            class_weight=sorted(CLASS_WEIGHT.items()), sample_weight=sample_weight.tolist(),
            weighted=[fitted(name, x, labels, CLASS_WEIGHT, sample_weight) for name in KERNELS],
            unbalanced=UNBALANCED.tolist(),
            balanced=[fitted(name, x[UNBALANCED], labels[UNBALANCED], "balanced") for name in KERNELS],
        ), out)
