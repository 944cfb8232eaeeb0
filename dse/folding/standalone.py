"""Folding without a study: a network by name, a board, and bit widths or a finished compression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field, replace
from pathlib import Path
from typing import cast

import numpy as np

from cost_models._model import CostModel
from dse.compression import canonical
from dse.config.values import Constraint, Knobs
from dse.errors import NoFeasibleDesignError, UsageError
from dse.folding.estimate import ENDS, estimate, price
from dse.folding.fold import Folder
from dse.folding.fold_fit import Fit, bottleneck, cheapest, fastest
from dse.folding.fold_front import NOTHING, Front, fold_front, usable
from dse.folding.upper import at_upper_ends
from dse.ir import plugins
from dse.ir.design import COMPUTES, EDGE_SKIPS, MEMORIES, Compression, DesignPoint
from dse.ir.hardware import RESOURCES, Board, HardwareEstimate, Resources
from dse.ir.layers.add import Add
from dse.ir.network import Network
from dse.ir.numbers import BIPOLAR, IntType
from dse.ir.stages import flat
from dse.ir.units import Fifo, WidthConverter
from dse.lowering.pipeline import pipeline

# what the built-in networks were made for: input, bits of its elements (1: {-1, +1}), classes
USUAL: Mapping[str, tuple[tuple[int, ...], int, int]] = {
    "basebnn": ((32, 32, 3), 8, 10),
    "cnv": ((32, 32, 3), 8, 10),
    "digits_cnn": ((8, 8, 1), 4, 10),
    "digits_separable": ((8, 8, 1), 4, 10),
    "hybnn": ((32, 32, 3), 8, 10),
    "jet_mlp": ((16,), 8, 5),
    "lenet5": ((28, 28, 1), 8, 10),
    "lfc": ((784,), 1, 10),
    "mobilenet_v1": ((224, 224, 3), 8, 1000),
    "resnet8": ((32, 32, 3), 8, 10),
    "resnet50": ((224, 224, 3), 8, 1000),
    "sfc": ((784,), 1, 10),
    "tfc": ((784,), 1, 10),
    "vgg_bnn": ((32, 32, 3), 8, 10),
}
INTEGERS = ("pe", "simd")
WORDS: Mapping[str, tuple[str, ...]] = {
    "memory": MEMORIES,
    "compute": COMPUTES,
    "edge_skip": EDGE_SKIPS,
}


@dataclass(frozen=True, eq=False)
class Question:
    """What is to be folded, on what.

    Attributes:
        network: the network.
        compressions: canonical, one per matrix layer.
        board: the board.
        clock_mhz: clock of the accelerator.
        model: prices the units.
        pins: values that foldings are restricted to, by layer.
        reserve: what of the board is not for this design.
        bounds: limits of resources, by name, in place of the board's usable share.
        rules: other constraints, which no folding is chosen by; what is found may break them.
        preference: 0 saves LUTs, 1 saves block RAM and DSPs (`cost_weights`).
    """

    network: Network
    compressions: Mapping[str, Compression]
    board: Board
    clock_mhz: float
    model: CostModel
    pins: Mapping[str, Knobs] = field(default_factory=dict)
    reserve: Resources = NOTHING
    bounds: Mapping[str, float] = field(default_factory=dict)
    rules: tuple[Constraint, ...] = ()
    preference: float = 0.5

    @property
    def limits(self) -> Resources:
        """What a design may use: `bounds`, else the usable share of the board without the reserve."""
        return replace(usable(self.board, self.reserve), **self.bounds)

    def folder(self) -> Folder:
        """Return the options, priced at the upper ends of their intervals: these have to fit."""
        model = at_upper_ends(self.model)
        return Folder.build(self.network, self.compressions, self.board, model, self.pins)

    def hardware(self, design: DesignPoint) -> HardwareEstimate:
        """Predict what a design costs, with intervals."""
        return estimate(self.network, design, self.board, self.clock_mhz, self.model)

    def fps(self, cycles: int) -> float:
        """Return frames per second."""
        return self.clock_mhz * 1e6 / cycles

    def cycles(self, fps: float) -> int:
        """Return the most cycles between frames that give so many frames per second."""
        return int(self.clock_mhz * 1e6 / fps)


def solve(question: Question, target_cycles: int | None) -> Fit:
    """Return the cheapest folding that fits and meets a target; without a target, the fastest.

    Raises:
        NoFeasibleDesignError: there is none; the message names what is in the way, and the best
            that fits.
    """
    q, folder = question, question.folder()
    if target_cycles is None:
        fit = fastest(folder, q.limits, q.preference)
    elif target_cycles >= bottleneck(folder)[1]:
        fit = cheapest(folder, q.limits, target_cycles, q.preference)
    else:
        fit = None
    if fit is None:
        raise NoFeasibleDesignError(_unreachable(q, folder, target_cycles))
    return fit


def front(question: Question, most: int) -> Front:
    """Return the whole front of foldings that fit, at upper ends (see `fold_front`)."""
    return fold_front(question.folder(), question.limits, most=most)


def joints(question: Question, design: DesignPoint) -> Resources:
    """Return what the width converters and FIFOs of a design are expected to cost; layers' costs include it."""
    units = flat(pipeline(question.network, design))
    prices = price([u for u in units if isinstance(u, WidthConverter | Fifo)], question.model)
    return Resources(*prices[:, ENDS.index("expected")].sum(axis=0).tolist())


