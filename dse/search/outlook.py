"""What a study will cost, before it runs: `dse check`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dse.config.problems import problem_at
from dse.config.values import StudyConfig, Synthesise
from dse.ir.design import DesignPoint
from dse.ir.hardware import RESOURCES, Board, HardwareEstimate
from dse.ir.words import plural
from dse.search.calibrated import mismatches
from dse.search.finals import less_trained
from dse.search.rehearsal import Rehearsal, rehearse
from dse.search.sample import Sample, sample
from dse.search.samplers import described, schedule
from dse.search.score import metrics_of, violations
from dse.search.seed_files import seed_designs
from dse.search.space import CYCLES, PREFERENCE, Range, Values, at
from dse.search.study import Plan, plan

NONE_FITS = "none of {} designs spread over the space meets what hardware must hold: the search will find few, or none"

NONE_BINDS = (
    "no constraint of the file is broken by any of {} designs, the extremes of the space among them: they may never"
    " bind; tighten one, or leave them out (the board's usable share holds anyway)"
)


@dataclass(frozen=True)
class Outlook:
    """A checked study, and its extremes as the cost model sees them."""

    plan: Plan
    sampler: str
    extremes: tuple[tuple[str, HardwareEstimate], ...]  # (what, predicted)
    sample: Sample
    rehearsal: Rehearsal | None = None  # where a trial was timed

    @property
    def warnings(self) -> tuple[str, ...]:
        """What may be wrong with the study, or with the numbers it will show."""
        c = self.plan.config
        found = mismatches(getattr(self.plan.model, "facts", {}), c.board, c.clock_mhz)
        fast = (_too_fast(c.clock_mhz, c.board),) if c.clock_mhz > c.board.max_clock_mhz else ()
        none = () if self.sample.fitting else (NONE_FITS.format(self.sample.designs),)
        idle = (NONE_BINDS.format(self.sample.designs + len(self.extremes)),) if self._idle else ()
        return (*fast, *none, *idle, *found, *less_trained(self.plan), *_left_out(self.plan))

    @property
    def _idle(self) -> bool:
        """Whether no constraint that the file lists (accuracy is not known yet) is broken by any design tried."""
        config = self.plan.config
        said = any(key.startswith("constraints") for key in config.marks)  # not by default
        listed = config.constraints if said else ()
        if not listed or any(c.metric == "accuracy" for c in listed):
            return False
        broken = set(self.sample.broken)
        for _, hardware in self.extremes:
            metrics = metrics_of(hardware, self.plan.config.board)
            excess = violations(self.plan.constraints, metrics, hardware)
            broken |= {text for text, v in excess.items() if v > 0}
        return not broken & {c.text for c in listed}

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        c, p = self.plan.config, self.plan
        return {
            "study": c.study,
            "model": {"name": p.network.name, "weights": p.network.weights},
            "board": c.board.name,
            "clock_mhz": c.clock_mhz,
            "knobs": [k.name for k in p.space.knobs],
            "designs": p.space.size(),
            "sampler": self.sampler,
            "trials": c.budget.trials,
            "constraints": [x.text for x in p.constraints],
            "images": {
                "train": len(p.dataset.train),
                "validation": len(p.dataset.validation),
                "test": len(p.dataset.test),
            },
            "predicted": {what: metrics_of(h, c.board) for what, h in self.extremes},
            "sample": asdict(self.sample),
            "seconds": None if self.rehearsal is None else asdict(self.rehearsal),
            "warnings": list(self.warnings),
        }

    def text(self) -> str:
        """Return the plan for a terminal."""
        c, p = self.plan.config, self.plan
        r = c.board.resources
        splits = p.dataset.train, p.dataset.validation, p.dataset.test
        images = " / ".join(f"{len(s):,}" for s in splits)
        layers = len(p.network.matrix_layers)
        lines = [
            f"{c.path.name} is valid.",
            "",
            f"  model    {p.network.name}, {plural(layers, 'matrix layer')}, {p.network.weights:,} weights",
            f"  data     {p.dataset.name}: {images} images (train / validation / test)",
            (
                f"  board    {c.board.name} ({c.board.part}): {r.lut:,.0f} LUT,"
                f" {r.bram18:,.0f} BRAM18, {r.uram:,.0f} URAM, {r.dsp:,.0f} DSP"
            ),
            f"  clock    {c.clock_mhz:g} MHz",
            f"  cost     {p.model.source}",
            f"  space    {plural(len(p.space.knobs), 'knob')}, {p.space.size():.1e} combinations",
            (
                f"  search   {plural(len(c.objectives), 'objective')}, {plural(len(p.constraints), 'constraint')},"
                f" {plural(c.budget.trials, 'trial')}, sampler {self.sampler}"
            ),
            f"  training {_training(p)}",
            "",
            f"  {'predicted':<22}{'LUT':>14}{'BRAM18':>12}{'DSP':>12}{'latency':>14}{'power':>10}",
        ]
        for what, h in self.extremes:
            e = h.total.expected
            lines.append(
                f"  {what:<22}{_share(e.lut, r.lut):>14}{_share(e.bram18, r.bram18):>12}"
                f"{_share(e.dsp, r.dsp):>12}{h.latency_us:>11,.1f} us"
                f"{metrics_of(h, c.board)['power_w']:>8.2f} W"
            )
        if c.board.slrs > 1:
            lines.append(f"  {_fullest(c.board, self.extremes)}")
        lines += ["", f"  {self.sample.text}"]
        if self.rehearsal is not None:
            lines.append(f"  {self.rehearsal.text}")
        if (asked := c.cost_model.synthesise) is not None:
            lines += ["", f"  synthesis: {_synthesis(asked, c.budget.trials)}"]
        lines += [line for text in self.warnings for line in ("", f"  warning: {text}")]
        kept = "nothing was run" if self.rehearsal is None else "nothing was kept"
        lines += ["", f"  {kept}. Start with: dse run {c.path}"]
        return "\n".join(lines)


def _left_out(p: Plan) -> tuple[str, ...]:
    """Say where UltraRAM is asked for that the board does not have."""
    asked = [
        layer.name
        for layer in p.network.matrix_layers
        if "uram" in (p.space.layers[layer.name].memory or ())
    ]
    board = p.config.board
    if not asked or board.resources.uram:
        return ()
    return (f"memory `uram` is left out, {board.name} has no UltraRAM; layers: {', '.join(asked)}",)


def outlook(config: StudyConfig, *, timed: bool = False, studies: Path | None = None) -> Outlook:
    """Build everything a study needs, run nothing.

    Args:
        config: the checked study file.
        timed: train one candidate, for its time.
        studies: the folder of the studies; seeds are read where it is given.

    Raises:
        UsageError: the file does not fit model or data, or no design in the space can meet a constraint.
    """
    p = plan(config)
    if studies is not None:
        seed_designs(p, studies)
    space = p.space
    least = {k.name: at(k, 0.0) for k in space.knobs}
    for knob in space.knobs:  # the cheapest: fewest bits, most pruning, slowest fold
        if knob.name.endswith(".sparsity") or knob.name == CYCLES:
            least[knob.name] = at(knob, 1.0)
    most = space.baseline()
    designs = {
        "smallest design": _cheapest(p, least),
        "baseline, slowest": space.decode(_at_end(p, most, 1.0)),
        "baseline, fastest": space.decode(_at_end(p, most, 0.0)),
    }
    extremes = tuple((what, p.hardware(d)) for what, d in designs.items())
    _require_fit(p, extremes[0][1])
    samplers = schedule(config.sampler, len(space.knobs), len(config.objectives))
    sampler = described(tuple(s for s in samplers if s[1] < config.budget.trials))
    return Outlook(p, sampler, extremes, sample(p), rehearse(p) if timed else None)


def _at_end(p: Plan, values: Values, u: float) -> dict[str, Any]:
    ends = {k.name: at(k, u) for k in p.space.knobs if isinstance(k, Range)}
    return dict(values) | ends


def _cheapest(p: Plan, values: Values) -> DesignPoint:
    """Return the design with the smallest use of its scarcest resource over all memory preferences."""
    preferences = next((k.values for k in p.space.knobs if k.name == PREFERENCE), (0.5,))  # type: ignore[union-attr]
    designs = [p.space.decode(dict(values) | {PREFERENCE: v}) for v in preferences]
    return min(designs, key=lambda d: metrics_of(p.hardware(d), p.config.board)["utilisation"])


def _require_fit(p: Plan, smallest: HardwareEstimate) -> None:
    """Raise where even the smallest design breaks a resource limit."""
    metrics = metrics_of(smallest, p.config.board)
    excess = violations(p.constraints, metrics, smallest)
    for i, c in enumerate(p.constraints):
        if c.metric not in RESOURCES or excess.get(c.text, 0.0) <= 0:
            continue
        need = getattr(smallest.total.high, c.metric)
        parts = sorted(smallest.layers, key=lambda x: -getattr(x.resources.expected, c.metric))
        share = getattr(parts[0].resources.expected, c.metric) / (metrics[c.metric] or 1)
        raise problem_at(
            p.config,
            f"constraints[{i}]" if i < len(p.config.constraints) else "board",
            "nothing-fits",
            f"no design in this space meets {c.text!r}",
            hint=f"the smallest design needs up to {need:,.0f}, the limit is {c.limit:,.0f}",
            notes=(
                (
                    f"most of it: {parts[0].name} ({share:.0%}). Try fewer weight_bits, more sparsity,"
                    " another memory, or a larger board"
                ),
            ),
        )


def _share(count: float, whole: float) -> str:
    return f"{count:,.0f} {count / whole:.0%}" if whole else f"{count:,.0f}"


def _fullest(board: Board, extremes: Sequence[tuple[str, HardwareEstimate]]) -> str:
    """Say how full the fullest die is."""
    die = board.resources.lut / board.slrs
    luts = [metrics_of(h, board)["lut_per_slr"] for _, h in extremes]
    shares = " / ".join(f"{n / die:.0%}" for n in luts)
    return f"{board.slrs} SLRs: LUTs of the fullest {shares} of its own, layers placed in order"


def _synthesis(asked: Synthesise, trials: int) -> str:
    return (
        f"up to {asked.top} of the front's designs every {asked.period(trials)} trials and after the search,"
        f" by {asked.tool}, at most {asked.timeout_s:g} s each"
    )


def _too_fast(clock_mhz: float, board: Board) -> str:
    return f"{clock_mhz:g} MHz is above the {board.max_clock_mhz:g} MHz that {board.name} usually closes"


def _training(p: Plan) -> str:
    """Say what is trained."""
    notes = () if p.imported is None else p.imported.exact.notes
    if p.frozen:
        what = "none: the integers of the imported model are taken over, foldings are searched"
        return "".join([what, *(f"\n           ({note})" for note in notes)])
    s = p.stages
    plain = f"{s.pretrain_epochs} epochs once, {s.finetune_epochs} per candidate"
    if s.final_epochs is not None:
        plain += f", {s.final_epochs} for the survivors"
    for where, measured in (("first", s.post_training), ("last", s.accuracy)):
        if measured is not None:
            there = len(p.dataset.validation)
            images = min(measured.images or there, there)
            plain += f"; {where} measured on {images:,} images"
            plain += "" if measured.keep >= 1 else f", the best {measured.keep:.0%} go on"
    if p.imported is None:
        return plain
    why = (
        f"\n           (its integers cannot be taken over: {p.imported.why})"
        if p.imported.why
        else ""
    )
    return f"{plain}, from the weights of the imported model{why}"
