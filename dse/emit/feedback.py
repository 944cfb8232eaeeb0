"""Synthesis in the loop: while the search goes on, designs of its front are synthesised to correct its cost model.

One design at a time, in a process of its own (`feedback_job`); the driver only looks at it now and then. Every
number here is chosen again on resume from what is on disk: `synthesised.jsonl` and `cost_model.json`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cost_models import learned
from cost_models._model import CostModel
from dse.calibration.project import built_unit
from dse.config.values import StudyConfig
from dse.emit import synth_yosys
from dse.emit.feedback_job import PROJECTS
from dse.emit.feedback_process import JobProcess
from dse.emit.verify import read_manifest
from dse.folding.estimate import price
from dse.ir.hardware import RESOURCES, Resources, UnitEstimate
from dse.ir.record import TrialRecord
from dse.ir.synthesised import SynthesisedDesign, SynthesisedUnit
from dse.search.candidates import due
from dse.search.study import CORRECTED, CORRECTS, cost_model, now
from dse.search.watch import Progress, Stop
from dse.store import Store, write_atomic

POLL_S = 0.2


def synthesis_feedback(
    config: StudyConfig, folder: Path, progress: Progress, stop: Stop
) -> SynthesisFeedback | None:
    """Return the feedback that a study asks for, None where it asks for none.

    Raises:
        ExternalToolError: its tool is not there.
    """
    require_tool(config)
    if config.cost_model.synthesise is None:
        return None
    return SynthesisFeedback(config, folder, progress, stop)


def require_tool(config: StudyConfig) -> None:
    """Check that what is to synthesise designs is there; of other tools than yosys, the study file is checked.

    Raises:
        ExternalToolError: there is no yosys.
    """
    asked = config.cost_model.synthesise
    if asked is not None and asked.tool == "yosys":
        synth_yosys.find()


class SynthesisFeedback:
    """The `dse.search.feedback.Feedback` of `cost_model.synthesise`."""

    def __init__(self, config: StudyConfig, folder: Path, progress: Progress, stop: Stop) -> None:
        """Take note of a study; nothing is read or run before the first call.

        Args:
            config: the study; its `cost_model.synthesise` is set.
            folder: of the study.
            progress: hears of every synthesis.
            stop: whether the user asked to stop.
        """
        asked = config.cost_model.synthesise
        assert asked is not None
        self._config, self._folder, self._asked = config, folder, asked
        self._progress, self._stop = progress, stop
        self._store = Store(folder, config.storage)
        self._every = asked.period(config.budget.trials)
        self._known: dict[str, SynthesisedDesign] | None = None  # None: not read yet
        self._model: CostModel | None = None  # in use
        self._job: JobProcess | None = None
        self._choice: SynthesisedDesign | None = None  # what the job is about; None: the model
        self._outdated = False  # the model has not seen all that is known
        self._look_again = 0  # finished trials before which there is nothing to choose

    # -- Feedback ---------------------------------------------------------------------------------

    def poll(self, records: Sequence[TrialRecord]) -> CostModel | None:
        """See `Feedback`."""
        self._read()
        if self._job is not None:
            return self._landed() if self._job.ended else None
        if self._outdated:
            self._start(None)
        elif len(records) >= self._look_again:
            turn = sum(r.counts for r in records) // self._every
            if turn:
                self._begin(records, turn)
            else:
                self._look_again = len(records) + 1
        return None

    def finish(self, records: Sequence[TrialRecord]) -> CostModel | None:
        """See `Feedback`."""
        self._read()
        self._look_again = 0
        while not self._stop.requested:
            if self._job is None and self._outdated:
                self._start(None)
            elif self._job is None:
                self._begin(records, 0)
            if self._job is None:
                return None
            while not self._job.ended and not self._stop.requested:
                time.sleep(POLL_S)
            if self._job.ended and (model := self._landed()) is not None:
                return model
        return None

    def due(self, records: Sequence[TrialRecord]) -> bool:
        """See `Feedback`."""
        return self._next(records, 0) is not None

    def close(self) -> None:
        """See `Feedback`."""
        if self._job is not None:
            self._job.kill()
            self._job = None

    @property
    def _reported(self) -> int:
        """Designs of which there are results."""
        return sum(d.error is None for d in (self._known or {}).values())

    # -- one synthesis ----------------------------------------------------------------------------

    def _read(self) -> None:
        """Take up what an earlier run has left."""
        if self._known is not None:
            return
        found = self._store.synthesised().items()
        self._known = {digest: d for digest, d in found if d.tool == self._asked.tool}
        self._model = cost_model(self._config, self._folder)
        facts = getattr(self._model, "facts", {})
        seen = facts["designs"] if CORRECTS in facts else 0
        self._outdated = seen < self._reported

    def _next(self, records: Sequence[TrialRecord], turn: int) -> tuple[TrialRecord, str] | None:
        self._read()
        assert self._known is not None
        return due(records, self._known, self._config.objectives, self._asked, turn)

    def _begin(self, records: Sequence[TrialRecord], turn: int) -> None:
        """Start the synthesis of the design that is due, if any is; `turn` 0: after the search."""
        found = self._next(records, turn)
        if found is None:
            self._look_again = len(records) + max(1, len(records) // 100)
            return
        record, why = found
        assert record.hardware is not None
        self._choice = SynthesisedDesign(
            digest=record.design.digest,
            trial=record.id,
            round=turn,
            chosen=why,
            tool=self._asked.tool,
            version="",
            stage="",
            part=self._config.board.part,
            predicted_by=record.hardware.source,
            predicted=record.hardware.total,
            reported={},
            units=(),
            folder=str((self._config.artifacts or Path()) / PROJECTS / record.design.digest),
            reports="",
            seconds=0.0,
            finished="",
        )
        self._progress.event("synthesising", trial=record.id, tool=self._asked.tool, why=why)
        self._start(record)

    def _start(self, record: TrialRecord | None) -> None:
        request = {
            "folder": str(self._folder.resolve()),
            "tool": self._asked.tool,
            "timeout": self._asked.timeout_s,
            "record": None if record is None else record.to_json(),
        }
        if record is None:
            self._choice = None
        self._job = JobProcess(request, self._asked.timeout_s)

    def _landed(self) -> CostModel | None:
        """Write what a job found; return the model where it is another one now."""
        assert self._job is not None
        assert self._known is not None
        answer, seconds = self._job.answer(), self._job.seconds
        self._job, self._outdated = None, False
        if self._choice is not None:
            error, result = answer.get("error"), answer.get("synthesis")
            record = replace(self._choice, seconds=seconds, finished=now(), error=error)
            if result is not None:
                record = self._filled(record, result)
            self._store.append_synthesised(record)
            self._known[record.digest] = record
            self._tell(record)
        elif "error" in answer:
            self._progress.event("not-corrected", reason=answer["error"])
        if "error" in answer:
            return None
        if answer["refused"]:
            self._progress.event("not-corrected", reason=answer["refused"])
        return self._adopted(answer["model"])

    def _tell(self, record: SynthesisedDesign) -> None:
        if record.error is not None:
            self._progress.event("synthesis-failed", trial=record.trial, reason=record.error)
            return
        self._progress.event(
            "synthesised",
            trial=record.trial,
            tool=f"{record.tool} {record.version}".strip(),
            stage=record.stage,
            predicted_lut=record.predicted.expected.lut,
            lut=record.reported.get("lut"),
            seconds=record.seconds,
        )

    def _filled(self, record: SynthesisedDesign, result: Mapping[str, Any]) -> SynthesisedDesign:
        """Return the record with what the tool reports, each unit beside its prediction."""
        assert self._model is not None
        rows = read_manifest(self._folder / record.folder)["units"]
        built = {name: unit for name, _, unit in map(built_unit, rows)}
        found = [u for u in result["units"] if u["name"] in built]
        prices = price([built[u["name"]] for u in found], self._model)
        units = tuple(
            SynthesisedUnit(
                name=u["name"],
                kind=u["kind"],
                predicted=UnitEstimate(*(Resources(*row) for row in p)),
                reported=u["reported"],
                report=u["report"],
            )
            for u, p in zip(found, prices.tolist(), strict=True)
        )
        whole = [u["reported"] for u in result["units"] if not u["kind"]]
        stated = [r for r in RESOURCES if all(r in u.reported for u in units)]
        reported = whole[0] if whole else {r: sum(u.reported[r] for u in units) for r in stated}
        return replace(
            record,
            version=result["tool"].partition(" ")[2],
            stage=result["stage"],
            reported=reported,
            units=units,
            reports=str(Path(units[0].report).parent) if units else "",
        )

    def _adopted(self, text: str | None) -> CostModel | None:
        """Write and return the model that learned from all reports; None where it is the one in use.

        Args:
            text: of its file; None where no correction was shown to be better.
        """
        assert self._model is not None
        path = self._folder / CORRECTED
        if text is None:
            path.unlink(missing_ok=True)
            model = cost_model(self._config)
        else:
            write_atomic(path, text)
            model = learned.read(path, self._config.board.family)
        if model.source == self._model.source:
            return None
        self._model = model
        self._progress.event("model-corrected", source=model.source, designs=self._reported)
        return model
