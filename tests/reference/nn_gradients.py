"""Logits, loss, gradients and three Adam steps of two small networks, from PyTorch.

    python tests/reference/nn_gradients.py > tests/reference/nn_gradients.json

Nothing is drawn: pixels and weights follow the formulas below, which the Rust test repeats.
Weights are laid out as ours: kernels [height, width, in, out], dense layers [in, out], images
flattened in the order height, width, channel.
"""

import json
import math

import torch
import torch.nn.functional as F

CASES = [
    {
        "name": "one convolution of side 4, odd pooling",
        "shape": [10, 11, 1],
        "layers": [("conv", 16, 4, "valid"), "relu", "max_pool", "flatten", ("dense", 6), "relu", ("dense", 3)],
    },
    {
        "name": "one convolution of side 3, same padding",
        "shape": [9, 8, 1],
        "layers": [("conv", 16, 3, "same"), "relu", "max_pool", "flatten", ("dense", 5), "relu", ("dense", 3)],
    },
    {
        "name": "three convolutions",
        "shape": [14, 15, 2],
        "layers": [
            ("conv", 5, 3, "valid"), "relu", "max_pool",
            ("conv", 4, 3, "same"), "relu", "max_pool",
            ("conv", 3, 2, "valid"), "relu",
            "flatten", ("dense", 4), "relu", ("dense", 3),
        ],
    },
]
N_IMAGES = 5
LEARNING_RATE = 0.01


def formula(n, parameter, fan_in):
    bound = 1.5 / math.sqrt(fan_in)
    return [bound * math.sin(1.3 * i + 0.7 * parameter + 0.1) for i in range(n)]


def run(case):
    height, width, channels = case["shape"]
    n_pixels = height * width * channels
    pixels = torch.tensor([[(i * 37 + n * 91 + (i * i) % 53) % 256 for i in range(n_pixels)] for n in range(N_IMAGES)])
    x = (pixels.to(torch.float32) / 255.0).reshape(N_IMAGES, height, width, channels).permute(0, 3, 1, 2)
    labels = torch.tensor([n % 3 for n in range(N_IMAGES)])
    parameters, flow = [], torch.zeros(1, channels, height, width)

    def weights(shape, fan_in):
        n = math.prod(shape)
        values = torch.tensor(formula(n, len(parameters), fan_in), dtype=torch.float64)
        parameters.append(values.to(torch.float32).reshape(shape).requires_grad_())

    def forward(x, create):
        used = 0
        for layer in case["layers"]:
            if layer == "relu":
                x = F.relu(x)
            elif layer == "max_pool":
                x = F.max_pool2d(x, 2)
            elif layer == "flatten":
                x = x.permute(0, 2, 3, 1).flatten(1)
            elif layer[0] == "conv":
                _, filters, kernel, padding = layer
                if create:
                    fan_in = kernel * kernel * x.shape[1]
                    weights([kernel, kernel, x.shape[1], filters], fan_in)
                    weights([filters], fan_in)
                w, b = parameters[used].permute(3, 2, 0, 1), parameters[used + 1]
                x = F.conv2d(x, w, b, padding=padding)
                used += 2
            else:
                if create:
                    fan_in = x.shape[1]
                    weights([fan_in, layer[1]], fan_in)
                    weights([layer[1]], fan_in)
                x = x @ parameters[used] + parameters[used + 1]
                used += 2
        return x

    with torch.no_grad():
        forward(flow, True)
    optimizer = torch.optim.Adam(parameters, lr=LEARNING_RATE)
    logits = forward(x, False)
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    gradients = [p.grad.clone() for p in parameters]
    losses = [loss.item()]
    for _ in range(3):
        optimizer.step()
        optimizer.zero_grad()
        loss = F.cross_entropy(forward(x, False), labels)
        loss.backward()
        losses.append(loss.item())
    number = lambda v: float(f"{v:.7g}")
    return {
        "name": case["name"],
        "shape": case["shape"],
        "layers": [list(layer) if isinstance(layer, tuple) else [layer] for layer in case["layers"]],
        "logits": [number(v) for v in logits.flatten().tolist()],
        "gradients": [[number(v) for v in g.flatten().tolist()] for g in gradients],
        "losses": losses,
        "weights_after_three_steps": [[number(v) for v in p.detach().flatten().tolist()] for p in parameters],
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps({
        "torch": torch.__version__,
        "seed": None,
        "n_images": N_IMAGES,
        "learning_rate": LEARNING_RATE,
        "cases": [run(case) for case in CASES],
    }))
