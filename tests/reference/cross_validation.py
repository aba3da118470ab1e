"""Writes cross_validation.json beside itself: scikit-learn's GridSearchCV of an SVC on given folds.

Class 3 is in fold 0 alone: the fit that holds it out knows three classes, and its rows count as wrong.
"""
import json
from pathlib import Path

import numpy as np
import sklearn
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.svm import SVC

SEED, N, D = 11, 120, 6
rng = np.random.default_rng(SEED)
labels = np.arange(N) % 3
folds = (np.arange(N) // 3) % 3
labels[np.flatnonzero(folds == 0)[:6]] = 3
features = np.round(rng.normal(0, 1, (N, D)) + 1.1 * (np.arange(D) % 4 == labels[:, None]), 3)
features = features.astype(np.float32)

grid = {"C": [0.1, 1.0, 10.0], "kernel": ["linear", "rbf"]}
search = GridSearchCV(SVC(gamma=0.3, tol=1e-5), grid, cv=PredefinedSplit(folds))
search.fit(features, labels)
found = search.cv_results_
with open(Path(__file__).with_suffix(".json"), "w") as file:
    json.dump(dict(
        made_by="tests/reference/cross_validation.py", sklearn=sklearn.__version__,
        features=features.astype(float).tolist(), labels=labels.tolist(), folds=folds.tolist(),
        gamma=0.3, tol=1e-5,
        candidates=[dict(c=p["C"], kernel=p["kernel"]) for p in found["params"]],
        scores=np.stack([found[f"split{k}_test_score"] for k in range(3)], axis=1).tolist(),
        mean=found["mean_test_score"].tolist(), std=found["std_test_score"].tolist(),
        rank=found["rank_test_score"].tolist(), best=int(search.best_index_),
    ), file)
    file.write("\n")
