"""Training of one candidate: prune, quantise, train, and convert to the integer network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dse.data._dataset import Dataset, Split
from dse.ir.accelerator import Accelerator
from dse.ir.design import Compression
from dse.ir.layers.fused_add import FusedAdd
from dse.ir.network import Network
from dse.training.base_weights import BaseWeights
from dse.training.edge_losses import edge_losses
from dse.training.fitting import Group, Recipe, accuracy, fit, settle_statistics
from dse.training.preparing import chosen, prepare, prepared_epochs, unmasked
from dse.training.pruned import PrunedLayer, pruned
from dse.training.quantised_network import QuantisedNetwork
from dse.training.regrowth import regrowth
from dse.training.spatial import keep_loss
from dse.training.thresholds import accelerator
from dse.training.torch_ops import as_input, one_thread, resolved

NORM_RATE = 1e-2  # largest learning rate of batch normalisations and of the scale of the scores
# Largest learning rate of weights, relative to their root mean square: GENTLEST where compression left the accuracy
# as it was, more with each point it took (measured on the digits: coarse networks need 30 times the rate of fine ones).
GENTLEST = 0.01
RATE_PER_LOSS = 0.3
FROM_SCRATCH = 1.0  # loss that weights without any training count as
CALIBRATION_IMAGES = 256
GATE_IMAGES = 1024  # that settle which positions are kept

State: TypeAlias = Mapping[str, npt.NDArray[np.generic]]  # of a quantised network, by name


@dataclass(frozen=True, slots=True)
class TrainedNetwork:
    """A trained candidate.

    Attributes:
        accelerator: the integer network.
        validation_accuracy: fraction of the validation images that the integer network classifies correctly.
        state: parameters and buffers at the end of the training, where they were asked for.
    """

    accelerator: Accelerator
    validation_accuracy: float
    state: State | None = None


def finetune(
    network: Network,
    compressions: Mapping[str, Compression],
    base: BaseWeights,
    dataset: Dataset,
    *,
    epochs: int,
    images: int | None = None,
    seed: int,
    device: str = "cpu",
    before: int = 0,
    start: State | None = None,
    keep_state: bool = False,
    validation: int | None = None,
) -> TrainedNetwork:
    """Train a candidate and convert it to integers.

    The same arguments give the same integers, in any process of a machine (on the CPU).

    Args:
        network: the network of the study.
        compressions: canonical, one per matrix layer.
        base: the weights of `pretrain`.
        dataset: its training part trains, its validation part is measured; test is not looked at. Without
            any epochs nothing is trained: ranges and statistics are set on its calibration images.
        epochs: passes over the images.
        images: number of training (or calibration) images to use, a stratified sample; None: all.
        seed: of the order of the images.
        device: "cpu", "cuda" or "auto".
        before: epochs of a shorter training that this one continues; 0: there was none.
        start: the state at its end. Where it is None the shorter training is repeated: the result is the same.
        keep_state: whether the state at the end is wanted.
        validation: number of validation images to measure on, a stratified sample; None: all.

    Returns:
        The integer network and its accuracy.

    Raises:
        TrainingError: training diverged, or the base weights belong to another network.
    """
    device = resolved(device)
    train = (dataset.train if epochs or before else dataset.ranges).first(images)
    with one_thread():
        built, layers = pruned(network, compressions, base)
        module = _calibrated(built, layers, base, dataset, device)
        lost = FROM_SCRATCH
        if base.trained:
            lost = base.accuracy - accuracy(module, train.first(CALIBRATION_IMAGES), device)
        if start is not None:
            module.load_state_dict({name: torch.tensor(a) for name, a in start.items()})
        else:
            first = before or epochs
            early = prepared_epochs(compressions, first)
            if early:
                free = _calibrated(built, unmasked(layers), base, dataset, device)
                prepare(free, layers, groups(free, lost), train, early, seed, device)
                layers = chosen(layers, free)
                module = _calibrated(built, layers, base, dataset, device)
            _fit(module, lost, train, first - early, seed, device)
        if before:  # what continues sees the images in another order
            _fit(module, lost, train, epochs, seed + 1, device, regrows=False)
        state = state_of(module) if keep_state else None
        settle_statistics(module, train, device)
        settle_gates(module, train, device)
        integer = accelerator(module)
    measured = dataset.validation.first(validation)
    reached = integer.accuracy(measured.images, measured.labels)
    return TrainedNetwork(integer, reached, state)


def _fit(
    module: QuantisedNetwork,
    lost: float,
    train: Split,
    epochs: int,
    seed: int,
    device: str,
    *,
    regrows: bool = True,
) -> None:
    masks = regrowth(module, epochs) if regrows else None
    progress = None if masks is None else masks.update
    known = (edge_losses(module), keep_loss(module.gates), None if masks is None else masks.loss)
    terms = [t for t in known if t]

    def penalty() -> Tensor:
        return torch.stack([term() for term in terms]).sum()

    rates, asked = groups(module, lost), penalty if terms else None
    fit(module, rates, train, Recipe(epochs), seed, device, asked, progress)


def settle_gates(module: QuantisedNetwork, train: Split, device: str) -> None:
    """Make whole numbers of the thresholds of gates, in the network as it is when it is evaluated."""
    if module.gates:
        images = np.asarray(train.first(GATE_IMAGES).images)
        module.eval().settle_gates(as_input(torch.tensor(images, device=device)))


def state_of(module: QuantisedNetwork) -> State:
    """Return all parameters and buffers; `fit` goes on from them as if it had never stopped."""
    return {name: t.detach().cpu().numpy().copy() for name, t in module.state_dict().items()}


def quantised(
    network: Network,
    compressions: Mapping[str, Compression],
    base: BaseWeights,
    dataset: Dataset,
    device: str = "cpu",
) -> QuantisedNetwork:
    """Return the quantised network of a candidate before training, its steps set on training images."""
    built, layers = pruned(network, compressions, base)
    return _calibrated(built, layers, base, dataset, device)


def _calibrated(
    built: Network,
    layers: tuple[PrunedLayer, ...],
    base: BaseWeights,
    dataset: Dataset,
    device: str,
) -> QuantisedNetwork:
    lanes = {x.name: base.layers[x.name] for x in built.layers if isinstance(x, FusedAdd)}
    module = QuantisedNetwork(built, layers, lanes).to(device).train()
    sample = dataset.ranges.first(CALIBRATION_IMAGES)
    with torch.no_grad():
        module.calibrate(as_input(torch.tensor(np.asarray(sample.images), device=device)))
    return module


def groups(module: QuantisedNetwork, lost: float) -> list[Group]:
    """Return what of a quantised network is trained, and how fast.

    Args:
        module: the network.
        lost: the accuracy that compression took, as a fraction.
    """
    rate = max(GENTLEST, RATE_PER_LOSS * lost)
    result = []
    for matrix in (module.matrix(name) for name in module.matrices):
        size = float(matrix.weights.detach().square().mean().sqrt())
        others = [p for p in matrix.parameters() if p is not matrix.weights]
        # sums of a fixed-point stream are large, and the scale of their scores is small
        small = module.lanes and not matrix.normalised and not matrix.raw
        share = float(matrix.logit_scale.detach()) if small else 1.0
        result += [Group([matrix.weights], rate * size), Group(others, share * NORM_RATE)]
    lanes = [p for name in module.lanes for p in module.lane(name).parameters()]
    return [*result, Group(lanes, NORM_RATE)] if lanes else result