def fullest(question: Question, high: Resources) -> tuple[str, float]:
    """Return the resource that is nearest to its limit, and the share of the limit that is used.

    Args:
        question: what is folded, on what.
        high: upper ends of a design.
    """
    shares = {
        r: used / limit if limit else float(used > 0)
        for r, used, limit in zip(RESOURCES, astuple(high), astuple(question.limits), strict=True)
    }
    name = max(shares, key=lambda r: shares[r])
    return name, shares[name]


def slowest(hardware: HardwareEstimate) -> tuple[str, int]:
    """Return the layer that sets the pace of a design, and its cycles."""
    layer = max(hardware.layers, key=lambda x: x.cycles)
    return layer.name, layer.cycles


def parsed_pins(network: Network, pins: Sequence[str]) -> dict[str, Knobs]:
    """Return pins written as "conv1.pe=8" or "fc1.memory=lutram"; several values by commas.

    Raises:
        UsageError: one is written otherwise, or names no layer or no knob.
    """
    names = tuple(layer.name for layer in network.layers)
    found: dict[str, dict[str, tuple[object, ...]]] = {}
    for pin in pins:
        target, _, text = pin.partition("=")
        layer, _, knob = target.rpartition(".")
        if layer not in names:
            msg = f"--pin must name a layer, got {pin!r}.{plugins.suggestion(layer, names)} Layers: {', '.join(names)}"
            raise UsageError(msg)
        values = tuple(v.strip() for v in text.split(","))
        if knob in INTEGERS and all(v.isdigit() for v in values):
            found.setdefault(layer, {})[knob] = tuple(sorted(int(v) for v in values))
        elif knob in WORDS and all(v in WORDS[knob] for v in values):
            found.setdefault(layer, {})[knob] = values
        else:
            msg = (
                f"--pin must be like {layer}.pe=8, {layer}.simd=4, {layer}.memory=lutram,"
                f" {layer}.compute=dsp or {layer}.edge_skip=ooo, got {pin!r}"
            )
            raise UsageError(msg)
    return {layer: Knobs(**knobs) for layer, knobs in found.items()}  # type: ignore[arg-type]


def built(
    name: str,
    shape: tuple[int, ...] | None,
    input_bits: int | None,
    classes: int | None,
    options: Mapping[str, float],
) -> Network:
    """Return a built-in network; what is None is as usual for it.

    Raises:
        UsageError: there is no such network, an option is wrong, or nothing is usual for it.
    """
    known = tuple(n.replace("_", "-") for n in plugins.names("dse.networks"))
    if name.replace("_", "-") not in known:
        msg = (
            f"there is no model {name!r}.{plugins.suggestion(name, known)} There are: {', '.join(known)};"
            " or give an .onnx file, or a study file"
        )
        raise UsageError(msg)
    name = name.replace("-", "_")
    builder = plugins.load("dse.networks", name)
    if name not in USUAL and (shape is None or input_bits is None or classes is None):
        msg = (
            f"model {name} needs --input, --input-bits and --classes: there is no usual input of it"
        )
        raise UsageError(msg)
    usual = USUAL.get(name, ((), 0, 0))
    bits = input_bits or usual[1]
    element = BIPOLAR if bits == 1 else IntType(bits, signed=False)
    return cast(Network, builder.build(shape or usual[0], element, classes or usual[2], **options))


