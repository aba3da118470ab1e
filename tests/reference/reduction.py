"""Writes reduction.json: scikit-learn's PCA, LDA, QDA, GaussianNB, scalers and Ledoit-Wolf on small seeded data.

What scikit-learn lacks (spherical covariance, a shared one that is shrunk) is numpy's and SciPy's by the
definition.
Run in this directory: python reduction.py
"""
import json

import numpy as np
import scipy.linalg
import sklearn
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis as LDA,
    QuadraticDiscriminantAnalysis as QDA,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import MinMaxScaler, StandardScaler

SEED, N, D, K = 5, 150, 9, 3
rng = np.random.default_rng(SEED)
labels = np.where(np.arange(N) < 110, np.arange(N) % K, 0)
mix = rng.normal(0, 0.4, (D, D)) + np.eye(D)
noise = rng.normal(0, 1, (N, D)) @ mix * (1 + 0.5 * labels[:, None])
shift = 1.2 * (np.arange(D) % K == labels[:, None])
bytes_ = np.clip(110 + 22 * (noise + shift), 0, 255).astype(np.uint8)
floats = np.round(noise * np.logspace(-1, 2, D) + shift + 50, 3).astype(np.float32)
# A feature twice and a constant one: covariances are singular. (1 is its own mean in floating point; of others
# scikit-learn takes the rounding for variance.)
singular = bytes_.copy()
singular[:, 4] = singular[:, 1]
singular[:, 7] = 255
weights = np.round(rng.uniform(0.0, 2.0, N), 3)
weights[::17] = 0.0
data = {"bytes": bytes_ / 255.0, "floats": floats.astype(np.float64), "singular": singular / 255.0}


def softmax(g):
    p = np.exp(g - g.max(axis=1, keepdims=True))
    return (p / p.sum(axis=1, keepdims=True)).tolist()


def shared(x, covariance):
    """Posterior probabilities of normal classes with one covariance, by the definition."""
    inverse, out = np.linalg.inv(covariance), []
    for c in range(K):
        d = x - x[labels == c].mean(0)
        out.append(np.log((labels == c).mean()) - 0.5 * np.einsum("ij,jk,ik->i", d, inverse, d))
    return softmax(np.array(out).T)[:20]


cases = {}
for name, x in data.items():
    case = cases[name] = {}
    pca = PCA(n_components=4, svd_solver="full").fit(x)
    case["pca"] = dict(
        mean=pca.mean_.tolist(), components=pca.components_.tolist(),
        explained_variance=pca.explained_variance_.tolist(),
        explained_variance_ratio=pca.explained_variance_ratio_.tolist(),
        transformed=pca.transform(x[:10]).tolist(),
        whitened=PCA(n_components=4, svd_solver="full", whiten=True).fit(x).transform(x[:10]).tolist(),
        n_for_90=int(PCA(n_components=0.9, svd_solver="full").fit(x).n_components_),
    )
    lda = LDA(solver="svd").fit(x, labels)
    case["fisher"] = dict(
        transformed=lda.transform(x[:10]).tolist(), ratio=lda.explained_variance_ratio_.tolist(),
    )
    within = np.vstack([x[labels == c] - x[labels == c].mean(0) for c in range(K)])
    pooled = within.T @ within / N
    auto = float(ledoit_wolf_shrinkage(within, assume_centered=True))
    case["ledoit_wolf"] = auto
    mu = np.trace(pooled) / D * np.eye(D)
    # scikit-learn's own, solver "eigen", draws the covariance between classes to the identity too.
    between = np.cov(x.T, bias=True) - pooled
    values, directions = scipy.linalg.eigh(between, 0.7 * pooled + 0.3 * mu)
    shrunk = (x[:10] - x.mean(0)) @ directions[:, :-K:-1]
    case["fisher_shrunk"] = dict(transformed=shrunk.tolist())
    case["discriminant"] = dict(
        shared=lda.predict_proba(x[:20]).tolist(),
        spherical=shared(x, mu),
        shared_shrunk=shared(x, 0.7 * pooled + 0.3 * mu),
        shared_auto=shared(x, (1 - auto) * pooled + auto * mu),
    )
    if name != "singular":
        case["discriminant"]["per_class"] = QDA(tol=1e-12).fit(x, labels).predict_proba(x[:20]).tolist()
        uniform = QDA(tol=1e-12, priors=[1 / K] * K).fit(x, labels)
        case["discriminant"]["per_class_uniform"] = uniform.predict_proba(x[:20]).tolist()
    nb = GaussianNB().fit(x, labels)
    weighted = GaussianNB(priors=[0.5, 0.2, 0.3]).fit(x, labels, sample_weight=weights)
    case["gaussian_nb"] = [
        dict(means=m.theta_.tolist(), variances=m.var_.tolist(), epsilon=float(m.epsilon_),
             joint=m.predict_joint_log_proba(x[:20]).tolist())
        for m in (nb, weighted)
    ]
    case["scale"] = dict(
        standard=StandardScaler().fit(x).transform(x[:10]).tolist(),
        minmax=MinMaxScaler().fit(x).transform(x[:10]).tolist(),
        minmax_symmetric=MinMaxScaler((-1, 1)).fit(x).transform(x[:10]).tolist(),
    )

with open("reduction.json", "w") as out:
    json.dump(dict(
        sklearn=sklearn.__version__, seed=SEED, n_features=D, labels=labels.tolist(),
        weights=weights.tolist(), bytes=bytes_.ravel().tolist(), singular=singular.ravel().tolist(),
        floats=[round(float(v), 3) for v in floats.ravel()], cases=cases,
    ), out)
