"""scikit-learn or scikit-learn-intelex on one case; one JSON line.

Usage: PIPELINE_DATA=DIR python svc.py sklearn|intelex [SOURCE,KERNEL,C]

SOURCE is `pixels` or the artifact of a `features` stage (a safetensors file).
"""
import gzip
import json
import os
import resource
import sys
import time

import numpy as np

which = sys.argv[1] if len(sys.argv) > 1 else "sklearn"
source, kernel, c = (sys.argv[2] if len(sys.argv) > 2 else "pixels,rbf,10").split(",")
if which == "intelex":
    from sklearnex.svm import SVC
else:
    from sklearn.svm import SVC


def load(split):
    base = os.path.join(os.environ["PIPELINE_DATA"], split)
    with gzip.open(base + "-images-idx3-ubyte.gz") as file:
        # oneDAL fits f32 as it is, about twice as fast; LIBSVM converts to f64.
        x = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784) / np.float32(255)
    with gzip.open(base + "-labels-idx1-ubyte.gz") as file:
        return x, np.frombuffer(file.read(), np.uint8, offset=8)


x, y = load("train")
x_test, y_test = load("t10k")
if source != "pixels":
    from safetensors.numpy import load_file

    tensors = load_file(source)
    x, x_test = tensors["train"], tensors["test"]
clock = time.perf_counter()
svc = SVC(C=float(c), kernel=kernel, gamma="scale", cache_size=1024).fit(x, y)
fit_s = time.perf_counter() - clock
clock = time.perf_counter()
accuracy = float((svc.predict(x_test) == y_test).mean())
print(json.dumps(dict(
    peer=which, fit_s=fit_s, predict_s=time.perf_counter() - clock,
    accuracy=accuracy, n_support=len(svc.support_),
    peak_rss_kib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
)))
