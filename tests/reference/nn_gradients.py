"""Writes nn_gradients.json: scores, loss, gradients and three Adam steps of small networks, from PyTorch.

    python tests/reference/nn_gradients.py

Nothing is drawn: pixels and weights follow the formulas below, which the Rust test repeats. Weights are
laid out as ours (see benches/peers/torch_network.py). Loss and gradients are those of the first training
step, without penalties; `scores` are those of inference, with the running statistics of the formula; where
steps are taken, penalties (l1 |w| + l2 w^2, as Keras defines them) are part of them. PyTorch computes in
double precision. Large tensors are given by norm, largest value and a sample.
"""

import json
import math
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).parent / "../../benches/peers"))
from torch_network import FlattenHwc, build, named_parameters_in_order, set_parameters, to_ours

CONV = lambda filters, kernel=3, **more: {"kind": "conv", "filters": filters, "kernel": kernel, **more}
DENSE = lambda units, **more: {"kind": "dense", "units": units, **more}
POOL = lambda kind="max_pool", **more: {"kind": kind, **more}
RELU, FLATTEN, NORM, GLOBAL = {"kind": "relu"}, {"kind": "flatten"}, {"kind": "batch_norm"}, {"kind": "global_avg_pool"}
PLAIN = {"bias": False}

CASES = [
    ("one convolution of side 4, odd pooling", [10, 11, 1],
     [CONV(16, 4), RELU, POOL(), FLATTEN, DENSE(6), RELU, DENSE(3)]),
    ("one convolution of side 3, same padding", [9, 8, 1],
     [CONV(16, padding="same"), RELU, POOL(), FLATTEN, DENSE(5), RELU, DENSE(3)]),
    ("three convolutions", [14, 15, 2],
     [CONV(5), RELU, POOL(), CONV(4, padding="same"), RELU, POOL(), CONV(3, 2), RELU, FLATTEN, DENSE(4), RELU, DENSE(3)]),
    ("batch norm after a convolution and after a dense layer", [8, 9, 1],
     [CONV(6, **PLAIN), NORM, RELU, POOL(), FLATTEN, DENSE(7, **PLAIN),
      {"kind": "batch_norm", "momentum": 0.3, "eps": 1e-3}, RELU, DENSE(3)]),
    ("batch norm of 16 channels, pooled", [12, 12, 1],
     [CONV(16, padding="same", **PLAIN), NORM, RELU, POOL(), CONV(16, padding="same", **PLAIN), NORM, RELU, GLOBAL, DENSE(3)]),
    ("stride 2 and integer padding", [11, 12, 2],
     [CONV(5, stride=2, padding=1), RELU, CONV(4, 5, stride=3, padding=2), RELU, FLATTEN, DENSE(3)]),
    ("integer padding wider than the kernel's", [6, 7, 1],
     [CONV(16, padding=3), RELU, POOL(), FLATTEN, DENSE(3)]),
    ("a convolution of side 1", [7, 6, 3],
     [CONV(8, 1), RELU, CONV(5, 1, stride=2, **PLAIN), RELU, FLATTEN, DENSE(3)]),
    ("average pooling, overlapping pooling", [13, 12, 1],
     [CONV(4), RELU, POOL(size=3, stride=2), CONV(5, 2), RELU, POOL("avg_pool"), FLATTEN, DENSE(3)]),
    ("average pooling of size 3 and stride 2", [11, 10, 2],
     [POOL("avg_pool", size=3, stride=2), CONV(4), RELU, FLATTEN, DENSE(3)]),
    ("normalised pixels", [7, 7, 1],
     [{"kind": "normalize", "mean": 0.286, "std": 0.353}, CONV(4), RELU, FLATTEN, DENSE(5, **PLAIN), RELU, DENSE(3)]),
    ("a residual block on its input", [8, 8, 1],
     [CONV(6, padding="same"), RELU,
      {"kind": "residual", "body": [CONV(6, padding="same"), RELU, CONV(6, padding=1)]}, RELU, GLOBAL, DENSE(3)]),
    ("residual blocks with batch norm and a shortcut of stride 2", [9, 9, 1],
     [CONV(4, padding=1, **PLAIN), NORM, RELU,
      {"kind": "residual",
       "body": [CONV(6, stride=2, padding=1, **PLAIN), NORM, RELU, CONV(6, padding=1, **PLAIN), NORM],
       "shortcut": [CONV(6, 1, stride=2, **PLAIN), NORM]}, RELU,
      {"kind": "residual", "body": [CONV(6, padding=1, **PLAIN), NORM]}, RELU, GLOBAL, DENSE(3)]),
    ("penalties of kernels", [8, 8, 1],
     [CONV(4, l1=0.01), RELU, CONV(4, l2=0.02), RELU, FLATTEN, DENSE(5, l1=0.003, l2=0.004), RELU, DENSE(3)]),
]
# Convolutions of side 3 whose channels are multiples of 16: shapes that a transformed convolution takes.
# Adam's first steps would turn rounding of the smallest gradients into whole steps: none are taken.
WIDE = [
    (f"16 to 32 to 16 channels on {height}x{width}, {padding}", [height, width, 16],
     [CONV(32, padding=padding), RELU, CONV(16, padding=padding), RELU, GLOBAL, DENSE(3)])
    for (height, width), padding in [((7, 7), "same"), ((8, 8), "same"), ((11, 11), "same"), ((14, 14), "same"), ((7, 7), "valid"), ((8, 11), "valid"), ((14, 14), "valid")]
] + [
    ("64 channels with batch norm and pooling on 14x14", [14, 14, 16],
     [CONV(64, padding="same", **PLAIN), NORM, RELU, POOL(), CONV(32, padding="same", **PLAIN), NORM, RELU, GLOBAL, DENSE(3)]),
]
N_IMAGES, N_CLASSES, LEARNING_RATE = 5, 3, 0.01
# Tensors up to this size are given whole.
N_WHOLE = 120


