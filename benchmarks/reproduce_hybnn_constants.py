"""Accuracy of one trained network with real and with fixed-point constants: a part of reproduce_hybnn.py."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor

from dse.compression import canonical
from dse.config.load import load_config
from dse.data._dataset import Split
from dse.ir.design import Compression
from dse.ir.layers._base import Layer, MatrixLayer
from dse.ir.layers.fused_add import FusedAdd
from dse.search.study import Plan, plan
from dse.training import pretrain
from dse.training.finetuning import groups, quantised
from dse.training.fitting import Recipe, accuracy, fit, settle_statistics
from dse.training.lanes import FloatLane
from dse.training.quantised_network import QuantisedNetwork, QuantisedThresholds
from dse.training.torch_ops import as_input, pooled, run

STUDY = Path(__file__).parents[1] / "studies" / "hybnn.yaml"
STREAM, CONSTANTS = 16, 12  # trained with
FIXED = ((16, 12), (12, 12), (12, 10), (10, 8), (8, 8), (8, 6))  # bits of stream and constants


def trained(p: Plan, block_bits: int) -> QuantisedNetwork:
    """Return the network of the study with wide constants, trained, in evaluation mode and double precision."""
    ends = {"conv1": Compression(4, 5), "fc": Compression(4, None)}
    dense = Compression(block_bits, block_bits)
    wanted = {m.name: ends.get(m.name, dense) for m in p.network.matrix_layers}
    base = pretrain(p.network, p.dataset, p.stages.pretrain_epochs or 1, p.config.seed)
    module = quantised(p.network, canonical(p.network, wanted), base, p.dataset)
    train = p.dataset.train.first(p.stages.finetune_images)
    lost = base.accuracy - accuracy(module, train.first(256), "cpu")
    fit(module, groups(module, lost), train, Recipe(p.stages.finetune_epochs or 1), 0, "cpu")
    settle_statistics(module, train, "cpu")
    return module.double().eval()


def float_scores(module: QuantisedNetwork, x: Tensor) -> Tensor:
    """Return class scores with lanes in floating point: nothing is rounded between the signs."""
    steps = {name: module.lane(name) for name in module.lanes}
    first = float(next(iter(steps.values())).shortcut_step)

    def output(layer: Layer, inputs: tuple[Tensor, ...]) -> Tensor:
        if isinstance(layer, FusedAdd):
            return FloatLane.forward(module.lane(layer.name), *inputs)
        if not isinstance(layer, MatrixLayer):
            return pooled(layer, *inputs)
        matrix = module.matrix(layer.name)
        if isinstance(matrix, QuantisedThresholds):
            values = inputs[0] + matrix.offset.view(1, -1, 1, 1)
            assert matrix.activation is not None
            return cast(Tensor, matrix.activation(values))
        y = cast(Tensor, matrix(*inputs)) if matrix.normalised else matrix.dot(*inputs)
        return y * first if matrix.normalised else y  # the codes that begin the stream

    return run(module.network, x, output)


def correct(scores: Callable[[Tensor], Tensor], split: Split) -> float:
    """Return the percentage of images that the scores classify correctly."""
    with torch.no_grad():
        parts = torch.tensor(split.images).split(250)
        found = torch.cat([scores(as_input(x, torch.float64)) for x in parts])
    return 100 * float(np.mean(found.argmax(dim=1).numpy() == split.labels))


def fixed(
    module: QuantisedNetwork, stream: int, constants: int, *, shifts: bool
) -> QuantisedNetwork:
    """Return the same network with a stream and constants of so many bits."""
    module = deepcopy(module)
    coarser = 2.0 ** (STREAM - stream)
    for name in module.lanes:
        lane = module.lane(name)
        lane.layer = replace(lane.layer, stream_bits=stream, constant_bits=constants, shifts=shifts)
        begins = lane.shortcut_step > lane.step  # reads the codes that begin the stream
        lane.step *= coarser
        if not begins:
            lane.shortcut_step *= coarser
        if lane.shortcut_step < lane.step:
            msg = f"a stream of {stream} bits is coarser than the codes that begin it"
            raise ValueError(msg)
    steps = {float(module.lane(n).step) for n in module.lanes}
    (step,) = steps
    for matrix in module.matrices.values():
        if isinstance(matrix, QuantisedThresholds) and float(matrix.input_step) < step:
            matrix.input_step.fill_(step)
    return module


def main() -> None:
    """Train, then print accuracies."""
    config = load_config(STUDY)
    options = {**config.model.options, "stream": STREAM, "constants": CONSTANTS}
    p = plan(replace(config, model=replace(config.model, options=options)))
    test = p.dataset.test
    print(f"\nhybnn {options}, trained so; {len(test)} test images, percent")
    print("| blocks | stream, constants | accuracy | of float |\n| --- | --- | --- | --- |")
    for bits in (1, 4):
        module = trained(p, bits)
        reference = correct(partial(float_scores, module), test)
        print(f"| {bits} bit | floating point | {reference:.2f} | |", flush=True)
        for stream, constants, shifts in [*((*f, False) for f in FIXED), (10, 8, True)]:
            reached = correct(fixed(module, stream, constants, shifts=shifts), test)
            what = "powers of two" if shifts else f"{constants} bits"
            print(
                f"| {bits} bit | {stream} bits, {what} | {reached:.2f} | {reached - reference:+.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
