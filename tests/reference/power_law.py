"""Writes power_law.json: power laws by numpy's polyfit, with errors and prediction intervals by the
textbook formulas and SciPy's t distribution.

Run: python tests/reference/power_law.py > tests/reference/power_law.json
"""

import json

import numpy as np
import scipy
from scipy.stats import t

SEED = 42


def case(x, y, at):
    log_x, log_y = np.log(x), np.log(y)
    (b, a), covariance = np.polyfit(log_x, log_y, 1, cov=True)
    m = len(x)
    s = np.sqrt(np.sum((log_y - a - b * log_x) ** 2) / (m - 2))
    distance = np.log(at) - log_x.mean()
    half = t.ppf(0.975, m - 2) * s * np.sqrt(1 + 1 / m + distance**2 / np.sum((log_x - log_x.mean()) ** 2))
    center = a + b * np.log(at)
    return dict(
        pairs=np.stack([x, y], 1).tolist(), exponent=b, exponent_se=np.sqrt(covariance[0, 0]),
        coefficient=np.exp(a), at=at, prediction=np.exp(center),
        interval=[np.exp(center - half), np.exp(center + half)],
    )


def main():
    rng = np.random.default_rng(SEED)
    cases = []
    for sizes, repeats, noise in [([1000, 2000, 5000], 1, 0.05), ([1000, 2000, 5000, 10000, 20000], 3, 0.2)]:
        x = np.repeat(np.array(sizes, float), repeats)
        cases.append(case(x, 3e-7 * x**1.8 * np.exp(noise * rng.standard_normal(len(x))), 60000.0))
    quantiles = [(v, t.ppf(0.975, v)) for v in [1, 2, 3, 5, 10, 11, 13, 20, 40, 100, 1000]]
    versions = dict(numpy=np.__version__, scipy=scipy.__version__)
    print(json.dumps(dict(versions=versions, seed=SEED, cases=cases, t_975=quantiles)))


main()
