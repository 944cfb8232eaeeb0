"""LeNet-5 with max-pooling (LeCun et al., Proceedings of the IEEE 86(11), 1998)."""

from __future__ import annotations

from dse.config.values import Stages
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.networks._build import Chain, scaled, width_option

DATA: str | None = None
STAGES = Stages(pretrain_epochs=8, finetune_epochs=4, finetune_images=4000, final_epochs=15)


def build(
    input_shape: tuple[int, ...], input_type: IntType, classes: int, **options: float
) -> Network:
    """Return conv 6, pool, conv 16, pool, dense 120, dense 84, dense `classes`; 5x5 kernels.

    The 28x28 images of MNIST give the published maps with the first convolution padded by 2; 32x32 images
    work as well.

    Args:
        input_shape: `(H, W, C)`, at least 12x12.
        input_type: type of the pixels.
        classes: number of classes.
        options: `width` scales the channels.

    Raises:
        UsageError: an option is unknown or illegal, or the images are too small.
    """
    width = width_option("lenet5", options)
    chain = Chain("lenet5", input_shape, input_type)
    chain.conv("conv1", scaled(6, width), kernel=5, padding=2)
    chain.pool("pool1")
    chain.conv("conv2", scaled(16, width), kernel=5)
    chain.pool("pool2")
    chain.dense("fc1", scaled(120, width))
    chain.dense("fc2", scaled(84, width))
    chain.dense("fc3", classes, activation=False)
    return chain.network()
