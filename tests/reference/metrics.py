"""Writes metrics.json: classification metrics, intervals and p values of scikit-learn and SciPy.

Run: python tests/reference/metrics.py > tests/reference/metrics.json
"""

import json

import numpy as np
import scipy
import sklearn
from scipy.special import erfc
from scipy.stats import binomtest, chi2, ttest_1samp
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

SEED = 42


def evaluation(name, labels, predicted, n_classes):
    classes = list(range(n_classes))

    def scores(average):
        rows = precision_recall_fscore_support(
            labels, predicted, labels=classes, average=average, zero_division=0
        )[:3]
        return np.array(rows).T.tolist()

    return {
        "name": name,
        "n_classes": n_classes,
        "labels": labels.tolist(),
        "predicted": predicted.tolist(),
        "confusion": confusion_matrix(labels, predicted, labels=classes).tolist(),
        "accuracy": accuracy_score(labels, predicted),
        "macro_average": scores("macro"),
        "weighted_average": scores("weighted"),
        "per_class": scores(None),
    }


def mcnemar(only_a, only_b):
    discordant = only_a + only_b
    if discordant == 0:
        p_value = 1.0
    elif discordant < 25:
        p_value = binomtest(min(only_a, only_b), discordant, 0.5).pvalue
    else:
        p_value = chi2.sf(max(abs(only_a - only_b) - 1, 0) ** 2 / discordant, 1)
    return {"n_only_a": only_a, "n_only_b": only_b, "p_value": float(p_value)}


def wilson(right, samples):
    interval = binomtest(right, samples).proportion_ci(0.95, method="wilson")
    return {"n_right": right, "n_samples": samples, "interval": [interval.low, interval.high]}


def paired_t(differences):
    found = ttest_1samp(differences, 0.0)
    interval = found.confidence_interval(0.95)
    return {
        "differences": differences,
        "p_value": float(found.pvalue),
        "interval": [float(interval.low), float(interval.high)],
    }


rng = np.random.default_rng(SEED)
labels = rng.integers(0, 10, 300)
noisy = np.where(rng.random(300) < 0.8, labels, rng.integers(0, 10, 300))
uneven = rng.choice(4, 120, p=[0.7, 0.2, 0.08, 0.02])

document = {
    "made_by": "tests/reference/metrics.py",
    "versions": {
        "scikit-learn": sklearn.__version__,
        "scipy": scipy.__version__,
        "numpy": np.__version__,
    },
    "seed": SEED,
    "evaluations": [
        evaluation("ten classes", labels, noisy, 10),
        evaluation("one class never predicted", uneven, np.where(uneven == 2, 0, uneven), 4),
        evaluation("always the first class", uneven, np.zeros_like(uneven), 4),
        evaluation("a class without images", uneven % 3, (uneven + 1) % 5, 5),
        evaluation("all right", uneven, uneven, 4),
    ],
    "wilson": [
        wilson(*case)
        for case in [(0, 1), (1, 1), (0, 10), (10, 10), (5, 10), (9284, 10000), (9999, 10000)]
    ],
    "mcnemar": [
        mcnemar(*case)
        for case in [
            (0, 0), (0, 1), (1, 1), (3, 9), (9, 3), (12, 12), (0, 24), (10, 14), (12, 13),
            (0, 25), (25, 25), (100, 130), (312, 201), (900, 20), (3000, 1),
        ]
    ],
    "paired_t": [
        paired_t(differences)
        for differences in [
            [0.001, 0.0013], [0.002, -0.001, 0.0005], [0.0031, 0.0035, 0.0029],
            [-0.01, -0.02, -0.015, -0.012], [0.1, -0.2, 0.3, -0.4, 0.5],
            [0.01 * np.sin(k) + 0.002 for k in range(12)], [1.0, 1.0001, 0.9999, 1.00005],
            [0.01 * np.cos(k) - 0.004 for k in range(31)],
        ]
    ],
    "erfc": [[x, float(erfc(x))] for x in [0.0, 1e-8, 0.1, 0.5, 1.0, 1.9, 1.999, 2.0, 2.5, 5.0, 20.0]],
}
print(json.dumps(document))
