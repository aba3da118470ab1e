"""Writes halving.json beside itself: rounds of scikit-learn's HalvingGridSearchCV.
"""
import json
from pathlib import Path

import numpy as np
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingGridSearchCV, StratifiedKFold


class Constant(ClassifierMixin, BaseEstimator):
    """Scores its parameter: the rounds depend on counts alone."""

    def __init__(self, value=0.0):
        self.value = value

    def fit(self, x, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, x):
        return np.zeros(len(x), dtype=int)

    def score(self, x, y):
        return self.value


cases = []
for n_candidates, factor, n_samples, n_folds, n_classes in [
    (6, 3, 1000, 5, 2), (9, 3, 1000, 5, 10), (12, 3, 2000, 3, 10), (27, 3, 1800, 5, 10),
    (30, 2, 5000, 5, 3), (1, 3, 500, 5, 2), (2, 3, 500, 5, 2), (3, 3, 500, 5, 2),
    (100, 4, 3000, 2, 2), (81, 3, 400, 2, 2), (64, 2, 20, 5, 2), (10, 5, 777, 4, 3),
]:
    y = np.arange(n_samples) % n_classes
    search = HalvingGridSearchCV(
        Constant(), {"value": list(np.linspace(0, 1, n_candidates))}, factor=factor,
        cv=StratifiedKFold(n_folds, shuffle=True, random_state=0), random_state=0,
        min_resources="exhaust", refit=False,
    ).fit(np.zeros((n_samples, 1)), y)
    cases.append(dict(
        n_candidates=n_candidates, factor=factor, n_samples=n_samples, n_folds=n_folds,
        n_classes=n_classes, n_candidates_=search.n_candidates_,
        n_resources_=search.n_resources_,
    ))
with open(Path(__file__).with_suffix(".json"), "w") as file:
    json.dump(dict(
        made_by="tests/reference/halving.py", sklearn=sklearn.__version__, cases=cases), file)
    file.write("\n")
