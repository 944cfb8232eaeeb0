"""What many designs cost, at once: the numbers of `dse.folding.estimate`, without its details.

A network has few distinct unit configurations. Each is priced once; the designs gather their prices
and add them up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product

import numpy as np
import numpy.typing as npt

from cost_models._model import CostModel, Floats
from cost_models._power import power_w
from dse.compression import effective
from dse.folding.estimate import ENDS, check_memory, price_table
from dse.folding.foldings import Array, Foldings
from dse.folding.slr import borders, per_slr
from dse.ir.design import COMPUTES, EDGE_SKIPS, MEMORIES, Compression, DesignPoint
from dse.ir.edge_skip import Pooling, pooling_behind
from dse.ir.hardware import RESOURCES, Board
from dse.ir.layers._base import Layer, MatrixLayer
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.ir.units import (
    Fifo,
    Ints,
    MatrixUnit,
    ProductUnit,
    SkippingWindowUnit,
    SlidingWindowUnit,
    Unit,
    WidthConverter,
)
from dse.lowering.branches import Read, reads, waiting_words
from dse.lowering.edges import refusal
from dse.lowering.joints import PLAIN_DEPTH, burst_words, connectors, fork_units, vector_words
from dse.lowering.main_units import element_types, layer_folds, main_units, sum_types
from dse.lowering.pipeline import check
from dse.lowering.skipping import behind, room_words
from pruning._scheme import Structure

Mask = npt.NDArray[np.bool_]
CELLS = (len(ENDS), len(RESOURCES))


@dataclass(frozen=True, slots=True, eq=False)
class Totals:
    """What N designs cost.

    Attributes:
        resources: `(N, 3, 5)` expected, low and high of every one of RESOURCES.
        interval_cycles: `(N,)` cycles between frames.
        layers: `(N, L, 3, 5)` the same as `resources` of every layer, in order.
        layer_cycles: `(N, L)` of its slowest unit per frame.
    """

    resources: Floats
    interval_cycles: Array
    layers: Floats
    layer_cycles: Array

    def power_w(self, clock_mhz: float, board: Board) -> Floats:
        """Return `(N, 3)` expected, low and high power in W (`cost_models._power`)."""
        return power_w(self.layers, self.layer_cycles, self.interval_cycles, clock_mhz, board)

    def energy_mj(self, clock_mhz: float, board: Board) -> Floats:
        """Return `(N, 3)` expected, low and high energy per frame in mJ, while frame follows frame."""
        microseconds = self.interval_cycles[:, None] / clock_mhz
        return self.power_w(clock_mhz, board) * microseconds / 1e3

    def per_slr(self, board: Board) -> Floats:
        """Return `(N, 3, 5)` what the fullest die of the board holds, placed by the upper ends."""
        placed = borders(self.layers[:, :, ENDS.index("high")], board)
        ends = [
            per_slr(self.layers[:, :, i], placed).max(axis=-2, initial=0.0)
            for i in range(len(ENDS))
        ]
        return np.stack(ends, axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class _Options:
    """The U distinct foldings of a layer that some designs have.

    Attributes:
        prices: `(U, 3, 5)` of its units and of what joins them.
        cycles: `(U,)` of the slowest of these.
        door: `(U,)` elements per input word.
        room: `(U,)` words that the FIFO in front must hold.
        out: `(U,)` elements per output word.
        out_bits: bits of an output element; of a layer without weights 0.
    """

    prices: Floats
    cycles: Array
    door: Array
    room: Array
    out: Array
    out_bits: int


def totals(
    network: Network, designs: Sequence[DesignPoint], board: Board, model: CostModel
) -> Totals:
    """Price designs of any compressions.

    Args:
        network: the network of the study.
        designs: legal, canonical designs of it.
        board: the board they are for.
        model: prices the units.

    Raises:
        UsageError: as `estimate`.
    """
    shape = len(designs), len(network.layers)
    layers, cycles = np.empty((*shape, *CELLS)), np.empty(shape, dtype=np.int64)
    intervals = np.empty(len(designs), dtype=np.int64)
    alike: dict[tuple[Compression | None, ...], list[int]] = {}
    for i, design in enumerate(designs):
        alike.setdefault(tuple(d.compression for _, d in design.layers), []).append(i)
    for rows in alike.values():
        group = [designs[i] for i in rows]
        check(network, group[0])
        found = folded(network, group[0].compressions, Foldings.of(group), board, model)
        layers[rows], cycles[rows] = found.layers, found.layer_cycles
        intervals[rows] = found.interval_cycles
    return Totals(layers.sum(axis=1), intervals, layers, cycles)


def folded(
    network: Network,
    compressions: Mapping[str, Compression],
    foldings: Foldings,
    board: Board,
    model: CostModel,
) -> Totals:
    """Price many foldings of one compression.

    Args:
        network: the network of the study.
        compressions: canonical, one per matrix layer.
        foldings: N legal ones, at least one.
        board: the board they are for.
        model: prices the units.

    Raises:
        UsageError: as `estimate`, the message being about the first design that is illegal.
    """
    check(network, foldings.design(0, network, compressions))
    built, structures = effective(network, compressions)
    types, sums = element_types(network, compressions), sum_types(network, compressions)
    shape = len(foldings), len(built.layers)
    costs, cycles = np.zeros((*shape, *CELLS)), np.zeros(shape, dtype=np.int64)
    number = {layer.name: i for i, layer in enumerate(built.layers)}
    read_by: dict[str, list[Read]] = {}
    for read in reads(built):
        read_by.setdefault(read.target.name, []).append(read)
    placed: dict[str, tuple[_Options, Array]] = {}
    for i, layer in enumerate(built.layers):
        element, structure = types[layer.name], structures.get(layer.name)
        distinct, of = _distinct(foldings.of_layer(i))
        for memory in np.unique(distinct[3]):
            check_memory(layer.name, MEMORIES[memory], board)
        compression = compressions.get(layer.name)
        legal = _legal(layer, structure, distinct)
        if refusal(layer, element, structure, compression):
            legal &= distinct[5] == EDGE_SKIPS.index("off")
        skips = distinct[5] != EDGE_SKIPS.index("off")
        legal &= ~(skips & (distinct[3] == MEMORIES.index("uram")))
        if (wrong := ~legal[of]).any():
            first = int(np.flatnonzero(wrong)[0])
            check(network, foldings.design(first, network, compressions))
        second, pooling = sums.get(layer.name), pooling_behind(built, layer)
        own = _options(layer, element, structure, compression, distinct, model, second, pooling)
        costs[:, i] += own.prices[of]
        np.maximum(cycles[:, i], own.cycles[of], out=cycles[:, i])
        for read in read_by.get(layer.name, ()):
            before = placed[read.source.name]
            bits = (second if read.port and second else element).bits
            prices, slow = _joint(read, before, (own, of), bits, model)
            costs[:, i] += prices
            np.maximum(cycles[:, i], slow, out=cycles[:, i])
            if read.opens:
                costs[:, number[read.source.name]] += _fork(read.source, before, bits, model)
        placed[layer.name] = own, of
    prices, slow = _connected(
        own.out,
        np.ones_like(own.out),
        own.out_bits,
        network.classes,
        PLAIN_DEPTH,
        PLAIN_DEPTH,
        model,
    )
    costs[:, -1] += prices[of]
    np.maximum(cycles[:, -1], slow[of], out=cycles[:, -1])
    return Totals(costs.sum(axis=1), cycles.max(axis=1), costs, cycles)


def _distinct(columns: Array) -> tuple[Array, Array]:
    """Return the `(6, U)` distinct columns of `(6, N)`, and which of them each column is."""
    sizes = tuple(columns.max(axis=1) + 1)
    keys, of = np.unique(np.ravel_multi_index(tuple(columns), sizes), return_inverse=True)
    return np.stack(np.unravel_index(keys, sizes)), of


def _legal(layer: Layer, structure: Structure | None, foldings: Array) -> Mask:
    """Return `(U,)`: which foldings of a layer are legal, as `pipeline.check` says."""
    pe, simd, swu_simd = foldings[:3]
    channels = layer.input_shape[-1]
    if not isinstance(layer, MatrixLayer) or structure is None:
        divides: Mask = (pe > 0) & (layer.word_channels % np.maximum(pe, 1) == 0)
        return divides
    pes, simds = layer_folds(layer, structure)
    size = max(simd.max(), simds.max()) + 1
    legal: Mask = np.isin(pe * size + simd, pes * size + simds)
    if layer.windowed:
        legal &= (swu_simd > 0) & (channels % np.maximum(swu_simd, 1) == 0)
    return legal


def _options(
    layer: Layer,
    element: IntType,
    structure: Structure | None,
    compression: Compression | None,
    foldings: Array,
    model: CostModel,
    sums: IntType | None,
    pooling: Pooling | None,
) -> _Options:
    """Price `(6, U)` distinct foldings of a layer."""
    skips = np.unique(foldings[5])
    rows_of = [np.flatnonzero(foldings[5] == skip) for skip in skips]
    parts = [
        _of_mode(layer, element, structure, compression, foldings[:, rows], model, sums, pooling)
        for rows in rows_of
    ]
    if len(parts) == 1:
        return parts[0]
    back = np.argsort(np.concatenate(rows_of))
    names = ("prices", "cycles", "door", "room", "out")
    joined = {n: np.concatenate([getattr(p, n) for p in parts])[back] for n in names}
    return _Options(**joined, out_bits=parts[0].out_bits)


def _of_mode(
    layer: Layer,
    element: IntType,
    structure: Structure | None,
    compression: Compression | None,
    foldings: Array,
    model: CostModel,
    sums: IntType | None,
    pooling: Pooling | None,
) -> _Options:
    """Price foldings of a layer that skip edges in the same way."""
    pe, simd, swu_simd, memory, compute, skip = foldings
    mode = EDGE_SKIPS[skip[0]]

    def units(rows: Array | slice, memory: str, compute: str) -> tuple[Unit, ...]:
        chosen = pe[rows], simd[rows], swu_simd[rows], memory, compute
        return main_units(layer, element, structure, compression, *chosen, sums, mode, pooling)

    *windows, main = units(slice(None), MEMORIES[0], COMPUTES[0])  # styles change prices only
    assert not isinstance(main, WidthConverter | Fifo)
    prices, cycles = np.empty((len(pe), *CELLS)), np.asarray(main.cycles)
    for m, c in product(np.unique(memory), np.unique(compute)):
        rows = np.flatnonzero((memory == m) & (compute == c))
        if len(rows):
            unit = units(rows, MEMORIES[m], COMPUTES[c])[-1]
            prices[rows] = _table(unit, model, rows.shape)
    door, room, out_bits = np.asarray(main.in_width), np.full_like(pe, PLAIN_DEPTH), 0
    if isinstance(main, ProductUnit):
        room[:], out_bits = vector_words(main), int(main.out_element_bits)
    for window in windows:
        assert isinstance(window, SlidingWindowUnit)
        joining = vector_words(main, window) if isinstance(main, ProductUnit) else PLAIN_DEPTH
        joined, slow = _connected(
            window.out_width,
            door,
            element.bits,
            window.words_written * window.simd,
            PLAIN_DEPTH,
            joining,
            model,
        )
        prices += _table(window, model, pe.shape) + joined
        cycles = np.maximum(np.maximum(cycles, window.cycles), slow)
        door, room = np.asarray(window.in_width), np.full_like(pe, PLAIN_DEPTH)
        if isinstance(window, SkippingWindowUnit):
            assert isinstance(main, MatrixUnit)
            room = np.broadcast_to(room_words(window), pe.shape)
            *_, fill = added = behind(window, main)
            prices = prices + sum(_table(u, model, pe.shape) for u in added)
            cycles = np.maximum(cycles, fill.cycles)
    out = np.broadcast_to(main.out_width, pe.shape)
    return _Options(prices, cycles, np.broadcast_to(door, pe.shape), room, out, out_bits)


def _joint(
    read: Read,
    before: tuple[_Options, Array],
    behind: tuple[_Options, Array],
    bits: int,
    model: CostModel,
) -> tuple[Floats, Array]:
    """Return `(N, 3, 5)` prices and `(N,)` cycles of what joins two layers.

    Args:
        read: the layers.
        before: options of the first, and `(N,)` which of them each design has.
        behind: the same of the second.
        bits: bits per element.
        model: prices the units.
    """
    sources, source = np.unique(before[0].out, return_inverse=True)
    room = behind[0].room
    if read.block is not None:
        room = np.asarray(waiting_words(read.block, read.port, behind[0].door))
    doors, door = np.unique(np.stack([behind[0].door, room]), axis=1, return_inverse=True)
    width, room = doors[:, None, :]
    opens, elements = read.target.windowed, int(np.prod(read.target.shape_of(read.port)))
    burst = burst_words(read.before, sources[:, None], width, window=opens, room=room)
    prices, cycles = _connected(sources[:, None], width, bits, elements, burst, room, model)
    chosen = source[before[1]], door[behind[1]]
    return prices[chosen], cycles[chosen]


def _fork(source: Layer, before: tuple[_Options, Array], bits: int, model: CostModel) -> Floats:
    """Return `(N, 3, 5)` prices of the fork behind a layer, and of the FIFO in front of it."""
    widths, of = np.unique(before[0].out, return_inverse=True)
    units = fork_units(source, widths, bits)
    prices: Floats = sum(
        (_table(u, model, widths.shape) for u in units), np.zeros((len(widths), *CELLS))
    )
    return prices[of][before[1]]


def _connected(
    source: Ints, target: Ints, bits: int, elements: Ints, burst: Ints, room: Ints, model: CostModel
) -> tuple[Floats, Array]:
    """Return `(..., 3, 5)` prices and `(...)` cycles of the connectors that are built."""
    first, converter, second = connectors("", source, target, bits, elements, burst, room)
    differs = np.not_equal(source, target)
    prices = _table(second, model, differs.shape)
    for unit, built in ((first, differs & np.greater(burst, PLAIN_DEPTH)), (converter, differs)):
        if built.any():
            prices = prices + _table(unit, model, differs.shape) * built[..., None, None]
    return prices, np.where(differs, converter.cycles, 0)


def _table(unit: Unit, model: CostModel, shape: tuple[int, ...]) -> Floats:
    """Return the prices of a unit of arrays, `(*shape, 3, 5)`; equal ones are asked for once."""
    values = {f.name: getattr(unit, f.name) for f in fields(unit)}
    arrays = {name: v for name, v in values.items() if isinstance(v, np.ndarray)}
    columns = np.stack([np.broadcast_to(v, shape).ravel() for v in arrays.values()])
    distinct, of = _distinct(columns)
    found = price_table(model.predict(replace(unit, **dict(zip(arrays, distinct, strict=True)))))
    return found[of].reshape(*shape, *CELLS)
