"""HyBNN: binary depthwise-separable blocks with residuals (Yang et al., TRETS 2023), some of 4 bits."""

from __future__ import annotations

from dse.config.values import Stages
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.networks._build import Chain, scaled
from dse.networks._fused import BLOCKS, block, options_of, stem

DATA: str | None = None
STAGES = Stages(pretrain_epochs=10, finetune_epochs=4, finetune_images=2000, final_epochs=15)


def build(
    input_shape: tuple[int, ...], input_type: IntType, classes: int, **options: float
) -> Network:
    """Return conv 32, 13 blocks of a depthwise 3x3 and a 1x1 convolution with shortcuts, mean, dense `classes`.

    Reconstructed from the abstract: MobileNetV1 with the residual stream of BaseBNN. The precision of a block is a
    knob: the activation bits of its thresholds (`b*_sign*`) and the weight bits of `b*_conv*`.

    Args:
        input_shape: `(H, W, C)`; every block that halves the map needs an even one.
        input_type: type of the pixels.
        classes: number of classes.
        options: `width` scales the channels, `blocks` keeps the first so many, `stream` are the bits of the
            residual stream, `constants` those of its constants, `shifts` 1 makes these powers of two.

    Raises:
        UsageError: an option is unknown or illegal, or the images do not fit.
    """
    width, blocks, lanes = options_of("hybnn", options)
    chain = Chain("hybnn", input_shape, input_type)
    stem(chain, width, blocks)
    for number, (channels, stride) in enumerate(BLOCKS[:blocks], start=1):
        block(chain, number, scaled(channels, width), stride, lanes, depthwise=True)
    chain.mean("mean")
    chain.dense("fc", classes, activation=False)
    return chain.network()
