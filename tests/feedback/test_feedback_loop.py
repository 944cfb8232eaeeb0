"""What is synthesised when, what is written, and what comes back, with jobs that answer as they are told."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cost_models import learned
from dse.calibration.project import built_unit
from dse.config.values import Objective, Synthesise
from dse.emit import feedback, feedback_job
from dse.emit.feedback import SynthesisFeedback
from dse.ir.record import TrialRecord
from dse.search.candidates import doubt, due
from dse.search.pareto import knee
from dse.search.score import reestimate
from dse.search.study import Plan, cost_model, snapshot
from dse.store import Store

Trials = list[TrialRecord]
Answer = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class Events:
    def __init__(self) -> None:
        self.names: list[str] = []
        self.requested = False  # of `Stop`

    def event(self, name: str, **data: Any) -> None:
        self.names.append(name)

    def trial(self, *_: Any) -> None:
        pass

    def close(self) -> None:
        pass


class Job:
    """A job that ends at the second look; `answers` is asked for what it answers."""

    answers: Answer
    requests: list[Mapping[str, Any]]

    def __init__(self, request: Mapping[str, Any], timeout_s: float) -> None:
        self.requests.append(request)
        self._request, self._looks, self.killed = request, 0, False
        self.seconds = 1.5

    @property
    def ended(self) -> bool:
        self._looks += 1
        return self._looks > 1

    def answer(self) -> Mapping[str, Any]:
        return type(self).answers(self._request)

    def kill(self) -> None:
        self.killed = True


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> type[Job]:
    """The class of jobs, which fail as long as the test gives no other `answers`."""
    made = type(
        "Made", (Job,), {"requests": [], "answers": staticmethod(lambda _: {"error": "no"})}
    )
    monkeypatch.setattr(feedback, "JobProcess", made)
    return made


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def loop(planned: Plan, folder: Path, events: Events) -> Callable[..., SynthesisFeedback]:
    """Factory: what `synthesise` asks for -> a fresh feedback, as after a restart."""

    def make(**asked: Any) -> SynthesisFeedback:
        model = replace(planned.config.cost_model, synthesise=Synthesise(**asked))
        config = replace(planned.config, cost_model=model)
        return SynthesisFeedback(config, folder, events, events)

    return make


def asked_for(job: type[Job], trials: Trials) -> list[int | None]:
    digests = {r.design.digest: r.id for r in trials}
    records = (r["record"] and TrialRecord.from_json(r["record"]) for r in job.requests)
    return [r and digests[r.design.digest] for r in records]


def poll(loop: SynthesisFeedback, records: Trials, times: int = 12) -> list[Any]:
    return [m for _ in range(times) if (m := loop.poll(records)) is not None]


def test_up_to_top_designs_for_every_so_many_trials(
    loop: Callable[..., SynthesisFeedback], job: type[Job], trials: Trials, folder: Path
) -> None:
    first = loop(top=1, every=2, choose="promising")
    poll(first, trials[:1])
    assert job.requests == []
    poll(first, trials[:3])
    poll(first, trials[:3])
    best = knee(trials[:3], first._config.objectives)
    assert asked_for(job, trials) == [best.id]
    # a restart in the same turn begins none; the next turn does, with another design
    second = loop(top=1, every=2, choose="promising")
    poll(second, trials[:3])
    poll(second, trials)
    rest = [r for r in trials if r.id != best.id]
    wanted = [best.id, knee(rest, first._config.objectives).id]
    assert asked_for(job, trials) == wanted
    known = Store(folder, "file").synthesised()
    assert [(d.trial, d.round, d.error) for d in known.values()] == [
        (wanted[0], 1, "no"),
        (wanted[1], 2, "no"),
    ]


def test_after_the_search_the_front_is_known_up_to_top(
    loop: Callable[..., SynthesisFeedback], job: type[Job], trials: Trials, events: Events
) -> None:
    assert loop(top=3, every=100).due(trials)
    assert loop(top=3, every=100).finish(trials) is None
    assert not loop(top=3, every=100).due(trials)
    assert len(set(asked_for(job, trials))) == 3
    assert loop(top=3, every=100).finish(trials) is None  # nothing is left
    assert len(job.requests) == 3
    assert loop(top=9, every=100).finish(trials) is None
    assert sorted(asked_for(job, trials)) == [0, 1, 2, 3, 4]
    assert events.names == ["synthesising", "synthesis-failed"] * 5


def test_the_most_uncertain_design_is_the_one_of_the_widest_interval(trials: Trials) -> None:
    hardware = trials[2].hardware
    assert hardware is not None
    wide = replace(hardware.total, high=replace(hardware.total.high, ff=1e6))
    unsure = [
        replace(r, hardware=replace(hardware, total=wide)) if r.id == 2 else r for r in trials
    ]
    assert doubt(unsure[2]) > max(doubt(r) for r in trials)
    objectives = (Objective("accuracy", "maximize"), Objective("lut", "minimize"))
    asked = Synthesise(top=1, choose="uncertain")
    assert due(unsure, {}, objectives, asked, 1) == (unsure[2], "uncertain")


def test_a_stop_and_a_close_leave_nothing_running(
    loop: Callable[..., SynthesisFeedback], job: type[Job], trials: Trials, events: Events
) -> None:
    events.requested = True
    assert loop(top=1, every=1).finish(trials) is None
    assert job.requests == []
    first = loop(top=1, every=1)
    first.poll(trials)
    running = first._job
    assert isinstance(running, Job)
    first.close()
    assert running.killed
    first.close()


def test_results_are_written_beside_their_predictions_and_the_model_comes_back(
    planned: Plan,
    loop: Callable[..., SynthesisFeedback],
    job: type[Job],
    trials: Trials,
    folder: Path,
    yosys: Path,
    events: Events,
) -> None:
    """The job is the real one, in this process; yosys is the stand-in that knows the first trial."""
    job.answers = staticmethod(feedback_job.run)  # type: ignore[assignment]
    first = loop(top=1, every=1)
    (model,) = poll(first, trials[:1])
    assert events.names == ["synthesising", "synthesised", "model-corrected"]
    assert json.loads((folder / "cost_model.json").read_text())["designs"] == 1
    assert cost_model(planned.config, folder).source == model.source != planned.model.source

    (found,) = Store(folder, "file").synthesised().values()
    hardware = trials[0].hardware
    assert hardware is not None
    assert (found.trial, found.round, found.chosen, found.error) == (0, 1, "promising", None)
    assert (found.tool, found.version, found.stage) == ("yosys", "0.70", "synthesised, not placed")
    assert (found.predicted, found.predicted_by) == (hardware.total, planned.model.source)
    table = json.loads((folder.parents[1] / "table.json").read_text())
    assert (found.reported["lut"], found.reported["ff"]) == tuple(table["accelerator"])
    rows = json.loads((folder / found.folder / "design.json").read_text())["units"]
    built = [built_unit(row) for row in rows]
    assert [u.name for u in found.units] == [name for name, _, _ in built]
    for u, (_, (label,), unit) in zip(found.units, built, strict=True):
        before = planned.model.predict(unit)
        assert u.predicted.expected.lut == float(before.expected.lut)
        assert u.predicted.high.ff == float(before.high.ff)
        # units that are the same share a report, whichever of them was asked for
        report = json.loads((folder / found.folder / u.report).read_text())
        cells = report["modules"][f"\\{label}"]["num_cells_by_type"]
        assert u.reported["lut"] == cells["LUT6"] in {lut for lut, _ in table.values()}

    # whoever looks at the study sees the corrected model, and what was synthesised
    priced = reestimate(trials[0], planned.network, planned.config, model)
    assert priced.metrics["lut"] == pytest.approx(found.reported["lut"], rel=0.1)
    seen = snapshot(folder)
    assert dict(seen.synthesised) == {found.digest: found}
    assert seen.model_facts["tool"] == "yosys"

    # a restart goes on with it; where the file of the model was lost, it is made again
    poll(loop(top=1, every=1), trials[:1])
    assert len(job.requests) == 1
    (folder / "cost_model.json").unlink()
    (again,) = poll(loop(top=1, every=1), trials[:1])
    assert asked_for(job, trials) == [0, None]
    assert again.source == model.source


def test_a_model_that_is_no_better_any_more_goes(
    planned: Plan,
    loop: Callable[..., SynthesisFeedback],
    job: type[Job],
    trials: Trials,
    folder: Path,
    events: Events,
) -> None:
    base = learned.named(str(planned.config.cost_model.file), "7series")
    better = replace(base, facts={**base.facts, "corrects": planned.model.source, "designs": 0})
    (folder / "cost_model.json").write_text(learned.dumps(replace(better, name="better")))
    answer = {"synthesis": None, "model": None, "refused": "no records"}
    job.answers = staticmethod(lambda _: answer)  # type: ignore[assignment]
    (model,) = poll(loop(top=1, every=1), trials[:1])
    assert model.source == planned.model.source
    assert not (folder / "cost_model.json").exists()
    assert "not-corrected" in events.names
