"""How many words wait where two branches meet: depths of the FIFOs in front of a join.

When all units keep an even pace over a frame, a word leaves a branch later than it enters it by a share of
the frame that does not depend on the folding: a window has to see the rows below it, a matrix unit a
whole vector, whatever PE and SIMD are. What leaves the branch that is ahead meanwhile has to wait. So
depths follow from the layers, and of all foldings only the width of the words that wait matters: the
exact folding needs no more than that (docs/decisions.md, 21).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dse.ir.graph import Block, Series, blocks
from dse.ir.layers._base import Layer, MatrixLayer
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.depthwise_conv2d import DepthwiseConv2d
from dse.ir.layers.duplicate import Duplicate
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network
from dse.ir.units import Ints
from dse.lowering.joints import PLAIN_DEPTH

# cycles that the units and FIFOs of a layer take to hand a word on, and so the words that may pass meanwhile:
# in Verilog two each of four FIFOs, one each of window and converters, and up to 9 registers of a matrix unit
# (dse.emit.rtl_timing)
HANDOVER = 20


@dataclass(frozen=True, slots=True)
class Lag:
    """How much later than it went in the map comes out, as shares of a frame.

    Attributes:
        least: of any folding.
        most: of any folding.
        layers: in a row.
    """

    least: float
    most: float
    layers: int

    def __add__(self, other: Lag) -> Lag:
        return Lag(self.least + other.least, self.most + other.most, self.layers + other.layers)


@dataclass(frozen=True, slots=True)
class Read:
    """A layer that reads another one.

    Attributes:
        source: the one that is read.
        target: the one that reads.
        port: as which of its inputs.
        forked: a fork stands behind the source.
        opens: it begins the first branch of that fork, with which the fork is priced.
        block: whose join the target is; None: it is none.
    """

    source: Layer
    target: Layer
    port: int
    forked: bool
    opens: bool
    block: Block | None

    @property
    def before(self) -> Layer | None:
        """The source; None: a fork."""
        return None if self.forked else self.source


@lru_cache(maxsize=1024)
def reads(network: Network) -> tuple[Read, ...]:
    """Return who reads whom, in the order of the readers."""
    joins = blocks(network)
    forks = {block.source.name: block for block in joins.values()}
    found = []
    for layer in network.layers:
        for port, name in enumerate(layer.inputs):
            if name == "input":
                continue
            fork = forks.get(name)
            opens = False
            if fork is not None:
                first = fork.branches[0]
                opens = first[0] == layer if first else layer == fork.join and port == 0
            found.append(
                Read(network[name], layer, port, fork is not None, opens, joins.get(layer.name))
            )
    return tuple(found)


def waiting_words(block: Block, port: int, pe: Ints) -> Ints:
    """Return the words that the FIFO in front of an input of a join has to hold.

    Args:
        block: the branches.
        port: which input.
        pe: elements per word.
    """
    own, other = lag(block.branches[port]), lag(block.branches[1 - port])
    elements = int(np.prod(block.join.shape_of(port)))
    # the join takes whole words: one more than what waits, and as many as come while it is the other's turn
    turn = block.join.turn_words(port, pe)
    ahead = np.ceil((other.most - own.least) * (elements // np.asarray(pe))) + turn
    waits = np.where(other.layers > 0, ahead + HANDOVER * other.layers, 0)
    room: Ints = np.maximum(waits, turn).astype(np.int64)
    return np.maximum(room, PLAIN_DEPTH)


@lru_cache(maxsize=1024)
def lag(parts: Series) -> Lag:
    """Return the lag of a branch."""
    total = Lag(0.0, 0.0, 0)
    for part in parts:
        total += _joined(part) if isinstance(part, Block) else _lag(part)
    return total


def _joined(block: Block) -> Lag:
    """Return the lag of a block: that of its slower branch, and a word of the join."""
    both = [lag(branch) for branch in block.branches]
    pixels = int(np.prod(block.join.input_shape[:-1]))
    return Lag(
        max(b.least for b in both),
        max(b.most for b in both) + 1 / pixels,
        max(b.layers for b in both) + 1,
    )


def _lag(layer: Layer) -> Lag:
    least, most = 0.0, 0.0
    if isinstance(layer, Conv2d | DepthwiseConv2d | MaxPool2d) and layer.windowed:
        least, most = _window(layer)
    if isinstance(layer, MatrixLayer) or layer.windowed:
        # a vector or window comes evenly, its sums or maxima leave evenly: one behind
        most += 1 / int(np.prod(layer.output_shape[:-1]))
    elif isinstance(layer, MaxPool2d):
        # a row of windows leaves with the last of its input rows, at once
        most += 1 / layer.output_shape[0] + 1 / layer.input_shape[0]
    elif not isinstance(layer, Duplicate):
        most += 1.0
    return Lag(least, most, 1)


def _window(layer: Conv2d | DepthwiseConv2d | MaxPool2d) -> tuple[float, float]:
    """Return the largest lead of a pixel's load over the write that needs it: its begin, and its end."""
    height, width, _ = layer.input_shape
    out_height, out_width, _ = layer.output_shape
    k, pixels, writes = layer.kernel, height * width, out_height * out_width * layer.kernel**2
    stride = layer.step if isinstance(layer, MaxPool2d) else layer.stride
    y, x, ky, kx = np.ogrid[:out_height, :out_width, :k, :k]
    row, column = y * stride - layer.padding + ky, x * stride - layer.padding + kx
    real = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    load = (row * width + column) / pixels
    write = ((y * out_width + x) * k**2 + ky * k + kx) / writes
    lead = float((load - write)[real].max())
    return max(lead, 0.0), max(lead + 1 / pixels, 0.0)
