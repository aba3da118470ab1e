"""Writes knn.json: scikit-learn's nearest neighbours on small seeded data without ties.

Run in this directory: python knn_fixtures.py
"""
import json

import numpy as np
import sklearn
from sklearn.neighbors import KNeighborsClassifier

SEED, N, D, N_QUERIES = 5, 150, 9, 12
rng = np.random.default_rng(SEED)
labels = np.arange(N) % 4
labels[labels == 2] = 5
rows = {
    "bytes": np.clip(rng.normal(100, 60, (N, D)) + 20 * labels[:, None], 0, 255).astype(np.uint8),
    "floats": np.round(rng.normal(0, 1, (N, D)) + 0.3 * labels[:, None], 3).astype(np.float32),
}
cases = []
for kind, x in rows.items():
    # Some queries are training rows: distance 0.
    noise = rng.normal(0, 30 if kind == "bytes" else 0.5, (N_QUERIES, D))
    queries = x[::13][:N_QUERIES].astype(np.float64) + noise
    queries = np.clip(queries, 0, 255).astype(np.uint8) if kind == "bytes" else np.round(queries, 3)
    queries = queries.astype(x.dtype)
    queries[:3] = x[[7, 70, 149]]
    real = (lambda v: v / 255.0) if kind == "bytes" else (lambda v: v.astype(np.float64))
    for metric in ["euclidean", "manhattan", "cosine"]:
        for weights in ["uniform", "distance"]:
            for k in [1, 4, 11]:
                knn = KNeighborsClassifier(k, weights=weights, metric=metric, algorithm="brute")
                knn.fit(real(x), labels)
                distances, idx = knn.kneighbors(real(queries))
                # scikit-learn's cosine of equal rows may be off by an ulp, which its weights see.
                if weights == "distance" and metric == "cosine":
                    use = slice(3, None)
                else:
                    use = slice(None)
                cases.append(dict(
                    features=kind, metric=metric, weights=weights, n_neighbors=k,
                    queries=queries[use].tolist(), idx=idx[use].tolist(),
                    distances=distances[use].tolist(),
                    probabilities=knn.predict_proba(real(queries))[use].tolist(),
                    predictions=knn.predict(real(queries))[use].tolist(),
                ))

with open("knn.json", "w") as out:
    json.dump(dict(
        sklearn=sklearn.__version__, seed=SEED, n_features=D, labels=labels.tolist(),
        bytes=rows["bytes"].tolist(), floats=[[round(float(v), 3) for v in r] for r in rows["floats"]],
        cases=cases,
    ), out)
