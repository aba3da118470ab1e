"""Writes svc_model.json: what a fitted SVC says besides its labels.

Run: python svc_model.py
Ties of votes, weight vectors and log-losses are scikit-learn's. LIBSVM's sigmoid and coupling are
written out here from the papers (Lin, Lin, Weng 2007, appendix C; Wu, Lin, Weng 2004, algorithm 2)
and from svm.cpp, because no library gives them for decisions of one's own.
"""
import json
import warnings
from pathlib import Path

import numpy as np
import sklearn
from sklearn.metrics import log_loss
from sklearn.svm import SVC

warnings.filterwarnings("ignore", category=FutureWarning)
SEED, N, D, K = 11, 300, 3, 7
HERE = Path(__file__).parent
rng = np.random.default_rng(SEED)
# Classes that overlap on a circle: pairs disagree, so votes tie.
labels = rng.integers(0, K, N)
angles = 2 * np.pi * labels / K
x = np.stack([np.cos(angles), np.sin(angles), np.zeros(N)], axis=1) + rng.normal(0, 1.0, (N, D))
x = np.round(x, 3).astype(np.float32).astype(np.float64)
queries = np.round(rng.normal(0, 1.5, (N, D)), 3).astype(np.float32).astype(np.float64)


def sigmoid_train(decisions, is_first):
    n_first, n_second = is_first.sum(), (~is_first).sum()
    t = np.where(is_first, (n_first + 1) / (n_first + 2), 1 / (n_second + 2))
    a, b = 0.0, np.log((n_second + 1) / (n_first + 1))

    def value(a, b):
        z = decisions * a + b
        return np.where(z >= 0, t * z + np.log1p(np.exp(-np.abs(z))),
                        (t - 1) * z + np.log1p(np.exp(-np.abs(z)))).sum()

    f = value(a, b)
    for _ in range(100):
        p = 1 / (1 + np.exp(decisions * a + b))
        d2, d1 = p * (1 - p), t - p
        hessian = np.array([[(decisions**2 * d2).sum() + 1e-12, (decisions * d2).sum()],
                            [(decisions * d2).sum(), d2.sum() + 1e-12]])
        gradient = np.array([(decisions * d1).sum(), d1.sum()])
        if np.abs(gradient).max() < 1e-5:
            break
        direction = -np.linalg.solve(hessian, gradient)
        step = 1.0
        while step >= 1e-10:
            new = value(a + step * direction[0], b + step * direction[1])
            if new < f + 1e-4 * step * gradient @ direction:
                a, b, f = a + step * direction[0], b + step * direction[1], new
                break
            step /= 2
        else:
            break
    return a, b


def couple(r):
    """svm.cpp, multiclass_probability: r[i, j] is the probability of i given i or j."""
    k = len(r)
    q = np.empty((k, k))
    for t in range(k):
        for j in range(k):
            q[t, j] = -r[j, t] * r[t, j]
        q[t, t] = sum(r[j, t] ** 2 for j in range(k) if j != t)
    p = np.full(k, 1 / k)
    for _ in range(max(100, k)):
        qp = q @ p
        pqp = p @ qp
        if np.abs(qp - pqp).max() < 0.005 / k:
            break
        for t in range(k):
            diff = (-qp[t] + pqp) / q[t, t]
            p[t] += diff
            pqp = (pqp + diff * (diff * q[t, t] + 2 * qp[t])) / (1 + diff) / (1 + diff)
            qp = (qp + diff * q[t]) / (1 + diff)
            p = p / (1 + diff)
    return p


def pairwise(k):
    r = np.zeros((k, k))
    for i in range(k):
        for j in range(i + 1, k):
            r[i, j] = rng.uniform(0.001, 0.999)
            r[j, i] = 1 - r[i, j]
    return r


def sigmoid_case(n_first, n_second, gap):
    is_first = np.arange(n_first + n_second) < n_first
    decisions = np.where(is_first, gap, -gap) + rng.normal(0, 1, n_first + n_second)
    a, b = sigmoid_train(decisions, is_first)
    return dict(decisions=decisions.tolist(), n_first=n_first, a=a, b=b)


arguments = dict(C=2.0, tol=1e-6, gamma=0.5)
first = SVC(**arguments).fit(x, labels)
broken = SVC(break_ties=True, **arguments).fit(x, labels)
pairs = SVC(decision_function_shape="ovo", **arguments).fit(x, labels)
linear = SVC(kernel="linear", C=2.0, tol=1e-6).fit(x, labels)
losses = [
    log_loss(labels, SVC(probability=True, random_state=seed, **arguments).fit(x, labels).predict_proba(x))
    for seed in range(20)
]
assert (first.predict(queries) != broken.predict(queries)).sum() >= 3
matrices = [pairwise(k) for k in (2, 3, 4, 10)]

with open(HERE / "svc_model.json", "w") as out:
    json.dump(dict(
        sklearn=sklearn.__version__, seed=SEED, n_features=D, c=2.0, gamma=0.5,
        features=x.ravel().tolist(), labels=labels.tolist(),
        queries=queries.ravel().tolist(),
        predictions=first.predict(queries).tolist(),
        predictions_without_ties=broken.predict(queries).tolist(),
        ovr=first.decision_function(queries[:50]).tolist(), ovo=pairs.decision_function(queries[:50]).tolist(),
        coef=linear.coef_.tolist(),
        log_losses=losses,
        sigmoids=[sigmoid_case(*case) for case in
                  ((40, 60, 1.0), (5, 95, 0.5), (30, 30, 0.0), (20, 25, -1.0), (50, 50, 6.0), (1, 1, 1.0))],
        couplings=[dict(pairwise=r.tolist(), coupled=(couple(r) if len(r) > 2 else r[[0, 1], [1, 0]]).tolist())
                   for r in matrices],
    ), out)
