"""Writes nn_d2_step.json: one AdamW step of D2 in PyTorch, dropout off.

    python tests/reference/nn_d2_step.py

The network is src/nn/architectures/d2.toml, on small images: few enough rectifiers that none turns by
rounding, see nn/tests/pytorch.rs; pixels, weights and layout as in nn_gradients.py; learning rate
and weight decay as published. Double precision. `smallest_gradient` is the least of the sampled gradients
that is not 0: Adam's first step is lr g / (|g| + eps), so that rounding shows where g is tiny.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F

from nn_gradients import FlattenHwc, batch, build, named_parameters_in_order, set_parameters, summary, weights
from torch_network import read

N_IMAGES, N_CLASSES, SHAPE = 4, 10, [8, 8, 1]
LEARNING_RATE, WEIGHT_DECAY = 1e-3, 1e-5
N_SAMPLED = 20


def main():
    torch.set_num_threads(1)
    layers = read(Path(__file__).parent / "../../src/nn/architectures/d2.toml")
    layers = [layer for layer in layers if layer["kind"] != "dropout"]
    net = build(layers, SHAPE, N_CLASSES, FlattenHwc).double().train()
    set_parameters(net, weights)
    x, labels = batch(SHAPE, N_IMAGES, N_CLASSES)
    parameters = list(named_parameters_in_order(net))
    trained = [tensor for _, tensor, _, _ in parameters if tensor.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    loss = F.cross_entropy(net(x), labels)
    loss.backward()
    gradients = [summary(tensor.grad, N_SAMPLED) if tensor.requires_grad else None for _, tensor, _, _ in parameters]
    optimizer.step()
    after = [summary(tensor, N_SAMPLED) for _, tensor, _, _ in parameters]
    sampled = [abs(v) for gradient in gradients if gradient for v in gradient["values"] if v != 0.0]
    document = {
        "torch": torch.__version__,
        "seed": None,
        "n_images": N_IMAGES,
        "learning_rate": LEARNING_RATE,
        "weight_decay": WEIGHT_DECAY,
        "loss": loss.item(),
        "smallest_gradient": min(sampled),
        "parameters": [name for name, *_ in parameters],
        "gradients": gradients,
        "after": after,
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(document) + "\n")


if __name__ == "__main__":
    main()
