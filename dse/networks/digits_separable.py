"""Small depthwise-separable network for 8x8 digits, with a global average-pooling (ours)."""

from __future__ import annotations

from dse.config.values import Stages
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.networks._build import Chain, scaled, width_option

DATA: str | None = "digits"
STAGES = Stages(pretrain_epochs=40, finetune_epochs=10, finetune_images=2000, final_epochs=60)


def build(
    input_shape: tuple[int, ...], input_type: IntType, classes: int, **options: float
) -> Network:
    """Return conv 16, two blocks of depthwise 3x3 and pointwise convolution (32, 64), mean, dense `classes`.

    Args:
        input_shape: `(H, W, C)`, at least 4x4.
        input_type: type of the pixels.
        classes: number of classes.
        options: `width` scales the channels.

    Raises:
        UsageError: an option is unknown or illegal, or the images are too small.
    """
    width = width_option("digits_separable", options)
    chain = Chain("digits_separable", input_shape, input_type)
    chain.conv("conv1", scaled(16, width), kernel=3)
    chain.separable(1, scaled(32, width))
    chain.separable(2, scaled(64, width), stride=2)
    chain.mean("mean")
    chain.dense("fc", classes, activation=False)
    return chain.network()
