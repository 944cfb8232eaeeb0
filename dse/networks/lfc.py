"""Large fully connected network, 1024-1024-1024 (LFC of FINN: Umuroglu et al., FPGA 2017)."""

from __future__ import annotations

from dse.config.values import Stages
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.networks._build import fully_connected

DATA: str | None = None
STAGES = Stages(pretrain_epochs=8, finetune_epochs=3, finetune_images=3000, final_epochs=15)
HIDDEN = (1024, 1024, 1024)


def build(
    input_shape: tuple[int, ...], input_type: IntType, classes: int, **options: float
) -> Network:
    """Return the network; option `width` scales the hidden layers.

    Raises:
        UsageError: an option is unknown or illegal.
    """
    return fully_connected("lfc", input_shape, input_type, classes, HIDDEN, options)
