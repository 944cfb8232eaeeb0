"""VGG-like network of the first BNNs: six padded 3x3 convolutions (Courbariaux et al., 2016)."""

from __future__ import annotations

from dse.config.values import Stages
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.networks._build import Chain, scaled, width_option

DATA: str | None = None
STAGES = Stages(pretrain_epochs=6, finetune_epochs=3, finetune_images=1000, final_epochs=10)
GROUPS = ((128, 128), (256, 256), (512, 512))


def build(
    input_shape: tuple[int, ...], input_type: IntType, classes: int, **options: float
) -> Network:
    """Return 128-128-P-256-256-P-512-512-P, dense 1024-1024-`classes` (arXiv 1602.02830).

    Args:
        input_shape: `(H, W, C)`, at least 8x8.
        input_type: type of the pixels.
        classes: number of classes.
        options: `width` scales the channels.

    Raises:
        UsageError: an option is unknown or illegal, or the images are too small.
    """
    width = width_option("vgg_bnn", options)
    chain = Chain("vgg_bnn", input_shape, input_type)
    layer = 0
    for group, channels in enumerate(GROUPS, start=1):
        for c in channels:
            layer += 1
            chain.conv(f"conv{layer}", scaled(c, width), kernel=3, padding=1)
        chain.pool(f"pool{group}")
    chain.dense("fc1", scaled(1024, width))
    chain.dense("fc2", scaled(1024, width))
    chain.dense("fc3", classes, activation=False)
    return chain.network()
