"""Writes perceptron.json: scikit-learn's Perceptron without shuffling, and its averaged form
(SGDClassifier), on small seeded data; the multi-class one by its definition in numpy.

Run in this directory: python perceptron_fixtures.py
"""
import json
import warnings

import numpy as np
import sklearn
from sklearn.linear_model import Perceptron, SGDClassifier

warnings.simplefilter("ignore")
SEED, N, D = 3, 90, 5
rng = np.random.default_rng(SEED)
labels = np.arange(N) % 3
bytes_ = np.clip(rng.normal(110, 60, (N, D)) + 30 * labels[:, None], 0, 255).astype(np.uint8)
floats = np.round(rng.normal(0, 1, (N, D)) + 0.8 * labels[:, None], 3).astype(np.float32)


def multiclass(x, y, epochs):
    w, b, k = np.zeros((3, x.shape[1])), np.zeros(3), np.arange(3)
    for _ in range(epochs):
        for row, label in zip(x, y):
            z = w @ row + b
            wrong = k[k != label][np.argmax(z[k != label])]
            if z[label] <= z[wrong]:
                w[label] += row
                w[wrong] -= row
                b[label] += 1
                b[wrong] -= 1
    return w, b


cases = []
for kind, x in dict(bytes=bytes_ / 255.0, floats=floats.astype(np.float64)).items():
    for two_classes in [False, True]:
        y = np.minimum(labels, 1) if two_classes else labels
        for averaged, max_iter in [(False, 1000), (False, 7), (True, 7)]:
            if averaged:
                model = SGDClassifier(
                    loss="perceptron", penalty=None, learning_rate="constant", eta0=1.0,
                    average=True, shuffle=False, max_iter=max_iter, tol=None,
                )
            else:
                model = Perceptron(shuffle=False, max_iter=max_iter, tol=1e-3)
            model.fit(x, y)
            cases.append(dict(
                features=kind, variant="one_vs_rest", two_classes=two_classes, averaged=averaged,
                max_iter=max_iter, coef=model.coef_.tolist(), intercept=model.intercept_.tolist(),
                n_iter=int(model.n_iter_),
            ))
    w, b = multiclass(x, labels, 4)
    cases.append(dict(
        features=kind, variant="multiclass", two_classes=False, averaged=False, max_iter=4,
        coef=w.tolist(), intercept=b.tolist(), n_iter=4,
    ))

with open("perceptron.json", "w") as out:
    json.dump(dict(
        sklearn=sklearn.__version__, seed=SEED, labels=labels.tolist(), bytes=bytes_.tolist(),
        floats=[[round(float(v), 3) for v in r] for r in floats], cases=cases,
    ), out)
