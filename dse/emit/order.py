"""What a project is asked for: one trained design, what it is built for, and what it is shown to compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dse.ir.accelerator import Accelerator, Integers
from dse.ir.design import DesignPoint
from dse.ir.hardware import Board, HardwareEstimate
from dse.ir.network import Network


@dataclass(frozen=True, kw_only=True, eq=False)
class Order:
    """An order for a project, of either flow.

    Attributes:
        study: name of the study.
        network: of the study, before any pruning.
        design: a legal design of the network.
        accelerator: the integers; its network is the one that is built.
        board: what it is built for.
        clock_mhz: target clock.
        estimate: predicted cost, for design.json and README.md.
        images: `(n, *input_shape)` integers, golden vectors; best from the test split.
        labels: `(n,)`.
        accuracy: measured accuracies of the integer network by split, for design.json and README.md.
    """

    study: str
    network: Network
    design: DesignPoint
    accelerator: Accelerator
    board: Board
    clock_mhz: float
    estimate: HardwareEstimate
    images: Integers
    labels: Integers
    accuracy: Mapping[str, float] = field(default_factory=dict)
