"""Which axis of a foreign tensor is what: batch, channel, height, width, alone or flattened together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from dse.importing.graph import Floats, Node, unsupported

Axis: TypeAlias = tuple[str, ...]  # of "N", "C", "H", "W"
MAP: tuple[Axis, ...] = (("N",), ("C",), ("H",), ("W",))
VECTOR: tuple[Axis, ...] = (("N",), ("C", "H", "W"))


@dataclass(frozen=True)
class Layout:
    """The axes of a tensor.

    Attributes:
        axes: the labels of every axis, the slowest first where several are flattened together.
        sizes: of each label.
    """

    axes: tuple[Axis, ...]
    sizes: Mapping[str, int]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the foreign tensor."""
        return tuple(math.prod(self.sizes[x] for x in axis) for axis in self.axes)

    @property
    def stream(self) -> tuple[int, int, int]:
        """(H, W, C), the shape in a network of `dse.ir`."""
        return self.sizes["H"], self.sizes["W"], self.sizes["C"]

    @property
    def is_map(self) -> bool:
        """Whether the axes are (batch, channel, height, width)."""
        return self.axes == MAP

    def resized(self, height: int, width: int, channels: int) -> Layout:
        """Return the layout of a tensor of another size."""
        sizes = {**self.sizes, "H": height, "W": width, "C": channels}
        return replace(self, sizes=sizes)

    def transposed(self, node: Node, perm: tuple[int, ...]) -> Layout:
        """Return the layout after a transposition.

        Raises:
            UsageError: `perm` is none of the axes.
        """
        if sorted(perm) != list(range(len(self.axes))):
            raise unsupported(node, f"its perm must name the {len(self.axes)} axes of its input")
        return replace(self, axes=tuple(self.axes[i] for i in perm))

    def reshaped(self, node: Node, wanted: tuple[int, ...]) -> Layout:
        """Return the layout after a reshape that flattens axes, or drops or adds axes of size 1.

        Raises:
            UsageError: axes are split, or the sizes do not agree.
        """
        total = math.prod(self.shape)
        known = [
            self.shape[i] if d == 0 and i < len(self.shape) else d for i, d in enumerate(wanted)
        ]
        if known.count(-1) == 1:
            rest = math.prod(d for d in known if d != -1)
            known = [total // rest if d == -1 and rest > 0 else d for d in known]
        labels = [x for axis in self.axes for x in axis]
        axes: list[Axis] = []
        for size in known:
            group: list[str] = []
            while labels and (not group or math.prod(self.sizes[x] for x in group) < size):
                group.append(labels.pop(0))
            if math.prod(self.sizes[x] for x in group) != size:
                raise unsupported(
                    node,
                    f"it makes {list(wanted)} of {list(self.shape)}; only whole axes can be flattened",
                )
            axes.append(tuple(group))
        if not axes or any(self.sizes[x] != 1 for x in labels):
            raise unsupported(node, f"it makes {list(wanted)} of {list(self.shape)}")
        axes[-1] += tuple(labels)
        return replace(self, axes=tuple(axes))

    def along(self, node: Node, constant: Any) -> Floats:
        """Return a constant that meets the tensor as one number, `()`, or one per channel, `(C,)`.

        Raises:
            UsageError: it differs along another axis.
        """
        array = np.asarray(constant, dtype=np.float64)
        if array.size == 1 or np.all(array == array.flat[0]):
            return np.asarray(array.flat[0], dtype=np.float64)
        shape = (1,) * (len(self.axes) - array.ndim) + array.shape
        channels = self.sizes["C"]
        if len(shape) == len(self.axes) and array.size == channels:
            at = next(i for i, axis in enumerate(self.axes) if "C" in axis)
            if shape[at] == channels and self.shape[at] == channels:
                return array.ravel()
        raise unsupported(
            node,
            f"its constant of shape {list(array.shape)} must be one number, or one for each of the"
            f" {channels} channels",
        )

    def columns(self, node: Node, weights: Floats) -> Floats:
        """Return `(mh, inputs)` weights with the inputs in stream order (h, w, channel).

        Raises:
            UsageError: the tensor is no (batch, features), or of another size.
        """
        if len(self.axes) != 2 or self.axes[0] != ("N",) or weights.shape[1] != self.shape[1]:
            raise unsupported(
                node,
                f"its input must be (batch, {weights.shape[1]} features), it is {list(self.shape)}"
                f" ({' x '.join(''.join(a) or '1' for a in self.axes)})",
                "flatten the map in front of it",
            )
        labels = self.axes[1]
        cube = weights.reshape(len(weights), *(self.sizes[x] for x in labels))
        order = [1 + labels.index(x) for x in ("H", "W", "C") if x in labels]
        return cube.transpose(0, *order).reshape(len(weights), -1)
