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

for kind, raw, x in (("bytes", bytes_, bytes_ / 255.0), ("floats", floats, floats.astype(np.float64))):
    cases = []
    for name, arguments in KERNELS.items():
        svc = SVC(C=C, tol=1e-5, decision_function_shape="ovr", **arguments).fit(x, labels)
        pairs = SVC(C=C, tol=1e-5, decision_function_shape="ovo", **arguments).fit(x, labels)
        kernel = pairwise_kernels(
            x[svc.support_], metric=svc.kernel, filter_params=True,
            gamma=svc._gamma, degree=svc.degree, coef0=svc.coef0,
        )
        of_class = labels[svc.support_]
        objectives = []
        for a in range(K):
            for b in range(a + 1, K):
                beta = np.where(of_class == a, svc.dual_coef_[b - 1], 0.0)
                beta = beta + np.where(of_class == b, svc.dual_coef_[a], 0.0)
                objectives.append(0.5 * beta @ kernel @ beta - np.abs(beta).sum())
        cases.append(dict(
            kernel=name, objectives=objectives, gamma=svc._gamma,
            n_support=svc.n_support_.tolist(), intercept=svc.intercept_.tolist(),
            predictions=svc.predict(x).tolist(),
            pairwise=pairs.decision_function(x[:20]).tolist(),
            decisions=svc.decision_function(x[:20]).tolist(),
        ))
    with open(f"svc_{kind}.json", "w") as out:
        json.dump(dict(
            sklearn=sklearn.__version__, seed=SEED, c=C, n_features=D,
            features=raw.ravel().tolist(), labels=labels.tolist(), cases=cases,
        ), out)
