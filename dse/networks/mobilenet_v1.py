"""MobileNetV1: 13 depthwise-separable convolutions (Howard et al., arXiv:1704.04861, 2017)."""

from __future__ import annotations

from dse.config.values import Stages
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.networks._build import Chain, scaled, width_option

DATA: str | None = None
STAGES = Stages(pretrain_epochs=10, finetune_epochs=4, finetune_images=2000, final_epochs=15)
# channels and stride of the blocks (table 1 of the paper; its last stride of 2 is a misprint: the map stays 7x7)
BLOCKS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1),) * 5,
    *((1024, 2), (1024, 1)),
)


def build(
    input_shape: tuple[int, ...], input_type: IntType, classes: int, **options: float
) -> Network:
    """Return conv 32, 13 blocks of depthwise 3x3 and pointwise convolution, mean, dense `classes`.

    224x224x3 images, 1000 classes and width 1 are the published network: 28 layers with weights, 4.2
    million of them, 569 million multiply-accumulates.

    Args:
        input_shape: `(H, W, C)`, at least 17x17: five layers halve it.
        input_type: type of the pixels.
        classes: number of classes.
        options: `width` scales the channels (the paper has 1, 0.75, 0.5 and 0.25).

    Raises:
        UsageError: an option is unknown or illegal, or the images are too small.
    """
    width = width_option("mobilenet_v1", options)
    chain = Chain("mobilenet_v1", input_shape, input_type)
    chain.conv("conv1", scaled(32, width), kernel=3, padding=1, stride=2)
    for number, (channels, stride) in enumerate(BLOCKS, start=1):
        chain.separable(number, scaled(channels, width), stride)
    chain.mean("mean")
    chain.dense("fc", classes, activation=False)
    return chain.network()
