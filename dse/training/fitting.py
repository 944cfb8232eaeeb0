"""The training loop: Adam with a one-cycle learning rate on batches in seeded order."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as f

from dse.data._dataset import Split
from dse.training.errors import TrainingError
from dse.training.torch_ops import as_input


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
    penalty: Callable[[], Tensor] | None = None,
    progress: Callable[[float], None] | None = None,
) -> None:
    """Train `module` in place on cross-entropy.

    Args:
        module: maps images to class scores.
        groups: the parameters to train.
        split: the training images.
        recipe: how to train.
        seed: of the order of the images.
        device: a torch device.
        penalty: what is added to the cross-entropy of a batch, asked after its forward pass.
        progress: is told after every step what share of all steps is done.

    Raises:
        TrainingError: the loss is no longer a number; the message names the first layer that broke.
    """
    if len(split) < 2:
        msg = f"training needs at least 2 images, got {len(split)}; raise the limit of training images"
        raise TrainingError(msg)
    image = _images(split, device)
    y = torch.tensor(split.labels, device=device)
    # what is left over waits for another epoch
    steps_per_epoch = max(1, len(split) // recipe.batch)
    steps = recipe.epochs * steps_per_epoch
    optimiser = torch.optim.Adam(
        [{"params": g.parameters, "lr": g.rate} for g in groups], fused=True
    )
    schedule = _schedule(steps, recipe)
    order = torch.Generator().manual_seed(seed)
    module.train()
    for epoch in range(recipe.epochs):
        shuffled = torch.randperm(len(split), generator=order).to(device)
        for i in range(steps_per_epoch):
            picked = shuffled[i * recipe.batch : (i + 1) * recipe.batch]
            step = epoch * steps_per_epoch + i
            share = schedule[step]
            for group, own in zip(groups, optimiser.param_groups, strict=True):
                own["lr"] = group.rate * share
            loss = f.cross_entropy(module(as_input(image(picked))), y[picked])
            if penalty is not None:
                loss = loss + penalty()
            if not bool(torch.isfinite(loss)):
                raise TrainingError(_diverged(module, f"epoch {epoch + 1}"))
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            if progress is not None:
                progress((step + 1) / steps)
    if not all(bool(torch.isfinite(p).all()) for p in module.parameters()):
        raise TrainingError(_diverged(module, "the last step"))


def _images(split: Split, device: str) -> Callable[[Tensor], Tensor]:
    """Return what hands out images by index: from a copy on the device, or as files are read."""
    if not isinstance(split.images, np.ndarray):
        return lambda picked: torch.tensor(
            np.asarray(split.images[picked.cpu().numpy()]), device=device
        )
    x = torch.tensor(split.images, device=device)  # a copy: workers get read-only arrays
    return lambda picked: x[picked]


def _schedule(steps: int, recipe: Recipe) -> list[float]:
    """Return the share of the largest rate at each step: a linear rise, then a cosine fall to 0."""
    rise = max(1, round(recipe.warm_up * steps))
    t = np.arange(steps)
    fall = 0.5 * (1 + np.cos(np.pi * (t - rise) / max(1, steps - rise)))
    shares: list[float] = np.where(t < rise, (t + 1) / rise, fall).tolist()
    return shares


def _diverged(module: nn.Module, when: str) -> str:
    broken = (n for n, p in module.named_parameters() if not bool(torch.isfinite(p).all()))
    # a parameter is called matrices.LAYER.weights
    where = next((f"layer {name.split('.')[1]}" for name in broken), "the class scores")
    return (
        f"training must keep finite numbers, but {where} lost them in {when};"
        " try more bits or less sparsity for this design"
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
    layers = [m for m in module.modules() if hasattr(m, "momentum")]
    module.train()
    for i, part in enumerate(_batches(split, batch, device)):
        for layer in layers:
            layer.momentum = 1 / (i + 1)  # type: ignore[assignment]
        module(part)


@torch.no_grad()
def accuracy(module: nn.Module, split: Split, device: str, batch: int = 256) -> float:
    """Return the fraction of images that `module` classifies correctly, in evaluation mode."""
    module.eval()
    scores = torch.cat([module(part) for part in _batches(split, batch, device)])
    return float(np.mean(scores.argmax(dim=1).cpu().numpy() == split.labels))


def _batches(split: Split, batch: int, device: str) -> Iterator[Tensor]:
    """Return inputs in parts of nearly equal size: a part of one image has no variance."""
    for part in np.array_split(np.arange(len(split)), math.ceil(len(split) / batch)):
        images = split.images[part[0] : part[-1] + 1]
        yield as_input(torch.tensor(np.asarray(images), device=device))
