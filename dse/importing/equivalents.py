"""Products that no unit of ours computes, as larger ones with zeros between their weights, which one does."""

from __future__ import annotations

from typing import Any

import numpy as np

from dse.importing.graph import Node, unsupported
from dse.importing.weights import Weights

ZERO_BITS = 2  # the fewest of weights that may be 0: one bit is -1 or +1
MOST_WEIGHTS = 2**27  # of a larger product


def larger(node: Node, weights: Weights, groups: int, dilation: int) -> tuple[Weights, str]:
    """Return the weights of a convolution of one group without dilation, and what became of it in words.

    Args:
        node: the convolution.
        weights: `(rows, k, k, channels of a group)`.
        groups: of channels; 1 also where there is a unit for them (depthwise).
        dilation: of the kernel.

    Raises:
        UsageError: it has far too many weights to be built.
    """
    rows, kernel, _, depth = weights.real.shape
    side = dilation * (kernel - 1) + 1
    if rows * side * side * depth * groups > MOST_WEIGHTS:
        raise unsupported(
            node,
            f"without groups and dilation it has more than {MOST_WEIGHTS:,} weights, and no unit leaves out the zeros",
            "use a depthwise convolution and a pointwise one",
        )
    said = []
    if dilation > 1:
        weights = undilated(weights, dilation)
        said.append(f"dilation {dilation} becomes windows of {side}x{side} pixels")
    if groups > 1:
        weights = ungrouped(weights, groups)
        said.append(f"its {groups} groups become one")
    return weights, " and ".join(said)


def ungrouped(weights: Weights, groups: int) -> Weights:
    """Return the weights of a grouped convolution as those of one group: zero where an output reads nothing.

    Args:
        weights: `(rows, k, k, channels of a group)`; the rows of a group stand together.
        groups: of channels.

    Returns:
        `(rows, k, k, channels)`, of two bits at least: block-diagonal along rows and channels.
    """

    def spread(array: Any) -> Any:
        rows, *kernel, depth = array.shape
        found = np.zeros((rows, *kernel, groups, depth), array.dtype)
        found[np.arange(rows), :, :, np.arange(rows) // (rows // groups)] = array
        return found.reshape(rows, *kernel, groups * depth)

    return _with_zeros(weights, spread)


def undilated(weights: Weights, dilation: int) -> Weights:
    """Return the weights of a dilated kernel as those of the square it covers: zero between its positions.

    Args:
        weights: `(rows, k, k, channels)`.
        dilation: pixels from one position of the kernel to the next.

    Returns:
        `(rows, side, side, channels)` with `side = dilation * (k - 1) + 1`, of two bits at least.
    """

    def spread(array: Any) -> Any:
        rows, height, width, depth = array.shape
        sides = (dilation * (height - 1) + 1, dilation * (width - 1) + 1)
        found = np.zeros((rows, *sides, depth), array.dtype)
        found[:, ::dilation, ::dilation] = array
        return found

    return _with_zeros(weights, spread)


def _with_zeros(weights: Weights, spread: Any) -> Weights:
    found = weights.arranged(spread)
    return Weights(found.real, found.start, found.codes, found.scale, max(found.bits, ZERO_BITS))
