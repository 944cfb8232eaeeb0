"""Blocks of fused residual binary networks (BaseBNN, HyBNN), and their options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dse.errors import UsageError
from dse.ir.layers.average_pool2d import AveragePool2d
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.depthwise_conv2d import DepthwiseConv2d
from dse.ir.layers.duplicate import Duplicate
from dse.ir.layers.fused_add import FusedAdd
from dse.ir.layers.thresholding import Thresholding
from dse.ir.plugins import suggestion
from dse.networks._build import Chain, scaled, width_option

STEM = 32  # channels of the first convolution (MobileNetV1)
LARGE = 64  # pixels: maps beyond are halved by the first convolution, as in MobileNetV1
# channels and stride of the blocks of MobileNetV1
BLOCKS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1),) * 5,
    *((1024, 2), (1024, 1)),
)
LIMITS = {  # option: default, smallest, largest
    "blocks": (len(BLOCKS), 1, len(BLOCKS)),
    "stream": (10, 4, 16),
    "constants": (8, 4, 12),
    "shifts": (0, 0, 1),
}


@dataclass(frozen=True, slots=True)
class Lanes:
    """Fixed point of the residual stream: its bits, those of the constants, and whether these are shifts."""

    stream: int
    constants: int
    shifts: bool


def options_of(network: str, options: Mapping[str, float]) -> tuple[float, int, Lanes]:
    """Return width, number of blocks and the fixed point of the stream.

    Raises:
        UsageError: an option is unknown, no whole number, or out of range.
    """
    known = ("width", *LIMITS)
    for name in options:
        if name not in known:
            hint = suggestion(name, known)
            msg = f"model {network} has no option {name!r}.{hint} It has: {', '.join(known)}."
            raise UsageError(msg)
    found = {}
    for name, (default, low, high) in LIMITS.items():
        value = options.get(name, default)
        if value != int(value) or not low <= value <= high:
            msg = f"{name} of model {network} must be a whole number from {low} to {high}, got {value:g}"
            raise UsageError(msg)
        found[name] = int(value)
    width = width_option(network, {k: v for k, v in options.items() if k == "width"})
    lanes = Lanes(found["stream"], found["constants"], bool(found["shifts"]))
    return width, found["blocks"], lanes


def stem(chain: Chain, width: float, blocks: int) -> None:
    """Add the first convolution, which begins the residual stream: signed codes, not ReLU.

    Raises:
        UsageError: the images are too small for so many blocks.
    """
    chain.needs_map("conv1", 2 ** sum(stride == 2 for _, stride in BLOCKS[:blocks]))
    stride = 2 if min(chain.input_shape[:2]) > LARGE else 1
    chain.conv("conv1", scaled(STEM, width), 3, padding=1, stride=stride, signed=True)


def block(
    chain: Chain, number: int, channels: int, stride: int, lanes: Lanes, *, depthwise: bool
) -> None:
    """Add a block of two halves: 3x3 (standard or depthwise), and 1x1; each ends in a `FusedAdd`.

    The shortcut of the first is averaged where the stride is 2; that of the second has every channel twice where
    they double, which is ReActNet's concatenation of two branches that share it.

    Raises:
        UsageError: a map whose size is odd cannot be halved.
    """
    height, wide, now = chain.shape
    if stride == 2 and (height % 2 or wide % 2):
        msg = (
            f"model {chain.name}: block {number} halves a map of {height}x{wide}, whose sides must be even;"
            " pad the images (`pad:` in the data section) or take fewer blocks"
        )
        raise UsageError(msg)
    source, shortcut, name = chain.source, chain.source, f"b{number}"
    if stride == 2:
        pool = AveragePool2d(f"{name}_mean", (source,), chain.shape, kernel=2)
        chain.layers.append(pool)
        shortcut = pool.name
    sign = _sign(chain, f"{name}_sign1", source, (height, wide, now))
    layer: Conv2d | DepthwiseConv2d
    shared: dict[str, Any] = {"activation": False, "kernel": 3, "stride": stride, "padding": 1}
    if depthwise:
        layer = DepthwiseConv2d(f"{name}_conv1", (sign,), (height, wide, now), **shared)
    else:
        layer = Conv2d(f"{name}_conv1", (sign,), (height, wide, now), out_channels=now, **shared)
    _end(chain, f"{name}_add1", shortcut, layer, lanes)
    source = shortcut = chain.source
    shape = chain.shape
    if channels != now:
        twice = Duplicate(f"{name}_twice", (source,), shape)
        chain.layers.append(twice)
        shortcut = twice.name
    sign = _sign(chain, f"{name}_sign2", source, shape)
    layer = Conv2d(
        f"{name}_conv2", (sign,), shape, activation=False, out_channels=channels, kernel=1
    )
    _end(chain, f"{name}_add2", shortcut, layer, lanes)


def _sign(chain: Chain, name: str, source: str, shape: tuple[int, ...]) -> str:
    """Add thresholds, and return their name."""
    chain.layers.append(Thresholding(name, (source,), shape, activation=True, kernel=1))
    return name


def _end(
    chain: Chain, name: str, shortcut: str, sums: Conv2d | DepthwiseConv2d, lanes: Lanes
) -> None:
    """Add a product and the fused sum behind it."""
    shape = sums.output_shape
    fixed = lanes.stream, lanes.constants, lanes.shifts
    chain.layers.append(sums)
    chain.layers.append(FusedAdd(name, (shortcut, sums.name), shape, (True, True), *fixed))
