"""Decision trees and AdaBoost by scikit-learn, on small data whose best splits have no equals.

Writes trees.json beside this file. Rows are bytes, which scikit-learn gets divided by 255, or real numbers. A case
is kept only if scikit-learn grows the same trees under 20 random states, for it breaks ties at random.
SAMME.R left scikit-learn with version 1.6: its rounds are written out here after version 1.5.
"""

import json
import os

import numpy as np
import sklearn
from sklearn.ensemble import AdaBoostClassifier
from sklearn.tree import DecisionTreeClassifier

HERE = os.path.dirname(os.path.abspath(__file__))
EPS = np.finfo(float).eps


def data(rng, is_bytes):
    """120 rows of 4 features in 3 classes (0, 2 and 3: one label is missing), and 40 rows to predict."""
    n = 160
    labels = rng.choice([0, 2, 3], n, p=[0.5, 0.3, 0.2])
    x = rng.normal(size=(n, 4)) + 0.8 * np.stack([labels == 2, labels == 3, labels == 0, labels > 9], 1)
    x = np.clip(np.round(x * 40 + 100), 0, 255) if is_bytes else x.astype(np.float32)
    return x[:120], labels[:120], x[120:]


def nodes(fitted):
    t = fitted.tree_
    return {
        "feature": t.feature.tolist(), "threshold": t.threshold.tolist(), "left": t.children_left.tolist(),
        "right": t.children_right.tolist(),
    }


def real(x, is_bytes):
    return (x / 255 if is_bytes else x).astype(np.float32)


def tree_case(name, params, is_bytes, weighted):
    for seed in range(1000):
        rng = np.random.default_rng(seed)
        x, y, rows = data(rng, is_bytes)
        weights = np.round(rng.uniform(0, 3, len(y)), 3) if weighted else None
        fits = [
            DecisionTreeClassifier(**params, random_state=state).fit(real(x, is_bytes), y, weights)
            for state in range(20)
        ]
        if all(nodes(fit) == nodes(fits[0]) for fit in fits) and fits[0].tree_.node_count > 8:
            break
    fit = fits[0]
    return {
        "name": name, "params": params, "bytes": is_bytes, "x": x.tolist(), "y": y.tolist(),
        "weights": None if weights is None else weights.tolist(), "rows": rows.tolist(), **nodes(fit),
        "importances": fit.feature_importances_.tolist(), "proba": fit.predict_proba(real(rows, is_bytes)).tolist(),
    }


def samme_r(x, y, rows, params, n_estimators, learning_rate, state):
    classes = np.unique(y)
    k = len(classes)
    w = np.full(len(y), 1 / len(y))
    errors, decision = [], 0
    for _ in range(n_estimators):
        fit = DecisionTreeClassifier(**params, random_state=state).fit(x, y, w)
        log_p = np.log(np.maximum(fit.predict_proba(x), EPS))
        errors.append(np.average(fit.predict(x) != y, weights=w))
        log_rows = np.log(np.maximum(fit.predict_proba(rows), EPS))
        decision = decision + (k - 1) * (log_rows - log_rows.mean(axis=1, keepdims=True))
        coding = np.where(classes == y[:, None], 1.0, -1 / (k - 1))
        w = w * np.exp(-learning_rate * (k - 1) / k * (coding * log_p).sum(axis=1))
        w = np.maximum(w / w.sum(), EPS)
    return np.array(errors), decision / n_estimators


def boost_case(name, algorithm, params, n_estimators, learning_rate):
    for seed in range(1000):
        x, y, rows = data(np.random.default_rng(seed), False)
        found = []
        for state in range(20):
            if algorithm == "SAMME":
                fit = AdaBoostClassifier(
                    DecisionTreeClassifier(**params), n_estimators=n_estimators, learning_rate=learning_rate,
                    random_state=state,
                ).fit(x, y)
                found.append((fit.estimator_errors_, fit.estimator_weights_, fit.decision_function(rows),
                              fit.predict_proba(rows)))
            else:
                errors, decision = samme_r(x, y, rows, params, n_estimators, learning_rate, state)
                exp = np.exp(decision / (decision.shape[1] - 1))
                found.append((errors, np.ones(len(errors)), decision, exp / exp.sum(axis=1, keepdims=True)))
        # Fits that stop early have fewer errors than scikit-learn has room for.
        same = all(np.allclose(a, b, rtol=1e-9) for other in found for a, b in zip(found[0], other))
        if same and (found[0][0] > 0).all():
            break
    errors, weights, decision, proba = found[0]
    return {
        "name": name, "algorithm": algorithm, "params": params, "n_estimators": n_estimators,
        "learning_rate": learning_rate, "x": x.tolist(), "y": y.tolist(), "rows": rows.tolist(),
        "errors": errors.tolist(), "weights": weights.tolist(), "decision": decision.tolist(), "proba": proba.tolist(),
    }


def main():
    cases = [
        tree_case("gini on bytes", {"max_depth": 4, "min_samples_leaf": 3}, True, False),
        tree_case("gini on floats", {"max_depth": 4, "min_samples_split": 12}, False, False),
        tree_case("entropy on bytes", {"criterion": "entropy", "max_depth": 4, "min_samples_leaf": 3}, True, False),
        tree_case("entropy on floats", {"criterion": "entropy", "max_depth": 5, "min_samples_split": 9}, False, False),
        tree_case("weights, gini", {"max_depth": 4, "min_samples_leaf": 4}, True, True),
        tree_case("weights, entropy", {"criterion": "entropy", "max_depth": 4, "min_samples_leaf": 4}, False, True),
        tree_case("least decrease", {"min_impurity_decrease": 0.02}, False, False),
        tree_case("few leaves", {"max_leaf_nodes": 7, "min_samples_leaf": 4}, False, False),
        tree_case("balanced", {"class_weight": "balanced", "max_depth": 4, "min_samples_leaf": 4}, True, True),
    ]
    boosted = [
        boost_case("stumps", "SAMME", {"max_depth": 1}, 20, 1.0),
        boost_case("trees", "SAMME", {"max_depth": 2, "min_samples_leaf": 5}, 10, 0.5),
        boost_case("real stumps", "SAMME.R", {"max_depth": 1}, 15, 1.0),
        boost_case("real trees", "SAMME.R", {"max_depth": 2, "min_samples_leaf": 5}, 8, 0.5),
    ]
    with open(f"{HERE}/trees.json", "w") as file:
        json.dump({"scikit-learn": sklearn.__version__, "trees": cases, "adaboost": boosted}, file)
        file.write("\n")


if __name__ == "__main__":
    main()
