"""What a study file says, checked and in one unit each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dse.config.tree import Node
from dse.ir.hardware import Board, Resources
from dse.ir.metrics import Direction

CHOICES = ("promising", "uncertain", "both")  # of designs to synthesise
SYNTHESISERS = ("yosys", "vitis_hls")
INPUT_LINE = ("input_scale", "input_offset")  # what an integer of the data stands for in a model
Keep = Literal["front", "all"]
STEPS = re.compile(r"balanced\((?:\+-|±)([1-3])\)")  # more steps are `fold: free` by another name
SAMPLERS = ("auto", "nsga2", "nsga3", "tpe", "gp", "random", "qmc")


@dataclass(frozen=True, slots=True)
class Objective:
    """A metric name and the direction that is better."""

    metric: str
    direction: Direction


@dataclass(frozen=True, slots=True)
class Constraint:
    """`metric op limit`, the limit in the unit of the metric's key (accuracy a fraction, latency us).

    `share` is the fraction of the board where the file gave a percentage of a resource; `limit` is then
    already a count (of the board after `reserve`).
    """

    metric: str
    op: Literal["<=", ">="]
    limit: float
    text: str  # as written, for messages and reports
    share: float | None = None
    line: int = 0  # 1-based position in the study file; 0 for a built-in rule
    column: int = 0


@dataclass(frozen=True, slots=True)
class Knobs:
    """The searched values of a layer; None: not mentioned at this level.

    Every tuple lists the values in ascending order (or as written, for names). One value is fixed.
    """

    weight_bits: tuple[int, ...] | None = None
    activation_bits: tuple[int, ...] | None = None
    scheme: tuple[str, ...] | None = None
    sparsity: tuple[float, ...] | None = None
    block: tuple[tuple[int, int], ...] | None = None
    beta: tuple[float, ...] | None = None
    prune_by: tuple[str, ...] | None = None
    lambda_threshold: tuple[float, ...] | None = None
    lambda_pooling: tuple[float, ...] | None = None
    spatial_keep: tuple[float, ...] | None = None
    spatial_tile: tuple[int, ...] | None = None
    fold: str | None = None  # "balanced", "free" or "balanced(+-N)", see `fold_steps`
    pe: tuple[int, ...] | None = None
    simd: tuple[int, ...] | None = None
    memory: tuple[str, ...] | None = None
    compute: tuple[str, ...] | None = None
    edge_skip: tuple[str, ...] | None = None
    tie: tuple[str, ...] | None = None  # knob names with one choice for all matched layers


def fold_steps(fold: str | None) -> int:
    """Return by how many legal foldings a layer may be off the common pace: N of `balanced(+-N)`, else 0."""
    match = STEPS.fullmatch(fold or "")
    return int(match[1]) if match else 0


@dataclass(frozen=True, slots=True)
class Factor:
    """A number, or a property of a layer (`pe`, `cycles`, ...), as it is or over all layers."""

    name: str | None  # None: the number
    over: str = ""  # "max", "min" or "sum" of all layers; "": of each layer
    number: float = 1.0
    power: int = 1  # -1: it divides


@dataclass(frozen=True, slots=True)
class Requirement:
    """A product of factors that must stay within a limit, for every layer, before a trial is spent."""

    factors: tuple[Factor, ...]
    op: Literal["<=", ">="]
    limit: float
    text: str  # as written, for messages
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Space:
    """Knobs for all layers, then overrides by pattern, later ones winning."""

    defaults: Knobs
    layers: tuple[tuple[str, Knobs], ...]  # (fnmatch pattern, knobs)
    require: tuple[Requirement, ...] = ()


@dataclass(frozen=True, slots=True)
class Budget:
    """Totals over all resumes, never "more"."""

    trials: int = 200
    time_s: float | None = None
    patience: int | None = None
    failures: float = 0.5  # fraction of finished trials; checked from 10 trials on


@dataclass(frozen=True, slots=True)
class Measured:
    """A stage `accuracy`: accuracies on some validation images, and which designs go on from there."""

    images: int | None = None  # None: all
    keep: float = 1.0  # share of the designs measured there that the stage passes on


@dataclass(frozen=True, slots=True)
class Stages:
    """Training effort; None: the default of the built-in model."""

    pretrain_epochs: int | None = None  # float network, once per study
    finetune_epochs: int | None = None  # every candidate that is trained, after the short part
    finetune_images: int | None = None  # training images per candidate; None: all
    final_epochs: int | None = None  # survivors of the front
    keep: Keep | None = None  # what is trained of what hardware accepts; "front": what may move it
    short_epochs: int | None = None  # a first, short part of finetuning; None or 0: there is none
    post_training: Measured | None = (
        None  # `accuracy` in front of all training; None: there is none
    )
    finetune_keep: float = 1.0  # share of the finetuned designs that go on
    accuracy: Measured | None = None  # `accuracy` behind the training; None: there is none

    @property
    def lists_accuracy(self) -> bool:
        """Whether the study says where accuracies are measured: it trains no more than it says, then."""
        return self.post_training is not None or self.accuracy is not None


@dataclass(frozen=True, slots=True)
class Parallel:
    """Where candidates are evaluated."""

    ray: str = "local"  # "local" | "auto" | "host:port"
    workers: int | None = None  # None: as many as there is room for
    timeout_s: float | None = None  # per candidate
    retries: int = 2  # of a candidate whose worker died
    cpus: int = 1  # per candidate
    gpus: float = 0.0  # per candidate; below 1: a share of one
    memory_kib: float | None = None  # per candidate; None: not counted


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """A built-in network and its options, or one from outside.

    Attributes:
        name: of the built-in network, or what the network from outside is called.
        options: numbers, e.g. {"width": 0.25}; of a network from outside `INPUT_LINE`.
        onnx: file that the network comes from.
        function: "package.module:callable" that returns the network as a torch module.
        folder: of the study file, where `function` is looked for first.
        input: (batch, height, width, channels) or (batch, features) as the file states it; None: it does not.
        kept: where a study that was made before keeps what `function` returned, which is read instead: who looks
            at a study runs no Python of it. None: `function` is called.
    """

    name: str
    options: Mapping[str, float] = field(default_factory=dict)
    onnx: Path | None = None
    function: str | None = None
    folder: Path | None = field(default=None, compare=False)
    input: tuple[int, ...] | None = None
    kept: Path | None = field(default=None, compare=False)

    @property
    def imported(self) -> bool:
        """Whether the network comes from outside."""
        return self.onnx is not None or self.function is not None


@dataclass(frozen=True, slots=True)
class DataConfig:
    """A data set: a loader of `dse.data` by name, with its files and options.

    `limit` caps the images of a split ("train", "validation", "test") after shuffling.
    `files` are those of the splits ("train", "calibrate", "validate", "test"), of a data set that has one each.
    """

    name: str  # a file in dse/data/
    path: Path | None = None  # file or folder, resolved against the study file
    pad: int = 0  # pixels added on every side
    validation: float | None = None  # fraction of the training images; None: loader's default
    limit: Mapping[str, int] = field(default_factory=dict)
    size: int | None = None  # pixels of a side, where files do not say; None: loader's default
    classes: int | None = None  # the same
    files: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Synthesise:
    """Which designs are synthesised while the search goes on, to correct the cost model.

    Up to `top` designs of the front for every `every` finished trials, and `top` of the last front.
    """

    top: int = 5
    every: int | None = None  # finished trials; None: a quarter of the budget
    choose: str = "both"  # one of CHOICES
    tool: str = "yosys"  # one of SYNTHESISERS
    timeout_s: float = 1800.0  # per design

    def period(self, trials: int) -> int:
        """Return `every`, or its default for a budget of trials."""
        return self.every or max(1, trials // 4)


@dataclass(frozen=True, slots=True)
class CostModelConfig:
    """What predicts resources: a built-in model, or a file that `dse calibrate` wrote."""

    name: str = "analytic"
    file: Path | None = None  # instead of the name
    synthesise: Synthesise | None = None  # None: nothing is synthesised


@dataclass(frozen=True, slots=True)
class ReportConfig:
    """Where the report is written, and how often while the study runs."""

    file: Path | None = None  # None: report.html in the study's folder
    every_s: float | None = None  # None: at the end only


@dataclass(frozen=True, slots=True)
class StudyConfig:
    """A checked study file."""

    study: str
    description: str
    seed: int
    model: ModelConfig
    data: DataConfig
    board: Board
    clock_mhz: float
    reserve: Resources
    space: Space
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...]
    seeds: tuple[str, ...]
    sampler: str
    budget: Budget
    stages: Stages
    confidence: float  # of the interval whose upper end constraints use; 0.9
    parallel: Parallel
    storage: str  # "file" or a URL
    report: ReportConfig | None  # None: none is written
    path: Path  # of the study file
    text: str  # of the study file, byte for byte
    # dotted path of every value -> (line, column), counted from 1; line 0 where an override gave it
    marks: Mapping[str, tuple[int, int]]
    overrides: tuple[str, ...] = ()  # "budget.trials=50", applied to the text
    cost_model: CostModelConfig = CostModelConfig()
    artifacts: Path | None = None  # folder of weights and projects; None: the study's own
    # the file as read, before overrides: where messages find the place of a value
    tree: Node | None = field(default=None, compare=False, repr=False)
