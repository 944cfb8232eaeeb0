"""LHC jet tagger, 64-32-32 on 16 features (Duarte et al., JINST 13 P07027, 2018)."""

from __future__ import annotations

from dse.config.values import Stages
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.networks._build import fully_connected

DATA: str | None = None
STAGES = Stages(pretrain_epochs=10, finetune_epochs=5, finetune_images=6000, final_epochs=20)
HIDDEN = (64, 32, 32)


def build(
    input_shape: tuple[int, ...], input_type: IntType, classes: int, **options: float
) -> Network:
    """Return the network; option `width` scales the hidden layers.

    Raises:
        UsageError: an option is unknown or illegal.
    """
    return fully_connected("jet_mlp", input_shape, input_type, classes, HIDDEN, options)
