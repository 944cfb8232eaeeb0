"""What a report shows: numbers and names, no layout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from dse.config.values import Constraint, Objective
from dse.ir.design import DesignPoint
from dse.ir.hardware import Board, Resources
from dse.ir.milestone import Milestone
from dse.ir.record import CountedInterval, Prediction, StageAccuracy
from dse.report.feasibility import Feasibility
from dse.report.skipping import Skipping
from dse.report.trust import SynthesisView, Trust


@dataclass(frozen=True, slots=True)
class Counts:
    """How many trials there are of each kind."""

    budget: int
    finished: int
    feasible: int
    infeasible: int
    failed: int
    repeated: int  # answered from cache; they cost no budget
    passed: int  # passed over before training: too little to expect; they cost no budget
    foldings: int  # further foldings of what was trained for another trial; they cost no budget
    front: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What a design takes of one resource of the board; all counts."""

    resource: str
    expected: float
    low: float  # ends of the 90 % interval
    high: float
    board: float
    reserve: float  # for what is not ours
    limit: float | None  # the tightest upper limit; `high` must stay below it

    @property
    def share(self) -> float:
        """Fraction of the board; 0 where the board has none."""
        return self.expected / self.board if self.board else 0.0


@dataclass(frozen=True, slots=True)
class LayerView:
    """How one layer is built and what it costs. Shapes are those that are built."""

    name: str
    kind: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    weight_bits: int | None  # None: no weights
    activation_bits: int | None
    scheme: str
    sparsity: float
    block: tuple[int, int] | None
    pe: int
    simd: int
    memory: str
    compute: str
    edge_skip: str  # "off", "lockstep" or "ooo"
    cycles: int
    pace: float  # cycles as a fraction of those of the slowest layer
    efficiency: (
        float | None
    )  # executed MACs per cycle over PE * SIMD; None where they depend on the data
    resources: Resources  # expected
    weight_kib: float
    bottleneck: bool


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """What sets the frame rate, and what the next legal folding of it would give."""

    layer: str
    unit: str  # "matrix unit", "sliding window unit", "pooling unit" or "width converter"
    cycles: int
    next_fold: tuple[int, int] | None  # (PE, SIMD); None where there is none
    next_cycles: int | None  # between frames with it
    next_layer: str | None  # the layer that would then be the slowest
    next_price: Resources | None = (
        None  # what that folding adds, expected; None: no cost model at hand
    )


@dataclass(frozen=True, slots=True)
class Slack:
    """How far a design is from one constraint."""

    text: str
    metric: str
    value: float  # what is compared: the upper end of the interval for a limited resource
    limit: float
    violation: float  # (value - limit) / limit for <=, the negative for >=; <= 0 holds


@dataclass(frozen=True, slots=True)
class DieView:
    """What one die (super logic region) of a board of several holds."""

    first: str  # layers, in the order of the pipeline; both empty where the die holds none
    last: str
    expected: Resources
    high: Resources  # upper ends of the 90 % intervals, by which layers are placed
    share: float  # largest, of any resource of the die, at the upper end


