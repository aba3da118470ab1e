"""Writes nystroem.json: Nyström features of given landmarks by numpy, after scikit-learn's Nystroem.

Run in this directory: python nystroem.py
The map is that of scikit-learn (checked below where no eigenvalue is negligible), except that directions
without variation are left out instead of clipped: numpy's pinvh-like root.
"""
import json

import numpy as np
import sklearn
from sklearn.kernel_approximation import Nystroem
from sklearn.metrics.pairwise import pairwise_kernels

SEED, N, D, M = 5, 60, 8, 12
rng = np.random.default_rng(SEED)
bytes_ = rng.integers(0, 256, (N, D)).astype(np.uint8)
floats = np.round(rng.normal(0, 1, (N, D)), 3)
landmarks = rng.permutation(N)[:M]
KERNELS = {
    "rbf": dict(metric="rbf", gamma="scale"),
    "poly": dict(metric="poly", gamma=0.25, degree=3, coef0=1.0),
    "linear": dict(metric="linear"),
}

cases = []
for kind, x in (("bytes", bytes_ / 255.0), ("floats", floats)):
    for name, arguments in KERNELS.items():
        arguments = dict(arguments)
        if arguments.get("gamma") == "scale":
            arguments["gamma"] = 1.0 / (D * x.var())
        basis = x[landmarks]
        values, vectors = np.linalg.eigh(pairwise_kernels(basis, **arguments))
        kept = values > 1e-7 * values.max()
        root = (vectors[:, kept] / np.sqrt(values[kept])) @ vectors[:, kept].T
        features = pairwise_kernels(x, basis, **arguments) @ root
        if kept.all():
            peer = Nystroem(kernel=arguments.pop("metric"), n_components=M, **arguments)
            peer.random_state = 0
            peer.fit(x)
            order = peer.component_indices_
            k = pairwise_kernels(x[order], metric=peer.kernel, filter_params=True, **peer._get_kernel_params())
            values, vectors = np.linalg.eigh(k)
            assert np.allclose(peer.normalization_, (vectors / np.sqrt(values)) @ vectors.T, rtol=1e-6)
        cases.append(dict(features=kind, kernel=name, rank=int(kept.sum()), mapped=features.ravel().tolist()))

with open("nystroem.json", "w") as out:
    json.dump(dict(
        sklearn=sklearn.__version__, seed=SEED, n_features=D, landmarks=landmarks.tolist(),
        bytes=bytes_.ravel().tolist(), floats=floats.ravel().tolist(), cases=cases,
    ), out)
