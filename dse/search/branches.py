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

from dse.ir.graph import Block, Series
from dse.ir.layers._base import Layer, MatrixLayer
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.depthwise_conv2d import DepthwiseConv2d
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.units import Ints
from dse.search.joints import PLAIN_DEPTH

# cycles that the units and FIFOs of a layer take to hand a word on, and so the words that may pass meanwhile
HANDOVER = 8


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


def waiting_words(block: Block, port: int, pe: Ints) -> Ints:
    """Return the words that the FIFO in front of an input of a join has to hold.

    Args:
        block: the branches.
        port: which input.
        pe: elements per word.
    """
    own, other = lag(block.branches[port]), lag(block.branches[1 - port])
    elements = int(np.prod(block.join.input_shape))
    # the join takes whole words: one more than what waits
    ahead = np.ceil((other.most - own.least) * (elements // np.asarray(pe))) + 1
    room: Ints = np.where(other.layers > 0, ahead + HANDOVER * other.layers, 0).astype(np.int64)
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
    if isinstance(layer, Conv2d | DepthwiseConv2d) and layer.windowed:
        least, most = _window(layer)
    if isinstance(layer, MatrixLayer):
        most += 1 / layer.vectors  # a vector comes evenly, its sums leave evenly: one behind
    elif isinstance(layer, MaxPool2d):
        # a row of windows leaves with the last of its input rows, at once
        most += 1 / layer.output_shape[0] + 1 / layer.input_shape[0]
    else:
        most += 1.0
    return Lag(least, most, 1)


def _window(layer: Conv2d | DepthwiseConv2d) -> tuple[float, float]:
    """Return the largest lead of a pixel's load over the write that needs it: its begin, and its end."""
    height, width, _ = layer.input_shape
    out_height, out_width, _ = layer.output_shape
    k, pixels, writes = layer.kernel, height * width, out_height * out_width * layer.kernel**2
    y, x, ky, kx = np.ogrid[:out_height, :out_width, :k, :k]
    row, column = y * layer.stride - layer.padding + ky, x * layer.stride - layer.padding + kx
    real = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    load = (row * width + column) / pixels
    write = ((y * out_width + x) * k**2 + ky * k + kx) / writes
    lead = float((load - write)[real].max())
    return max(lead, 0.0), max(lead + 1 / pixels, 0.0)
