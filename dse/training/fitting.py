"""The training loop: Adam with a one-cycle learning rate on batches in seeded order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as f

from dse.data._dataset import Split
from dse.training.errors import TrainingError
from dse.training.torch_ops import images_tensor


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train.

    Attributes:
        epochs: passes over the images.
        batch: images a step.
        warm_up: fraction of the steps in which the rate rises.
    """

    epochs: int
    batch: int = 32
    warm_up: float = 0.25


@dataclass(frozen=True, slots=True)
class Group:
    """Parameters that share a largest learning rate."""

    parameters: Sequence[nn.Parameter]
    rate: float


def fit(
    module: nn.Module,
    groups: Sequence[Group],
    split: Split,
    recipe: Recipe,
    seed: int,
    device: str,
) -> None:
    """Train `module` in place on cross-entropy.

    Args:
        module: maps images to class scores.
        groups: the parameters to train.
        split: the training images.
        recipe: how to train.
        seed: of the order of the images.
        device: a torch device.

    Raises:
        TrainingError: the loss is no longer a number; the message names the first layer that broke.
    """
    x = images_tensor(split.images, device)
    y = torch.from_numpy(split.labels).to(device)
    steps_per_epoch = max(1, len(x) // recipe.batch)  # what is left over waits for another epoch
    steps = recipe.epochs * steps_per_epoch
    optimiser = torch.optim.Adam([{"params": g.parameters, "lr": g.rate} for g in groups])
    schedule = _schedule(steps, recipe)
    order = torch.Generator().manual_seed(seed)
    module.train()
    for epoch in range(recipe.epochs):
        shuffled = torch.randperm(len(x), generator=order).to(device)
        for i in range(steps_per_epoch):
            picked = shuffled[i * recipe.batch : (i + 1) * recipe.batch]
            share = schedule[epoch * steps_per_epoch + i]
            for group, own in zip(groups, optimiser.param_groups, strict=True):
                own["lr"] = group.rate * share
            loss = f.cross_entropy(module(x[picked]), y[picked])
            if not bool(torch.isfinite(loss)):
                raise TrainingError(_diverged(module, epoch))
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()


def _schedule(steps: int, recipe: Recipe) -> list[float]:
    """Return the share of the largest rate at each step: a linear rise, then a cosine fall to 0."""
    rise = max(1, round(recipe.warm_up * steps))
    t = np.arange(steps)
    fall = 0.5 * (1 + np.cos(np.pi * (t - rise) / max(1, steps - rise)))
    shares: list[float] = np.where(t < rise, (t + 1) / rise, fall).tolist()
    return shares


def _diverged(module: nn.Module, epoch: int) -> str:
    broken = (name for name, p in module.named_parameters() if not bool(torch.isfinite(p).all()))
    where = next(broken, "the class scores")
    return (
        f"training diverged in epoch {epoch + 1}: the loss must be a finite number, and {where} is not;"
        " use more bits or less sparsity for this design"
    )


@torch.no_grad()
def settle_statistics(module: nn.Module, split: Split, device: str, batch: int = 256) -> None:
    """Replace every running mean and variance by the average over `split` with the weights as they are.

    Quantised weights jump between integers until the end, and running averages lag behind.

    Args:
        module: has layers with the attribute `momentum`.
        split: training images.
        device: a torch device.
        batch: images at once.
    """
    x = images_tensor(split.images, device)
    layers = [m for m in module.modules() if hasattr(m, "momentum")]
    module.train()
    for i, part in enumerate(_batches(x, batch)):
        for layer in layers:
            layer.momentum = 1 / (i + 1)  # type: ignore[assignment]
        module(part)


@torch.no_grad()
def accuracy(module: nn.Module, split: Split, device: str, batch: int = 256) -> float:
    """Return the fraction of images that `module` classifies correctly, in evaluation mode."""
    module.eval()
    x = images_tensor(split.images, device)
    scores = torch.cat([_scores(module, part) for part in _batches(x, batch)])
    return float(np.mean(scores.argmax(dim=1).cpu().numpy() == split.labels))


def _batches(x: Tensor, batch: int) -> Iterator[Tensor]:
    return (x[i : i + batch] for i in range(0, len(x), batch))


def _scores(module: nn.Module, x: Tensor) -> Tensor:
    scores: Tensor = module(x)
    return scores
