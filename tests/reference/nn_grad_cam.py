"""Writes nn_grad_cam.json: Grad-CAM (Selvaraju et al., 2017) of small networks, from PyTorch's autograd.

    python tests/reference/nn_grad_cam.py

Pixels and weights follow the formulas of nn_gradients.py. The map is the rectified sum of a layer's maps,
each times the mean of its gradient, enlarged by `interpolate` (bilinear, without `align_corners`), in
double precision and with batch normalisation as in inference.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from nn_gradients import (CONV, DENSE, FLATTEN, GLOBAL, N_CLASSES, NORM, PLAIN, POOL, RELU, FlattenHwc, batch, build,
                          number, set_parameters, weights)

# Name, shape, layers, position of the layer among them, its name; none for the default.
CASES = [
    ("two convolutions, the last one's rectifier", [14, 15, 2],
     [CONV(5), RELU, POOL(), CONV(4, padding="same"), RELU, POOL(), FLATTEN, DENSE(4), RELU, DENSE(3)], 4, None),
    ("the first convolution, before its rectifier", [14, 15, 2],
     [CONV(5), RELU, POOL(), CONV(4, padding="same"), RELU, POOL(), FLATTEN, DENSE(4), RELU, DENSE(3)], 0, "conv_1"),
    ("batch norm and wide channels", [12, 12, 1],
     [{"kind": "normalize", "mean": 0.286, "std": 0.353}, CONV(16, padding="same", **PLAIN), NORM, RELU, POOL(),
      CONV(16, padding="same", **PLAIN), NORM, RELU, GLOBAL, {"kind": "dropout", "rate": 0.3}, DENSE(3)], 7, None),
    ("residual blocks", [9, 9, 1],
     [CONV(4, padding=1, **PLAIN), NORM, RELU,
      {"kind": "residual",
       "body": [CONV(6, stride=2, padding=1, **PLAIN), NORM, RELU, CONV(6, padding=1, **PLAIN), NORM],
       "shortcut": [CONV(6, 1, stride=2, **PLAIN), NORM]}, RELU,
      {"kind": "residual", "body": [CONV(6, padding=1, **PLAIN), NORM]}, RELU, GLOBAL, DENSE(3)], 3, "residual_1"),
    ("overlapping and average pooling", [13, 12, 1],
     [CONV(4), RELU, POOL(size=3, stride=2), CONV(5, 2), RELU, POOL("avg_pool"), FLATTEN, DENSE(3)], 2, "max_pool_1"),
]
N_IMAGES = 5


def grad_cam(net, at, x, target):
    kept = {}
    handle = net[at].register_forward_hook(lambda module, inputs, output: kept.update(maps=output))
    scores = net(x)
    handle.remove()
    (gradient,) = torch.autograd.grad(scores[0, target], kept["maps"])
    cam = F.relu((gradient.mean(dim=(2, 3), keepdim=True) * kept["maps"]).sum(dim=1, keepdim=True))
    return F.interpolate(cam, size=x.shape[2:], mode="bilinear", align_corners=False)[0, 0].detach()


def run(name, shape, layers, at, layer):
    net = build(layers, shape, N_CLASSES, FlattenHwc).double()
    set_parameters(net, weights)
    net.eval()
    x, _ = batch(shape, N_IMAGES, N_CLASSES)
    maps = [
        {"image": image, "class": target, "values": [number(v) for v in grad_cam(net, at, x[image : image + 1], target).flatten().tolist()]}
        for image, target in [(0, 0), (1, 1), (2, 2), (3, 0)]
    ]
    return {"name": name, "shape": shape, "layers": layers, "layer": layer, "maps": maps}


def main():
    torch.set_num_threads(1)
    document = {"torch": torch.__version__, "seed": None, "cases": [run(*case) for case in CASES]}
    Path(__file__).with_suffix(".json").write_text(json.dumps(document) + "\n")


if __name__ == "__main__":
    main()
