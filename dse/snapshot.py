"""A study at one moment, as report, status and inspect read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from dse.config.values import StudyConfig
from dse.ir.design import DesignPoint
from dse.ir.hardware import HardwareEstimate
from dse.ir.milestone import Milestone
from dse.ir.network import Network
from dse.ir.record import FinalRecord, TrialRecord
from dse.ir.synthesised import SynthesisedDesign


@dataclass(frozen=True, slots=True)
class StudySnapshot:
    """All that is known about a study at one moment: what report, status and inspect read.

    Attributes:
        config: the checked study file.
        network: the network of the study, before any pruning.
        records: all finished trials, by id.
        finals: designs trained at full budget, by design digest; empty while the search runs.
        repeated: proposals that were answered from cache.
        state: "running" (a driver holds it), "stopped" (budget not met) or "complete".
        stop_reason: why the search ended, in words.
        seconds: search time so far.
        created: ISO 8601 time, UTC.
        updated: ISO 8601 time of the last finished trial, UTC.
        written_by: "dse 0.1.0".
        versions: package -> version of what ran it.
        machine: class of the machine that began it; empty where that was not kept.
        base_accuracy: validation accuracy of the float network as a fraction; None before pretraining, and without.
        synthesised: designs that were synthesised, or could not be, by design digest.
        milestones: what happened besides trials, oldest first; empty in studies of dse 0.1.
        overrides: texts "key=value" behind `--set` that it was run with.
        forked: name of the study whose trials it began from; empty where it began by itself.
        price: what the cost model says of a design of this study; None where the model's file is not there.
        model_facts: what the file of the cost model states about itself; empty where there is none.
    """

    config: StudyConfig
    network: Network
    records: tuple[TrialRecord, ...]
    finals: Mapping[str, FinalRecord]
    repeated: int
    state: Literal["running", "stopped", "complete"]
    stop_reason: str
    seconds: float
    created: str
    updated: str
    written_by: str
    versions: Mapping[str, str]
    base_accuracy: float | None
    synthesised: Mapping[str, SynthesisedDesign] = field(default_factory=dict)
    model_facts: Mapping[str, Any] = field(default_factory=dict)
    machine: str = ""
    milestones: tuple[Milestone, ...] = ()
    overrides: tuple[str, ...] = ()
    forked: str = ""
    price: Callable[[DesignPoint], HardwareEstimate] | None = None
