"""Fits scikit-learn's estimators on request: one JSON line in, JSON lines out.

Started as: python peer.py DIRECTORY THREADS ROOT...    with ROOT a package such as `sklearn`

    -> {"python": "3.11.7", "libraries": {"sklearn": {"version": "1.9.1"}, "x": {"error": "..."}}}
    <- {"root": "sklearn", "module": "svm", "class": "SVC", "params": {...}, "n_train": 1000}
    -> {"done": "fit", "seconds": 1.2, "cpu_seconds": 2.3}
    -> {"done": "predict", ..., "n_right": 8000, "details": {...}, "peak_rss_bytes": ...}

or {"error": "..."} in place of the last two.
"""

import importlib
import importlib.metadata
import json
import os
import platform
import sys
import threading
import time

directory, n_threads, roots = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
# Libraries may print; only answers go to the real stdout.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
DISTRIBUTIONS = {"sklearn": "scikit-learn", "sklearnex": "scikit-learn-intelex"}


def answer(**members):
    print(json.dumps(members), file=answers, flush=True)


def end_with_parent(parent=os.getppid()):
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


threading.Thread(target=end_with_parent, daemon=True).start()
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:n_threads])
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = str(n_threads)


def version(root):
    try:
        importlib.import_module(root)
        return {"version": importlib.metadata.version(DISTRIBUTIONS.get(root, root))}
    except Exception as error:
        return {"error": str(error) or type(error).__name__}


def status_bytes(key):
    try:
        with open("/proc/self/status") as status:
            return next(1024 * int(line.split()[1]) for line in status if line.startswith(key))
    except (OSError, StopIteration):
        return None


def reset_peak():
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
        return True
    except OSError:
        return False


def timed(work):
    wall, cpu = time.perf_counter(), time.process_time()
    value = work()
    return value, dict(seconds=time.perf_counter() - wall, cpu_seconds=time.process_time() - cpu)


def run(request):
    module = importlib.import_module(request["root"] + "." + request["module"])
    model = getattr(module, request["class"])(**request["params"])
    n_train = request["n_train"]
    peak_is_ours, held_before = reset_peak(), status_bytes("VmRSS")
    _, cost = timed(lambda: model.fit(x[:n_train], y[:n_train]))
    answer(done="fit", **cost)
    predicted, cost = timed(lambda: model.predict(x_test))
    peak = status_bytes("VmHWM") if peak_is_ours else None
    growth = None if peak is None or held_before is None else peak - held_before
    details = {"n_support": len(model.support_)} if hasattr(model, "support_") else {}
    answer(
        done="predict", **cost, n_right=int((predicted == y_test).sum()), details=details,
        peak_rss_bytes=peak, peak_growth_bytes=growth,
    )


libraries = {root: version(root) for root in roots}
if any("version" in library for library in libraries.values()):
    import numpy as np

    def load(name):
        return np.load(os.path.join(directory, name + ".npy"))

    # oneDAL fits f32 as it is, about twice as fast; LIBSVM converts to f64.
    x, x_test = load("train") / np.float32(255), load("test") / np.float32(255)
    y, y_test = load("train_labels").ravel(), load("test_labels").ravel()
answer(python=platform.python_version(), libraries=libraries)
for line in sys.stdin:
    try:
        run(json.loads(line))
    except Exception as error:
        answer(error=f"{type(error).__name__}: {error}")
