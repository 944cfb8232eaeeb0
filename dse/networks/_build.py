"""Helpers of the built-in networks: options, widths, and layers in a row, with residual blocks.

A network is a module of this folder with a function
`build(input_shape, input_type, classes, **options) -> Network`, the name `DATA` of its built-in data set (None
where a study must name one) and `STAGES`, its training effort.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from dse.errors import UsageError
from dse.ir.layers._base import Layer
from dse.ir.layers.add import Add
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.layers.depthwise_conv2d import DepthwiseConv2d
from dse.ir.layers.global_average_pool import GlobalAveragePool
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.ir.plugins import suggestion

CHANNEL_STEP = 4  # scaled widths are multiples of it, so that they fold


def width_option(network: str, options: Mapping[str, float]) -> float:
    """Return the option `width`, 1 where it is not given.

    Raises:
        UsageError: another option is given, or a width that is not above 0.
    """
    for name in options:
        if name != "width":
            hint = suggestion(name, ("width",))
            msg = f"model {network} has no option {name!r}.{hint} It has: width."
            raise UsageError(msg)
    width = options.get("width", 1.0)
    if not 0 < width <= 16:
        msg = f"width of model {network} must be above 0 and at most 16, got {width:g}; try 0.5"
        raise UsageError(msg)
    return width


def scaled(channels: int, width: float) -> int:
    """Return `channels` times `width`, rounded to a multiple of 4; as it is where the width is 1."""
    if width == 1:
        return channels
    return max(CHANNEL_STEP, CHANNEL_STEP * round(channels * width / CHANNEL_STEP))


@dataclass
class Chain:
    """Layers one behind the other, or in residual blocks, while they are being listed."""

    name: str
    input_shape: tuple[int, ...]
    input_type: IntType
    layers: list[Layer] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the last output."""
        return self.layers[-1].output_shape if self.layers else self.input_shape

    @property
    def source(self) -> str:
        """Name of the last layer."""
        return self.layers[-1].name if self.layers else "input"

    def conv(
        self,
        name: str,
        channels: int,
        kernel: int,
        padding: int = 0,
        stride: int = 1,
        *,
        signed: bool = False,
    ) -> None:
        """Add a convolution with an activation; `signed`: without ReLU."""
        self.needs_map(name, max(kernel - 2 * padding, stride))
        self.layers.append(
            Conv2d(
                name,
                (self.source,),
                self.shape,
                activation=True,
                signed=signed,
                out_channels=channels,
                kernel=kernel,
                stride=stride,
                padding=padding,
            )
        )

    def residual(self, name: str, *convs: tuple[int, int, int]) -> None:
        """Add a block: convolutions `name`_conv1, ..., a shortcut, and the sum of both.

        The shortcut is a pointwise convolution `name`_proj where the shape changes.

        Args:
            name: of the block.
            convs: channels, kernel and stride of each; padding keeps the map of stride 1 as it is.
        """
        source, shape = self.source, self.shape
        for i, (channels, kernel, stride) in enumerate(convs, start=1):
            self.conv(
                f"{name}_conv{i}", channels, kernel, kernel // 2, stride, signed=i == len(convs)
            )
        end, out = self.source, self.shape
        if out != shape:
            projection = Conv2d(
                f"{name}_proj",
                (source,),
                shape,
                activation=True,
                signed=True,
                out_channels=out[-1],
                kernel=1,
                stride=math.prod(stride for _, _, stride in convs),
            )
            self.layers.append(projection)
            source = projection.name
        self.layers.append(Add(f"{name}_add", (end, source), out, (True, out != shape)))

    def separable(self, number: int, channels: int, stride: int = 1) -> None:
        """Add a depthwise 3x3 convolution dw`number` and a pointwise one pw`number`, with activations."""
        name = f"dw{number}"
        self.needs_map(name, stride)
        self.layers.append(
            DepthwiseConv2d(
                name,
                (self.source,),
                self.shape,
                activation=True,
                kernel=3,
                stride=stride,
                padding=1,
            )
        )
        self.conv(f"pw{number}", channels, kernel=1)

    def mean(self, name: str) -> None:
        """Add a global average-pooling."""
        self.needs_map(name, 1)
        self.layers.append(GlobalAveragePool(name, (self.source,), self.shape))

    def pool(self, name: str, kernel: int = 2, stride: int | None = None, padding: int = 0) -> None:
        """Add a max-pooling; `stride`: `kernel` where it is not given."""
        self.needs_map(name, kernel - 2 * padding)
        pool = MaxPool2d(name, (self.source,), self.shape, kernel, stride, padding)
        self.layers.append(pool)

    def dense(self, name: str, features: int, *, activation: bool = True) -> None:
        """Add a fully connected layer; the last one has no activation."""
        self.layers.append(
            Dense(name, (self.source,), self.shape, activation=activation, out_features=features)
        )

    def network(self) -> Network:
        """Return what was listed."""
        return Network(self.name, self.input_shape, self.input_type, tuple(self.layers))

    def needs_map(self, layer: str, pixels: int) -> None:
        """Raise UsageError where a layer does not find a map of so many pixels a side."""
        if len(self.shape) != 3:
            msg = (
                f"model {self.name} takes images (height, width, channels), got inputs of shape"
                f" {self.shape}; choose tfc or another fully connected model"
            )
            raise UsageError(msg)
        height, width, _ = self.shape
        if min(height, width) < pixels:
            msg = (
                f"model {self.name}: layer {layer} needs a map of at least {pixels}x{pixels}, but"
                f" {height}x{width} is left of an input of {self.input_shape[0]}x{self.input_shape[1]};"
                " use larger images or pad them (`pad:` in the data section)"
            )
            raise UsageError(msg)


def fully_connected(
    name: str,
    input_shape: tuple[int, ...],
    input_type: IntType,
    classes: int,
    hidden: tuple[int, ...],
    options: Mapping[str, float],
) -> Network:
    """Return a network of fully connected layers fc1, fc2, ..., with `hidden` features in between."""
    width = width_option(name, options)
    chain = Chain(name, input_shape, input_type)
    for i, features in enumerate(hidden, start=1):
        chain.dense(f"fc{i}", scaled(features, width))
    chain.dense(f"fc{len(hidden) + 1}", classes, activation=False)
    return chain.network()
