"""Writes linear_svc.json: scikit-learn's LinearSVC (LIBLINEAR) and numpy's objectives on small seeded data.

Run in this directory: python linear_svc_fixtures.py
"""
import json

import numpy as np
import sklearn
from sklearn.multiclass import OneVsOneClassifier
from sklearn.svm import LinearSVC

SEED, N, D, K = 11, 240, 8, 3
rng = np.random.default_rng(SEED)
labels = np.where(np.arange(N) < 150, np.arange(N) % K, 0)
bytes_ = np.clip(rng.normal(100, 40, (N, D)) + 35.0 * (np.arange(D) % K == labels[:, None]), 0, 255)
bytes_ = bytes_.astype(np.uint8)
floats = np.round(rng.normal(0, 1, (N, D)) + 0.9 * (np.arange(D) % K == labels[:, None]), 3)
floats = floats.astype(np.float32)
weights = np.round(rng.uniform(0.0, 2.0, N), 3)
weights[::17] = 0.0
data = {"bytes": bytes_ / 255.0, "floats": floats.astype(np.float64)}

CASES = [
    dict(loss="squared_hinge"),
    dict(loss="hinge"),
    dict(loss="squared_hinge", C=0.05),
    dict(loss="squared_hinge", fit_intercept=False),
    dict(loss="hinge", intercept_scaling=4.0, C=3.0),
    dict(loss="squared_hinge", class_weight="balanced"),
    dict(loss="hinge", class_weight="balanced", weighted=True),
    dict(loss="squared_hinge", weighted=True),
    dict(loss="squared_hinge", two_classes=True),
    dict(loss="squared_hinge", ovo=True),
    dict(loss="hinge", ovo=True),
]

cases = []
for kind, x in data.items():
    for case in CASES:
        arguments = {k: v for k, v in case.items() if k not in ("weighted", "two_classes", "ovo")}
        y = np.minimum(labels, 1) if case.get("two_classes") else labels
        svc = LinearSVC(dual=True, tol=1e-10, max_iter=5_000_000, random_state=0, **arguments)
        if case.get("ovo"):
            model = OneVsOneClassifier(svc).fit(x, y)
            coef = np.vstack([e.coef_ for e in model.estimators_])
            intercept = np.hstack([e.intercept_ for e in model.estimators_])
        else:
            model = svc.fit(x, y, sample_weight=weights if case.get("weighted") else None)
            coef, intercept = svc.coef_, np.broadcast_to(svc.intercept_, len(svc.coef_))
        scores = model.decision_function(x[:20])
        cases.append(dict(
            features=kind, **case, coef=coef.tolist(), intercept=intercept.tolist(),
            decisions=scores.tolist(), predictions=model.predict(x).tolist(),
        ))

with open("linear_svc.json", "w") as out:
    json.dump(dict(
        sklearn=sklearn.__version__, seed=SEED, n_features=D, labels=labels.tolist(),
        weights=weights.tolist(), bytes=bytes_.ravel().tolist(),
        floats=[round(float(v), 3) for v in floats.ravel()], cases=cases,
    ), out)
