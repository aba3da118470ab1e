"""Writes score_metrics.json: areas under curves and calibration of class scores, by scikit-learn.

Run: python tests/reference/score_metrics.py > tests/reference/score_metrics.json
"""

import json

import numpy as np
import sklearn
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    log_loss,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

SEED = 42
N_BINS = 15


def ranking(labels, scores):
    n_classes = scores.shape[1]
    classes = []
    for c in range(n_classes):
        is_class = labels == c
        fpr, tpr, _ = roc_curve(is_class, scores[:, c], drop_intermediate=False)
        precision, recall, _ = precision_recall_curve(is_class, scores[:, c])
        classes.append(
            {
                "auc": roc_auc_score(is_class, scores[:, c]),
                "average_precision": average_precision_score(is_class, scores[:, c]),
                "roc": np.stack([fpr, tpr], 1).tolist(),
                "precision_recall": np.stack([recall, precision], 1)[::-1].tolist(),
            }
        )
    return classes


def calibration(labels, scores):
    confidence = scores.max(1)
    right = scores.argmax(1) == labels
    accuracy, mean = calibration_curve(right, confidence, n_bins=N_BINS)
    edges = np.linspace(0, 1, N_BINS + 1)
    bins = np.searchsorted(edges[1:-1], confidence)
    counts = np.bincount(bins, minlength=N_BINS)
    kept = counts[counts > 0]
    return {
        "counts": counts.tolist(),
        "confidence": mean.tolist(),
        "accuracy": accuracy.tolist(),
        "ece": float(np.sum(kept / len(labels) * np.abs(accuracy - mean))),
        "brier": brier_score_loss(
            labels, scores, labels=list(range(scores.shape[1])), scale_by_half=False
        ),
        "log_loss": log_loss(labels, scores, labels=list(range(scores.shape[1]))),
    }


def case(name, n_classes, n_samples, sharpness, decimals=None, is_probability=True):
    labels = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, n_samples - n_classes)])
    scores = rng.normal(size=(n_samples, n_classes)) + sharpness * np.eye(n_classes)[labels]
    if decimals is not None:
        scores = np.round(scores, decimals)
    if is_probability:
        scores = np.exp(2 * scores)
        scores /= scores.sum(1, keepdims=True)
    return {
        "name": name,
        "labels": labels.tolist(),
        "scores": scores.tolist(),
        "classes": ranking(labels, scores),
        "auc_macro": float(np.mean([c["auc"] for c in ranking(labels, scores)])),
        "calibration": calibration(labels, scores) if is_probability else None,
    }


rng = np.random.default_rng(SEED)
print(
    json.dumps(
        {
            "made_by": "tests/reference/score_metrics.py",
            "versions": {"scikit-learn": sklearn.__version__, "numpy": np.__version__},
            "seed": SEED,
            "n_bins": N_BINS,
            "cases": [
                case("ten classes", 10, 120, 2.0),
                case("decisions with ties", 4, 60, 1.0, decimals=0, is_probability=False),
                case("two classes that overlap", 2, 40, 0.3),
            ],
        }
    )
)
