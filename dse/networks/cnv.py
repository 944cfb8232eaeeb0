"""CNV: six 3x3 convolutions without padding, three dense layers (FINN: Umuroglu et al., FPGA 2017)."""

from __future__ import annotations

from dse.config.values import Stages
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.networks._build import Chain, scaled, width_option

DATA: str | None = None
STAGES = Stages(pretrain_epochs=6, finetune_epochs=4, finetune_images=2000, final_epochs=10)
GROUPS = ((64, 64), (128, 128), (256, 256))


def build(
    input_shape: tuple[int, ...], input_type: IntType, classes: int, **options: float
) -> Network:
    """Return 64-64-P-128-128-P-256-256, dense 512-512-`classes`; made for 32x32 images.

    Args:
        input_shape: `(H, W, C)`, at least 30x30: pad 28x28 images by 2.
        input_type: type of the pixels.
        classes: number of classes.
        options: `width` scales the channels.

    Raises:
        UsageError: an option is unknown or illegal, or the images are too small.
    """
    width = width_option("cnv", options)
    chain = Chain("cnv", input_shape, input_type)
    layer = 0
    for group, channels in enumerate(GROUPS, start=1):
        for c in channels:
            layer += 1
            chain.conv(f"conv{layer}", scaled(c, width), kernel=3)
        if group < len(GROUPS):
            chain.pool(f"pool{group}")
    chain.dense("fc1", scaled(512, width))
    chain.dense("fc2", scaled(512, width))
    chain.dense("fc3", classes, activation=False)
    return chain.network()