def hashed(n, start):
    """n numbers in [-1, 1): a hash of start, start + 1, … (lowbias32, github.com/skeeto/hash-prospector)."""
    x = (np.arange(n, dtype=np.uint64) + np.uint64(start)) & np.uint64(0xFFFFFFFF)
    mask = np.uint64(0xFFFFFFFF)
    x ^= x >> np.uint64(16)
    x = (x * np.uint64(0x7FEB352D)) & mask
    x ^= x >> np.uint64(15)
    x = (x * np.uint64(0x846CA68B)) & mask
    x ^= x >> np.uint64(16)
    return x.astype(np.float64) / 2.0**31 - 1.0


def pixels(n_images, n_pixels):
    return ((hashed(n_images * n_pixels, 77) + 1.0) * 128.0).astype(np.int64).reshape(n_images, n_pixels)


def weights(position, name, n, fan_in):
    """Values of the parameter at `position`, rounded to single precision."""
    u = hashed(n, 1_000_003 * (position + 1))
    scale, offset = 1.5 / math.sqrt(fan_in), 0.0
    if name.startswith("batch_norm"):
        scale, offset = {"weight": (0.3, 1.0), "bias": (0.2, 0.0), "running_mean": (0.1, 0.0), "running_var": (0.3, 1.0)}[name.split(".")[1]]
    return torch.from_numpy((offset + scale * u).astype(np.float32).astype(np.float64))


def number(value):
    return float(f"{value:.7g}")


def summary(tensor, n_whole=N_WHOLE):
    values = to_ours(tensor.detach()).flatten()
    stride = max(1, len(values) // n_whole) | 1
    return {
        "norm": number(values.norm().item()),
        "max": number(values.abs().max().item()),
        "stride": stride,
        "values": [number(v) for v in values[::stride].tolist()],
    }


def batch(shape, n_images, n_classes):
    height, width, channels = shape
    x = torch.from_numpy(pixels(n_images, height * width * channels)).double() / 255.0
    return x.reshape(n_images, height, width, channels).permute(0, 3, 1, 2), torch.arange(n_images) % n_classes


def run(name, shape, layers, n_steps):
    net = build(layers, shape, N_CLASSES, FlattenHwc).double()
    set_parameters(net, weights)
    x, labels = batch(shape, N_IMAGES, N_CLASSES)
    with torch.no_grad():
        scores = net.eval()(x)
    net.train()
    parameters = list(named_parameters_in_order(net))
    trained = [(tensor, penalty) for _, tensor, _, penalty in parameters if tensor.requires_grad]
    optimizer = torch.optim.Adam([tensor for tensor, _ in trained], lr=LEARNING_RATE)
    case = {"name": name, "shape": shape, "layers": layers, "scores": [number(v) for v in scores.flatten().tolist()], "losses": []}
    for step in range(n_steps + 1):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), labels)
        loss.backward()
        case["losses"].append(loss.item())
        if step == 0:
            case["parameters"] = [name for name, *_ in parameters]
            case["gradients"] = [summary(tensor.grad) if tensor.requires_grad else None for _, tensor, _, _ in parameters]
            case["statistics_after_one_pass"] = [None if tensor.requires_grad else summary(tensor) for _, tensor, _, _ in parameters]
        if step < n_steps:
            for tensor, (l1, l2) in trained:
                tensor.grad += l1 * tensor.detach().sign() + 2.0 * l2 * tensor.detach()
            optimizer.step()
    if n_steps:
        case["weights_after_steps"] = [summary(tensor) if tensor.requires_grad else None for _, tensor, _, _ in parameters]
    return case


def main():
    torch.set_num_threads(1)
    cases = [run(*case, 3) for case in CASES] + [run(*case, 0) for case in WIDE]
    document = {"torch": torch.__version__, "seed": None, "n_images": N_IMAGES, "learning_rate": LEARNING_RATE, "cases": cases}
    Path(__file__).with_suffix(".json").write_text(json.dumps(document) + "\n")


if __name__ == "__main__":
    main()
