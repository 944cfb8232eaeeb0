"""Small convolutional network for 8x8 digits: three 3x3 convolutions, two dense layers (ours)."""

from __future__ import annotations

from dse.config.values import Stages
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.networks._build import Chain, scaled, width_option

DATA: str | None = "digits"
STAGES = Stages(pretrain_epochs=30, finetune_epochs=8, finetune_images=2000, final_epochs=60)


def build(
    input_shape: tuple[int, ...], input_type: IntType, classes: int, **options: float
) -> Network:
    """Return conv 16, conv 16, pool, conv 32, pool, dense 64, dense `classes`; 3x3 kernels, padded.

    Args:
        input_shape: `(H, W, C)`, at least 4x4.
        input_type: type of the pixels.
        classes: number of classes.
        options: `width` scales the channels.

    Raises:
        UsageError: an option is unknown or illegal, or the images are too small.
    """
    width = width_option("digits_cnn", options)
    chain = Chain("digits_cnn", input_shape, input_type)
    chain.conv("conv1", scaled(16, width), kernel=3, padding=1)
    chain.conv("conv2", scaled(16, width), kernel=3, padding=1)
    chain.pool("pool1")
    chain.conv("conv3", scaled(32, width), kernel=3, padding=1)
    chain.pool("pool2")
    chain.dense("fc1", scaled(64, width))
    chain.dense("fc2", classes, activation=False)
    return chain.network()
