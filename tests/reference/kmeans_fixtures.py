"""Writes kmeans.json: scikit-learn's Lloyd iterations from given centres on small seeded data.

Run in this directory: python kmeans_fixtures.py
"""
import json
import warnings

import numpy as np
import sklearn
from sklearn.cluster import KMeans

SEED, N, D = 8, 160, 5
rng = np.random.default_rng(SEED)
labels = np.arange(N) % 4
bytes_ = np.clip(rng.normal(110, 40, (N, D)) + 18 * labels[:, None], 0, 255).astype(np.uint8)
floats = np.round(rng.normal(0, 1, (N, D)) + 0.7 * labels[:, None], 3).astype(np.float32)
weights = np.round(rng.uniform(0.1, 3.0, N), 3)
cases = []
for kind, x in dict(bytes=bytes_ / 255.0, floats=floats.astype(np.float64)).items():
    for k, max_iter, weighted, far in [
        (4, 300, False, False), (7, 300, True, False), (12, 3, False, False), (5, 300, False, True),
    ]:
        start = x[5 : 5 + 9 * k : 9].copy()
        if far:
            start[2] += 50.0  # no row is nearest: an empty cluster
        model = KMeans(k, init=start, n_init=1, max_iter=max_iter, tol=1e-4, algorithm="lloyd")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(x, sample_weight=weights if weighted else None)
        cases.append(dict(
            features=kind, weighted=weighted, max_iter=max_iter, start=start.tolist(),
            centers=model.cluster_centers_.tolist(), clusters=model.labels_.tolist(),
            inertia=model.inertia_, n_iter=model.n_iter_,
        ))

with open("kmeans.json", "w") as out:
    json.dump(dict(
        sklearn=sklearn.__version__, seed=SEED, weights=weights.tolist(), labels=labels.tolist(),
        bytes=bytes_.tolist(), floats=[[round(float(v), 3) for v in r] for r in floats], cases=cases,
    ), out)
