"""Optimisers, schedules, label smoothing, clipping and averaged weights, from PyTorch.

    python tests/reference/training_recipe.py > tests/reference/training_recipe.json

Nothing is drawn: weights, gradients and scores follow the formulas below, which the Rust test
repeats. Gradients do not depend on the weights, so that five steps say what the optimiser does.
"""

import json
import math
import warnings

import torch
from torch.optim import lr_scheduler
from torch.optim.swa_utils import AveragedModel

warnings.filterwarnings("ignore")  # schedules are stepped without an optimiser step

SIZES = [7, 3]
LEARNING_RATE = 0.05
N_EPOCHS, N_BATCHES = 20, 3
VALIDATION_LOSSES = [
    1.0, 0.9, 0.95, 0.90001, 0.89995, 0.93, 0.8, 0.81, 0.79999, 0.82,
    0.83, 0.7, 0.71, 0.72, 0.73, 0.74, 0.75, 0.76, 0.6, 0.61,
]


def weights():
    return [
        torch.tensor([math.sin(1.3 * i + 0.7 * p + 0.1) for i in range(n)], dtype=torch.float32)
        for p, n in enumerate(SIZES)
    ]


def gradients(step):
    return [
        torch.tensor([math.cos(0.9 * i + 0.4 * p + 1.1 * step) for i in range(n)], dtype=torch.float32)
        for p, n in enumerate(SIZES)
    ]


def values(tensors):
    return [tensor.detach().tolist() for tensor in tensors]


OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, LEARNING_RATE),
    "sgd, momentum and decay": lambda p: torch.optim.SGD(p, LEARNING_RATE, momentum=0.9, weight_decay=0.1),
    "sgd, nesterov and decay": lambda p: torch.optim.SGD(
        p, LEARNING_RATE, momentum=0.8, nesterov=True, weight_decay=0.1
    ),
    "adam": lambda p: torch.optim.Adam(p, LEARNING_RATE),
    "adam, betas and decay": lambda p: torch.optim.Adam(
        p, LEARNING_RATE, betas=(0.8, 0.95), weight_decay=0.1
    ),
    "adamw": lambda p: torch.optim.AdamW(p, LEARNING_RATE, betas=(0.9, 0.99), weight_decay=0.1),
}


def optimizer(make):
    parameters = weights()
    rule = make(parameters)
    for step in range(1, 6):
        for parameter, gradient in zip(parameters, gradients(step)):
            parameter.grad = gradient
        rule.step()
    return values(parameters)


def rates(make, is_per_batch):
    """Learning rate of every batch, or of every epoch."""
    rule = torch.optim.SGD(weights(), LEARNING_RATE)
    schedule = make(rule)
    found = []
    for epoch in range(N_EPOCHS):
        for _ in range(N_BATCHES if is_per_batch else 1):
            found.append(rule.param_groups[0]["lr"])
            if is_per_batch and len(found) < N_EPOCHS * N_BATCHES:
                schedule.step()
        if isinstance(schedule, lr_scheduler.ReduceLROnPlateau):
            schedule.step(VALIDATION_LOSSES[epoch])
        elif not is_per_batch:
            schedule.step()
    return found


def warmed(rule):
    n = 2 * N_BATCHES
    first = lr_scheduler.LinearLR(rule, start_factor=1 / n, total_iters=n - 1)
    then = lr_scheduler.CosineAnnealingLR(rule, (N_EPOCHS - 2) * N_BATCHES, eta_min=0.001)
    return lr_scheduler.SequentialLR(rule, [first, then], milestones=[n])


def smoothing():
    scores = torch.tensor(
        [[3.0 * math.sin(0.8 * k + 1.7 * n) for k in range(4)] for n in range(5)], dtype=torch.float32
    ).requires_grad_()
    labels = torch.tensor([n % 4 for n in range(5)])
    loss = torch.nn.functional.cross_entropy(scores, labels, label_smoothing=0.1)
    loss.backward()
    return {"label_smoothing": 0.1, "loss": loss.item(), "gradient": scores.grad.flatten().tolist()}


def clipping(max_norm):
    parameters = weights()
    for parameter, gradient in zip(parameters, gradients(1)):
        parameter.grad = gradient
    norm = torch.nn.utils.clip_grad_norm_(parameters, max_norm)
    return {"max_norm": max_norm, "norm": norm.item(), "gradients": values(p.grad for p in parameters)}


def average(decay):
    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weights = torch.nn.ParameterList(weights())

    def warmed_up(average, current, n_averaged):
        d = min(decay, (1 + n_averaged.item()) / (10 + n_averaged.item()))
        return d * average + (1 - d) * current

    model = Model()
    averaged = AveragedModel(model, avg_fn=warmed_up)
    for step in range(1, 31):
        with torch.no_grad():
            for parameter, gradient in zip(model.weights, gradients(step)):
                parameter -= LEARNING_RATE * gradient
        averaged.update_parameters(model)
    return {"decay": decay, "weights": values(averaged.module.weights)}


print(json.dumps({
    "torch": torch.__version__,
    "learning_rate": LEARNING_RATE,
    "optimizers": {name: optimizer(make) for name, make in OPTIMIZERS.items()},
    "n_epochs": N_EPOCHS,
    "n_batches": N_BATCHES,
    "validation_losses": VALIDATION_LOSSES,
    "schedules": {
        "step": rates(lambda rule: lr_scheduler.StepLR(rule, 6, gamma=0.3), False),
        "cosine": rates(
            lambda rule: lr_scheduler.CosineAnnealingLR(rule, N_EPOCHS * N_BATCHES, eta_min=0.001), True
        ),
        "one_cycle": rates(
            lambda rule: lr_scheduler.OneCycleLR(
                rule, LEARNING_RATE, total_steps=N_EPOCHS * N_BATCHES,
                pct_start=0.25, div_factor=20.0, final_div_factor=1000.0, cycle_momentum=False,
            ),
            True,
        ),
        "plateau": rates(
            lambda rule: lr_scheduler.ReduceLROnPlateau(rule, factor=0.2, patience=2, min_lr=0.001), False
        ),
        "warm-up, cosine": rates(warmed, True),
    },
    "smoothing": smoothing(),
    "clipping": [clipping(1.0), clipping(100.0)],
    "average": [average(0.5), average(0.999)],
}))