def foreign(path: Path, input_bits: int | None) -> tuple[Network, dict[str, Compression]]:
    """Return the network of an ONNX file, and its own bit widths; what has none has the fewest.

    Raises:
        UsageError: it cannot be read, or has a node that is not supported.
    """
    from dse.importing.imported import imported
    from dse.importing.onnx_file import read

    bits = 8 if input_bits is None else input_bits
    element = BIPOLAR if bits == 1 else IntType(bits, signed=False)
    model = imported(read(path), element, {})
    frozen = not model.why
    network, own = model.network(frozen=frozen), model.knobs(frozen=frozen)
    plain = uniform(network, None, None)
    wanted = {
        name: replace(
            plain[name],
            weight_bits=(own[name].weight_bits or (plain[name].weight_bits,))[0],
            activation_bits=(own[name].activation_bits or (plain[name].activation_bits,))[0],
        )
        for name in plain
    }
    return network, canonical(network, wanted)


def uniform(
    network: Network, weight_bits: int | None, activation_bits: int | None
) -> dict[str, Compression]:
    """Return dense compressions with the same bit widths everywhere, the fewest where None is given."""
    fewest = 2 if any(isinstance(x, Add) for x in network.layers) else 1  # added codes need a zero
    plain = Compression(weight_bits or 1, activation_bits or fewest)
    return canonical(network, {x.name: plain for x in network.matrix_layers})


def with_bits(
    network: Network,
    compressions: Mapping[str, Compression],
    weight_bits: int | None,
    activation_bits: int | None,
) -> dict[str, Compression]:
    """Return the compressions with other bit widths, where they are given."""
    return canonical(
        network,
        {
            name: replace(
                c,
                weight_bits=weight_bits or c.weight_bits,
                activation_bits=activation_bits or c.activation_bits,
            )
            for name, c in compressions.items()
        },
    )


def _unreachable(q: Question, folder: Folder, target: int | None) -> str:
    best = None if target is None else fastest(folder, q.limits, q.preference)
    if target is None or best is None:
        return _nothing_fits(q, folder)
    name, least = bottleneck(folder)
    why = f"layer {name} needs {least:,} at least, however it is folded"
    if target >= least:
        why = f"no folding that fits {q.board.name} is so fast"
    hardware = q.hardware(best.design)
    slow, _ = slowest(hardware)
    full, share = fullest(q, hardware.total.high)
    alone = folder.options[folder.names.index(slow)].cycles.min()
    return (
        f"{target:,} cycles between frames ({q.fps(target):,.1f} frames/s) must be possible, but {why}."
        f" The best that fits takes {best.cycles:,} ({q.fps(best.cycles):,.1f} frames/s), bound by layer"
        f" {slow} (at least {alone:,} by itself), with {share:.0%} of the {full.upper()} it may use; ask for"
        " that, drop pins, or use fewer bits or a larger board"
    )


def _nothing_fits(q: Question, folder: Folder) -> str:
    slowest_cycles, limits = folder.targets()[1], asdict(q.limits)
    over, least = [], []
    for i, (r, have) in enumerate(asdict(q.board.resources).items()):
        weights = np.zeros(len(RESOURCES))
        weights[i] = 1 / max(have, 1)  # only this one costs
        design = folder.least(slowest_cycles, weights)
        need = getattr(folder.resources(design), r)
        said = f"{need:,.0f} of {limits[r]:,.0f} {r}"
        if need > limits[r]:
            layers = q.hardware(design).layers
            most = max(layers, key=lambda x: getattr(x.resources.high, r))
            over.append(f"{said} (layer {most.name} alone {getattr(most.resources.high, r):,.0f})")
        elif need:
            least.append(said)
    why = f"any needs at least {' and '.join(over)}"
    if not over:
        cheapest_needs = asdict(folder.resources(folder.solve(slowest_cycles, q.preference)))
        broken = [f"{n:,.0f} {r}" for r, n in cheapest_needs.items() if n > limits[r]]
        why = (
            f"each limit could be kept alone ({', '.join(least)}), not all at once: the cheapest needs"
            f" {' and '.join(broken)}"
        )
    return (
        f"a folding must fit what it may use of {q.board.name}, but none does: {why}, at upper ends;"
        " use fewer bits, pruning, or a larger board"
    )
