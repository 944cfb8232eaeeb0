"""ResNet-50 (He et al., CVPR 2016; strides in the 3x3 convolutions, as torchvision has them)."""

from __future__ import annotations

from dse.config.values import Stages
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.networks._build import Chain, scaled, width_option

DATA: str | None = None
STAGES = Stages(pretrain_epochs=10, finetune_epochs=4, finetune_images=2000, final_epochs=15)
# inner channels, blocks and stride of the first block (table 1 of the paper; outputs have four times the channels)
GROUPS = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))


def build(
    input_shape: tuple[int, ...], input_type: IntType, classes: int, **options: float
) -> Network:
    """Return conv 7x7 64, max-pool 3x3, 16 bottleneck blocks, mean, dense `classes`.

    224x224x3 images, 1000 classes and width 1 are the published network: 53 convolutions and a dense layer with
    25.5 million weights, 4.1 thousand million multiply-accumulates.

    Args:
        input_shape: `(H, W, C)`, at least 17x17: five layers halve it.
        input_type: type of the pixels.
        classes: number of classes.
        options: `width` scales the channels.

    Raises:
        UsageError: an option is unknown or illegal, or the images are too small.
    """
    width = width_option("resnet50", options)
    chain = Chain("resnet50", input_shape, input_type)
    chain.conv("conv1", scaled(64, width), kernel=7, padding=3, stride=2)
    chain.pool("pool1", kernel=3, stride=2, padding=1)
    number = 0
    for channels, blocks, first in GROUPS:
        inner, outer = scaled(channels, width), 4 * scaled(channels, width)
        for i in range(blocks):
            number += 1
            stride = first if i == 0 else 1
            chain.residual(f"b{number}", (inner, 1, 1), (inner, 3, stride), (outer, 1, 1))
    chain.mean("mean")
    chain.dense("fc", classes, activation=False)
    return chain.network()
