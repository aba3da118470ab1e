"""Writes logistic.json: scikit-learn's LogisticRegression at tight tolerances on small seeded data.

Run in this directory: python logistic_fixtures.py
"""
import json
import warnings

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression

warnings.simplefilter("ignore", FutureWarning)
SEED, N, D = 6, 150, 6
rng = np.random.default_rng(SEED)
labels = np.where(np.arange(N) < 110, np.arange(N) % 3, 0)
labels[labels == 2] = 4
bytes_ = np.clip(rng.normal(110, 50, (N, D)) + 9 * labels[:, None], 0, 255).astype(np.uint8)
floats = np.round(rng.normal(0, 1, (N, D)) + 0.2 * labels[:, None], 3).astype(np.float32)
weights = np.round(rng.uniform(0.0, 2.0, N), 3)
weights[::11] = 0.0


def objective(x, y, w, coef, intercept, penalty, c, class_weight):
    classes = np.unique(y)
    z = x @ coef.T + intercept
    if len(classes) == 2:
        sign = np.where(y == classes[1], 1, -1)
        loss = np.logaddexp(0, -sign * z[:, 0])
    else:
        at = np.searchsorted(classes, y)
        loss = np.logaddexp.reduce(z, axis=1) - z[np.arange(len(y)), at]
    if class_weight == "balanced":
        at = np.searchsorted(classes, y)
        w = w * (w.sum() / (len(classes) * np.bincount(at, w)))[at]
    cost = dict(l2=0.5 * (coef**2).sum(), l1=np.abs(coef).sum(), none=0.0)[penalty]
    return float(c * (w * loss).sum() + cost)


cases = []
for kind, x in dict(bytes=bytes_ / 255.0, floats=floats.astype(np.float64)).items():
    for case in [
        dict(penalty="l2", c=1.0), dict(penalty="l2", c=0.02, fit_intercept=False),
        dict(penalty="l2", c=5.0, weighted=True, class_weight="balanced"),
        dict(penalty="l2", c=1.0, two_classes=True), dict(penalty="none", c=1.0),
        dict(penalty="l1", c=0.3), dict(penalty="l1", c=1.0, two_classes=True, weighted=True),
        dict(penalty="l1", c=0.1, fit_intercept=False),
    ]:
        y = np.where(labels == 4, 1, labels) if case.get("two_classes") else labels
        w = weights if case.get("weighted") else np.ones(N)
        penalty, fit_intercept = case["penalty"], case.get("fit_intercept", True)
        model = LogisticRegression(
            C=case["c"] if penalty != "none" else np.inf, l1_ratio=1.0 if penalty == "l1" else 0.0,
            solver="saga" if penalty == "l1" else "newton-cg", tol=1e-12, max_iter=1_000_000,
            fit_intercept=fit_intercept, class_weight=case.get("class_weight"), random_state=0,
        )
        model.fit(x, y, sample_weight=w)
        cases.append(dict(
            features=kind, **case, coef=model.coef_.tolist(),
            intercept=np.broadcast_to(model.intercept_, len(model.coef_)).tolist(),
            objective=objective(
                x, y, w, model.coef_, model.intercept_, penalty, case["c"], case.get("class_weight"),
            ),
            probabilities=model.predict_proba(x[:9]).tolist(),
        ))

with open("logistic.json", "w") as out:
    json.dump(dict(
        sklearn=sklearn.__version__, seed=SEED, labels=labels.tolist(), weights=weights.tolist(),
        bytes=bytes_.tolist(), floats=[[round(float(v), 3) for v in r] for r in floats], cases=cases,
    ), out)
