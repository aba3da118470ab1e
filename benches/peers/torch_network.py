"""Builds a PyTorch module from an architecture file, layer by layer as a PyTorch user would write it.

`named_parameters_in_order` gives each layer's tensors in our order and by our names (`conv_1.weight`,
`batch_norm_1.running_mean`), body before shortcut; `to_ours` and `from_ours` change the layout: kernels
[height, width, in, out], dense layers [in, out].
"""

import tomllib

import torch
from torch import nn


class Normalize(nn.Module):
    def __init__(self, mean, std):
        super().__init__()
        self.mean, self.std = mean, std

    def forward(self, x):
        return (x - self.mean) / self.std


class Residual(nn.Module):
    def __init__(self, body, shortcut):
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x):
        return self.body(x) + self.shortcut(x)


class FlattenHwc(nn.Module):
    """Flattens images in our order: height, width, channel."""

    def forward(self, x):
        return x.permute(0, 2, 3, 1).flatten(1)


def read(path):
    with open(path, "rb") as file:
        return tomllib.load(file)["layer"]


def build(layers, shape, n_classes, flatten=nn.Flatten):
    """The module for images of `shape` (height, width, channels), and what leaves it."""
    return _sequence(layers, tuple(shape), n_classes, flatten)[0]


def _sequence(layers, flow, n_classes, flatten):
    modules = []
    for layer in layers:
        module, flow = _layer(layer, flow, n_classes, flatten)
        modules.append(module)
    return nn.Sequential(*modules), flow


def _layer(layer, flow, n_classes, flatten):
    kind = layer["kind"]
    if kind == "conv":
        height, width, channels = flow
        kernel, stride, padding = layer["kernel"], layer.get("stride", 1), layer.get("padding", "valid")
        module = nn.Conv2d(channels, layer["filters"], kernel, stride, padding, bias=layer.get("bias", True))
        module.penalty = (layer.get("l1", 0.0), layer.get("l2", 0.0))
        border = {"valid": 0, "same": kernel - 1}.get(padding, 2 * padding)
        side = lambda n: (n + border - kernel) // stride + 1
        return module, (side(height), side(width), layer["filters"])
    if kind == "dense":
        units = n_classes if layer["units"] == "classes" else layer["units"]
        module = nn.Linear(flow, units, bias=layer.get("bias", True))
        module.penalty = (layer.get("l1", 0.0), layer.get("l2", 0.0))
        return module, units
    if kind == "batch_norm":
        settings = {"momentum": layer.get("momentum", 0.1), "eps": layer.get("eps", 1e-5)}
        of = nn.BatchNorm2d if isinstance(flow, tuple) else nn.BatchNorm1d
        return of(flow[2] if isinstance(flow, tuple) else flow, **settings), flow
    if kind in ("max_pool", "avg_pool"):
        size = layer.get("size", 2)
        stride = layer.get("stride", size)
        side = lambda n: (n - size) // stride + 1
        of = nn.MaxPool2d if kind == "max_pool" else nn.AvgPool2d
        return of(size, stride), (side(flow[0]), side(flow[1]), flow[2])
    if kind == "global_avg_pool":
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), flow[2]
    if kind == "flatten":
        return flatten(), flow[0] * flow[1] * flow[2]
    if kind == "residual":
        body, out = _sequence(layer["body"], flow, n_classes, flatten)
        shortcut, _ = _sequence(layer.get("shortcut", []), flow, n_classes, flatten)
        return Residual(body, shortcut), out
    if kind == "normalize":
        return Normalize(layer["mean"], layer["std"]), flow
    if kind == "dropout":
        return nn.Dropout(layer["rate"]), flow
    if kind == "relu":
        return nn.ReLU(), flow
    raise ValueError(f"unknown layer `{kind}`")


def named_parameters_in_order(module):
    """(name, tensor, inputs behind one output, penalty) of each tensor, in our order."""
    counts = {}
    for part in module.modules():
        kind = {nn.Conv2d: "conv", nn.Linear: "dense", nn.BatchNorm2d: "batch_norm", nn.BatchNorm1d: "batch_norm"}.get(type(part))
        if kind is None:
            continue
        counts[kind] = counts.get(kind, 0) + 1
        name = f"{kind}_{counts[kind]}"
        if kind == "batch_norm":
            for field in ("weight", "bias", "running_mean", "running_var"):
                yield f"{name}.{field}", getattr(part, field), part.num_features, (0.0, 0.0)
            continue
        fan_in = part.weight[0].numel()
        yield f"{name}.weight", part.weight, fan_in, part.penalty
        if part.bias is not None:
            yield f"{name}.bias", part.bias, fan_in, (0.0, 0.0)


def to_ours(tensor):
    if tensor.dim() == 4:
        return tensor.permute(2, 3, 1, 0)
    return tensor.t() if tensor.dim() == 2 else tensor


def from_ours(values, like):
    if like.dim() == 4:
        out, channels, height, width = like.shape
        return values.reshape(height, width, channels, out).permute(3, 2, 0, 1)
    return values.reshape(like.shape[1], like.shape[0]).t() if like.dim() == 2 else values


@torch.no_grad()
def set_parameters(module, values_of):
    """Sets each tensor to `values_of(position, name, number of values, fan_in)`, flat, in our layout."""
    for position, (name, tensor, fan_in, _) in enumerate(named_parameters_in_order(module)):
        tensor.copy_(from_ours(values_of(position, name, tensor.numel(), fan_in), tensor))
