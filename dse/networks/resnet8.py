"""ResNet-8 of MLPerf Tiny (Banbury et al., NeurIPS 2021): three residual blocks for small images."""

from __future__ import annotations

from dse.config.values import Stages
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.networks._build import Chain, scaled, width_option

DATA: str | None = "cifar10"
STAGES = Stages(pretrain_epochs=30, finetune_epochs=6, finetune_images=10000, final_epochs=40)
BLOCKS = ((16, 1), (32, 2), (64, 2))  # channels and stride


def build(
    input_shape: tuple[int, ...], input_type: IntType, classes: int, **options: float
) -> Network:
    """Return conv 16, three blocks of two 3x3 convolutions, mean, dense `classes`.

    32x32x3 images, 10 classes and width 1 are the published network: 77,360 weights, 12.5 million
    multiply-accumulates.

    Args:
        input_shape: `(H, W, C)`, at least 4x4.
        input_type: type of the pixels.
        classes: number of classes.
        options: `width` scales the channels.

    Raises:
        UsageError: an option is unknown or illegal, or the images are too small.
    """
    width = width_option("resnet8", options)
    chain = Chain("resnet8", input_shape, input_type)
    chain.needs_map("conv1", 4)
    chain.conv("conv1", scaled(16, width), kernel=3, padding=1)
    for number, (channels, stride) in enumerate(BLOCKS, start=1):
        outputs = scaled(channels, width)
        chain.residual(f"b{number}", (outputs, 3, stride), (outputs, 3, 1))
    chain.mean("mean")
    chain.dense("fc", classes, activation=False)
    return chain.network()
