"""Sizes of windows and shapes: what a node says of them, and whether it can be built."""

from __future__ import annotations

from dse.importing.graph import Node, unsupported
from dse.importing.values import Value
from dse.ir.layers.conv2d import convolved


def squeezed(node: Node, shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape with axes of size 1 added (Unsqueeze) or dropped; without `axes`, all of them."""
    if node.op == "Unsqueeze":
        rank = len(shape) + len(axes)
        found = list(shape)
        for axis in sorted(a % rank for a in axes):
            found.insert(axis, 1)
        return tuple(found)
    gone = {a % len(shape) for a in axes} if axes else {i for i, n in enumerate(shape) if n == 1}
    return tuple(n for i, n in enumerate(shape) if i not in gone)


def dilation(node: Node) -> int:
    """Return the pixels from one position of a kernel to the next."""
    return square(node, node.whole("dilations", (1, 1)), "dilation")


def window(
    node: Node, kernel: tuple[int, int], default: int = 1, dilated: int = 1
) -> tuple[int, int]:
    """Return stride and padding of windows that are square and the same on all sides.

    Args:
        node: what says so.
        kernel: its sides, without what a dilation adds.
        default: the stride where the node has none.
        dilated: the dilation that is built.
    """
    square(node, kernel, "kernel")
    square(node, node.whole("kernel_shape", kernel), "kernel")
    stride = square(node, node.whole("strides", (default, default)), "stride")
    pads = node.whole("pads", (0, 0, 0, 0))
    if node.text("auto_pad", "NOTSET") == "VALID":
        pads = (0, 0, 0, 0)
    elif node.text("auto_pad", "NOTSET") != "NOTSET":
        raise unsupported(node, "auto_pad must be NOTSET", "export with explicit padding")
    if len(set(pads)) != 1 or pads[0] < 0:
        raise unsupported(node, f"its padding must be the same on all sides, got {list(pads)}")
    if dilation(node) != dilated:
        raise unsupported(node, "dilated windows of a pooling are not supported")
    side = dilated * (kernel[0] - 1) + 1
    if pads[0] >= side:
        raise unsupported(node, f"its padding {pads[0]} must be below its window of {side} pixels")
    return stride, pads[0]


def square(node: Node, sides: tuple[int, ...], what: str) -> int:
    """Return the side of a square.

    Raises:
        UsageError: it is none.
    """
    if len(sides) != 2 or sides[0] != sides[1] or sides[0] < 1:
        raise unsupported(node, f"its {what} must be square, got {list(sides)}")
    return sides[0]


def pixels(node: Node, value: Value, kernel: int, stride: int, padding: int) -> tuple[int, int]:
    """Return height and width of the output of windows.

    Raises:
        UsageError: a window is larger than the map.
    """
    height, width = convolved(value.layout.stream, kernel, stride, padding)
    if height < 1 or width < 1:
        raise unsupported(
            node, f"its windows are larger than its input of {value.layout.stream[:2]}"
        )
    return height, width


def fits(value: Value, kernel: int, stride: int, padding: int) -> bool:
    """Whether windows cover the padded map without a rest."""
    return all((n + 2 * padding - kernel) % stride == 0 for n in value.layout.stream[:2])
