"""Writes gradient_boosting.json: scikit-learn's HistGradientBoostingClassifier on small seeded data.

The mean training loss after each round, and the probabilities and decisions of the first rows. Run in this
directory: python gradient_boosting_fixtures.py
"""
import json

import numpy as np
import sklearn
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss

SEED, N, D, K = 5, 600, 6, 3
rng = np.random.default_rng(SEED)
labels = rng.integers(0, K, N)
shift = 45.0 * (np.arange(D) % K == labels[:, None])
bytes_ = np.clip(rng.normal(90, 45, (N, D)) + shift, 0, 255).astype(np.uint8)
# At most 255 different values: neither side cuts them into quantiles.
floats = np.round(rng.normal(0, 1, (N, D)) + shift / 45.0, 1).astype(np.float32)
# Without weights all samples of a class have one gradient in the first round, and many cuts gain the same.
weights = np.round(rng.uniform(0.1, 3.0, N), 3)
# Bytes stand for themselves / 255, which moves no cut between rows.
data = {"bytes": bytes_.astype(np.float64), "floats": floats.astype(np.float64)}

CASES = [
    dict(),
    dict(max_leaf_nodes=None, max_depth=3),
    dict(max_leaf_nodes=6, l2_regularization=5.0, learning_rate=0.3),
    dict(min_samples_leaf=3, max_leaf_nodes=8),
    dict(two_classes=True),
    dict(two_classes=True, l2_regularization=1.0, max_leaf_nodes=4),
]

cases = []
for kind, x in data.items():
    for case in CASES:
        arguments = {k: v for k, v in case.items() if k != "two_classes"}
        y = np.minimum(labels, 1) if case.get("two_classes") else labels
        model = HistGradientBoostingClassifier(max_iter=12, early_stopping=False, random_state=0, **arguments)
        model.fit(x, y, sample_weight=weights)
        losses = [log_loss(y, p, sample_weight=weights) for p in model.staged_predict_proba(x)]
        cases.append(dict(
            features=kind, **case, losses=losses, proba=model.predict_proba(x[:15]).ravel().tolist(),
            decisions=np.reshape(model.decision_function(x[:15]), -1).tolist(),
        ))

with open("gradient_boosting.json", "w") as out:
    json.dump(dict(
        sklearn=sklearn.__version__, seed=SEED, n_features=D, labels=labels.tolist(), weights=weights.tolist(),
        bytes=bytes_.ravel().tolist(), floats=[round(float(v), 1) for v in floats.ravel()], cases=cases,
    ), out)
