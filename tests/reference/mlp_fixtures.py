"""Writes mlp.json: scikit-learn's MLPClassifier from given weights, without shuffling, on small
seeded data.

Run in this directory: python mlp_fixtures.py
"""
import json
import warnings

import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier

warnings.simplefilter("ignore")
SEED, N, D = 12, 45, 6
rng = np.random.default_rng(SEED)
labels = np.arange(N) % 3
bytes_ = np.clip(rng.normal(110, 60, (N, D)) + 30 * labels[:, None], 0, 255).astype(np.uint8)
floats = np.round(rng.normal(0, 1, (N, D)) + 0.6 * labels[:, None], 3).astype(np.float32)
weights = np.round(rng.uniform(0.2, 2.0, N), 3)


class FromGiven(MLPClassifier):
    """Starts from weights that are kept."""

    def _init_coef(self, fan_in, fan_out, dtype):
        draw = np.random.default_rng(fan_in * 100 + fan_out)
        coef = np.round(draw.normal(0, 0.5, (fan_in, fan_out)), 3)
        intercept = np.round(draw.normal(0, 0.1, fan_out), 3)
        self.start = getattr(self, "start", []) + [(coef.tolist(), intercept.tolist())]
        return coef.astype(dtype), intercept.astype(dtype)


cases = []
for kind, x in dict(bytes=bytes_ / 255.0, floats=floats.astype(np.float64)).items():
    for activation, hidden, alpha, weighted in [
        ("relu", [7], 1e-4, False), ("tanh", [5, 5], 0.5, False), ("logistic", [4, 6], 0.1, True),
    ]:
        model = FromGiven(
            hidden, activation=activation, alpha=alpha, batch_size=10, max_iter=6, shuffle=False,
            learning_rate_init=0.02, n_iter_no_change=100,
        )
        model.fit(x, labels, sample_weight=weights if weighted else None)
        cases.append(dict(
            features=kind, activation=activation, hidden=hidden, alpha=alpha, weighted=weighted,
            start=model.start, losses=model.loss_curve_, probabilities=model.predict_proba(x).tolist(),
        ))

with open("mlp.json", "w") as out:
    json.dump(dict(
        sklearn=sklearn.__version__, seed=SEED, labels=labels.tolist(), weights=weights.tolist(),
        bytes=bytes_.tolist(), floats=[[round(float(v), 3) for v in r] for r in floats], cases=cases,
    ), out)