@dataclass(frozen=True, slots=True)
class DesignView:
    """A design with all that is known about it.

    Attributes:
        id: its trial.
        names: what it was picked for: recommended, most_accurate, fastest, smallest, baseline.
        metrics: by metric key; `accuracy` is on the validation split.
        accuracy_after: "full training", "search training" or, of imported integers, "no training"; where stages
            measured it, on how many images; empty where no accuracy was measured.
        test_accuracy: fraction, on the split the search never saw; None before full training.
        source: the cost model.
        synthesised: what a tool made of it; None where it was not synthesised.
        expected: the accuracy that a model predicted, where the design was passed over for it.
        passed: why it was passed over; empty where it was not.
    """

    id: int
    digest: str
    origin: str
    feasible: bool
    on_front: bool
    names: tuple[str, ...]
    metrics: Mapping[str, float]
    accuracy_after: str
    test_accuracy: float | None
    test_images: int | None
    clock_mhz: float
    interval_cycles: int
    latency_cycles: int
    source: str
    usage: tuple[Usage, ...]
    slacks: tuple[Slack, ...]
    layers: tuple[LayerView, ...]
    bottleneck: Bottleneck
    synthesised: SynthesisView | None = None
    expected: Prediction | None = None  # accuracy, of a design that was passed over
    counted: CountedInterval | None = None  # of a trained design that skips edges
    skipping: Skipping | None = None  # None: no cycles depend on the image
    dies: tuple[DieView, ...] = ()  # of a board of several
    design: DesignPoint = field(default_factory=lambda: DesignPoint(()))
    folding: Mapping[str, Any] = field(
        default_factory=dict
    )  # as FINN's folding_config.json says it
    accuracies: tuple[StageAccuracy, ...] = ()  # of every stage, where the study lists `accuracy`
    passed: str = ""
    loading_cycles: int = 0  # of weights in UltraRAM, once, before the first frame

    def of(self, resource: str) -> Usage:
        """Return the usage of one resource."""
        return next(u for u in self.usage if u.resource == resource)


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One line of the table of all trials."""

    id: int
    digest: str
    state: str  # feasible, infeasible, failed or passed over
    stage: str  # estimate, finetune or final (trained at full budget)
    on_front: bool
    origin: str
    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]  # resource -> (low, high)
    knobs: Mapping[str, float | str]
    violated: tuple[str, ...]  # texts of the constraints that do not hold
    reported: Mapping[str, float]  # resource -> count, of a synthesised design; else empty
    error: str  # empty unless failed or passed over
    seconds: float


@dataclass(frozen=True, slots=True)
class Progress:
    """How the search went; the lists have one value per trial, by id.

    Attributes:
        ids: trial ids.
        hypervolume: see `dse.search.pareto.hypervolume_history`.
        front_size: designs on the front.
        feasible_share: of the last `window` trials.
        window: trials that `feasible_share` and `gain` look back on; further foldings are no trials of their own.
        gain: growth of the hypervolume over the last `window` trials, as a fraction of its value.
        flat_for: trials since the hypervolume was last more than 0.1 % below its value.
        seconds: search time at which each trial finished, ascending (so not by id).
        hypervolume_then: the hypervolume at these times.
        milestones: what happened besides.
        reference: corners of the box of the hypervolume, metric key -> (best value, reference point).
    """

    ids: tuple[int, ...]
    hypervolume: tuple[float, ...]
    front_size: tuple[int, ...]
    feasible_share: tuple[float, ...]
    window: int
    gain: float
    flat_for: int
    seconds: tuple[float, ...] = ()
    hypervolume_then: tuple[float, ...] = ()
    milestones: tuple[Milestone, ...] = ()
    reference: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failure:
    """One reason why trials failed at one stage."""

    reason: str
    count: int
    example: int  # a trial id
    detail: str  # its whole error text
    stage: str = ""  # the highest that they reached, as in `TrialRow`


@dataclass(frozen=True, slots=True)
class ReportView:
    """A study as its report shows it.

    Attributes:
        spec_digest: of the study file.
        constraints: of the file and of the board.
        base_accuracy: validation accuracy of the float network as a fraction.
        sources: the cost models behind the hardware numbers.
        picks: name -> trial id; empty where nothing is feasible.
        front: trial ids, best first objective first.
        baseline: trial id of the uncompressed seed design, None where there is none.
        nearest: trial id of the design with the least violation, where nothing is feasible.
        designs: by trial id: the front, the baseline and `nearest`.
        feasibility: what each constraint rejects, and what a looser one would gain.
        trust: predicted against synthesised.
        warnings: where board or clock are not those the cost model was calibrated for.
        flow: of the project that the cost model is about: "hls" or "rtl".
    """

    study: str
    description: str
    network: str
    weights: int
    data: str
    board: Board
    reserve: Resources
    clock_mhz: float
    confidence: float
    seed: int
    sampler: str
    state: str
    stop_reason: str
    seconds: float
    created: str
    updated: str
    written_by: str
    versions: Mapping[str, str]
    machine: str
    spec_digest: str
    study_text: str
    overrides: tuple[str, ...]
    forked: str
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...]
    base_accuracy: float | None
    sources: tuple[str, ...]
    counts: Counts
    picks: Mapping[str, int]
    front: tuple[int, ...]
    baseline: int | None
    nearest: int | None
    designs: Mapping[int, DesignView]
    trials: tuple[TrialRow, ...]
    progress: Progress
    failures: tuple[Failure, ...]
    feasibility: Feasibility
    trust: Trust
    warnings: tuple[str, ...]
    flow: str

    @property
    def recommended(self) -> DesignView | None:
        """The design to build, None where nothing is feasible."""
        return self.designs[self.picks["recommended"]] if self.picks else None

    @property
    def tested(self) -> bool:
        """True where a design of the front has a test accuracy."""
        return any(self.designs[i].test_accuracy is not None for i in self.front)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)
