"""Live progress on stderr: a panel on a terminal, plain lines in a log, JSON events on stdout."""

from __future__ import annotations

import json
import string
import sys
import time
from collections.abc import Mapping
from typing import IO, Any

from dse.config.values import StudyConfig
from dse.ir.metrics import METRICS
from dse.ir.record import TrialRecord
from dse.ir.words import plural
from dse.search.ledger import Ledger
from dse.search.pareto import knee
from dse.search.watch import Progress, Status

REFRESH_S = 0.25
PLAIN_S = 30.0
BAR = 40

EVENTS = {
    "pretraining": "training the float network once: {epochs:epoch}, {images:image}",
    "pretrained": "float network: {accuracy:.1%} on the validation images",
    "searching": (
        "{study}: {done} of {budget:trial} done; {knobs:knob}, sampler {sampler}, {workers} at once"
    ),
    "repriced": (
        "cost model {source}: {trials:trial} priced again, {reconsidered:rejected one} reconsidered"
    ),
    "synthesising": "trial {trial}: being synthesised by {tool} ({why})",
    "synthesised": (
        "trial {trial}: {predicted_lut:,.0f} LUT predicted, {lut:,.0f} {stage}, by {tool} in {seconds:.0f} s"
    ),
    "synthesis-failed": "trial {trial}: not synthesised: {reason}",
    "model-corrected": "cost model corrected (designs synthesised: {designs}): {source}",
    "not-corrected": "cost model not corrected: {reason}",
    "warning": "warning: {text}",
    "forked": "{trials:trained trial} of {source} taken over, priced and judged anew",
    "storage-waiting": "the storage does not answer ({reason}); trying again",
    "searched": "search ended after {trials:trial}: {reason}",
    "retraining": "training the {designs:design} of the front at full budget ({trainings:training})",
    "testing": "testing the {designs:design} of the front",
    "keeping": "{designs:design} of the front: what was scored is computed again, tested and kept",
    "final": "trial {trial}: {test_accuracy:.1%} on the test images",
    "final-failed": "{designs}: training at full budget failed: {reason}",
    "already-complete": "nothing to do: the study is complete ({trials:trial})",
}


class _Words(string.Formatter):
    """Format as `str.format` does; a word in the place of a format is counted: `{trials:trial}`."""

    def format_field(self, value: Any, format_spec: str) -> str:
        """Return one value."""
        if isinstance(value, int) and format_spec.replace(" ", "").isalpha():
            return plural(value, format_spec)
        return str(super().format_field(value, format_spec))


def said(name: str, data: Mapping[str, Any]) -> str:
    """Return an event as a line of talk."""
    return _Words().vformat(EVENTS[name], (), data)


def progress(log: str, config: StudyConfig, *, quiet: bool) -> Progress:
    """Return the progress for `--log auto|live|plain|json`."""
    if quiet:
        return Quiet()
    if log == "json":
        return JsonLines(sys.stdout)
    if log == "live" or (log == "auto" and sys.stderr.isatty()):
        return Live(config)
    return Plain(config, sys.stderr)


class Quiet:
    """Says nothing but failures of final trainings."""

    def event(self, name: str, **data: Any) -> None:
        """Show failures only."""
        if name == "final-failed":
            print(said(name, data), file=sys.stderr)

    def trial(self, record: TrialRecord, ledger: Ledger, status: Status) -> None:
        """Say nothing."""

    def close(self) -> None:
        """Nothing is open."""


class JsonLines:
    """One event per line."""

    def __init__(self, out: IO[str]) -> None:
        """Write to `out`, taken before Ray may redirect stdout."""
        self._out = out

    def event(self, name: str, **data: Any) -> None:
        """Write the event."""
        print(json.dumps({"schema": "dse.event/1", "event": name} | data), file=self._out)
        self._out.flush()

    def trial(self, record: TrialRecord, ledger: Ledger, status: Status) -> None:
        """Write the trial, without its per-layer estimate."""
        self.event(
            "trial",
            id=record.id,
            state=record.state,
            stage=record.stage,
            metrics=dict(record.metrics),
            error=record.error,
            finished=ledger.counted,
            budget=status.trials,
        )

    def close(self) -> None:
        """Nothing is open."""


class Plain:
    """A line per 5 % of the budget or 30 s."""

    def __init__(self, config: StudyConfig, out: IO[str]) -> None:
        """Write to `out`."""
        self._config, self._out = config, out
        self._last, self._percent = time.monotonic(), -1

    def event(self, name: str, **data: Any) -> None:
        """Write the event in words."""
        print(said(name, data), file=self._out, flush=True)

    def trial(self, record: TrialRecord, ledger: Ledger, status: Status) -> None:
        """Write a line when it is time for one."""
        percent = 100 * ledger.counted // status.trials
        due = percent // 5 > self._percent // 5 or time.monotonic() - self._last > PLAIN_S
        if not due:
            return
        self._last, self._percent = time.monotonic(), percent
        clock = time.strftime("%H:%M:%S")
        text = f"{clock} {self._config.study} {line(ledger, status)}"
        print(text, file=self._out, flush=True)

    def close(self) -> None:
        """Nothing is open."""


class Live:
    """A panel that is drawn anew at most four times a second."""

    def __init__(self, config: StudyConfig) -> None:
        """Draw on stderr."""
        from rich.console import Console

        self._config = config
        self._console = Console(stderr=True)
        self._live: Any = None
        self._last = 0.0

    def event(self, name: str, **data: Any) -> None:
        """Print the event above the panel."""
        if name in ("searched", "already-complete"):
            self.close()
        self._console.print(said(name, data), highlight=False)

    def trial(self, record: TrialRecord, ledger: Ledger, status: Status) -> None:
        """Redraw."""
        from rich.live import Live as RichLive

        if self._live is None:
            self._live = RichLive(console=self._console, auto_refresh=False)
            self._live.start()
        done = ledger.counted >= status.trials
        if time.monotonic() - self._last > REFRESH_S or done:
            self._last = time.monotonic()
            self._live.update(panel(ledger, status, self._config), refresh=True)

    def close(self) -> None:
        """Leave the last panel standing."""
        if self._live is not None:
            self._live.stop()
            self._live = None


def eta_s(ledger: Ledger, status: Status) -> float:
    """Return the seconds that the rest of the trials will take at the pace so far."""
    return status.seconds / max(1, ledger.counted) * (status.trials - ledger.counted)


def line(ledger: Ledger, status: Status) -> str:
    """Return the state of a search in one line."""
    n = ledger.counted
    return (
        f"{n}/{status.trials} {100 * n // status.trials}% hv={ledger.hypervolume():.3f}"
        f" front={ledger.front_size} feasible={ledger.count('feasible')}"
        f" infeasible={ledger.count('infeasible')} fail={ledger.count('failed')}"
        f" repeated={status.repeated} eta={_duration(eta_s(ledger, status))}"
    )


def panel(ledger: Ledger, status: Status, config: StudyConfig) -> Any:
    """Return the panel: how far, how long, and the front so far as numbers with units."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    n, best = ledger.counted, ledger.front()
    board = config.board.resources
    table = Table(box=None, pad_edge=False)
    for head in ("design", "accuracy", "latency", "frames/s", "LUT", "BRAM18", "DSP", ""):
        table.add_column(head, justify="right")
    chosen = knee(best, config.objectives).id if best else None
    for r in best[:8]:
        m = r.metrics
        table.add_row(
            str(r.id),
            f"{m[METRICS['accuracy'].key]:.1%}",
            f"{m['latency_us']:,.1f} us",
            f"{m['throughput_fps']:,.0f}",
            f"{m['lut']:,.0f} {m['lut'] / board.lut:.0%}",
            f"{m['bram18']:,.0f}",
            f"{m['dsp']:,.0f}",
            "knee" if r.id == chosen else "",
        )
    head = (
        f"{config.study}   {config.board.name} @ {config.clock_mhz:g} MHz   "
        f"{_duration(status.seconds)}, {_duration(eta_s(ledger, status))} left"
    )
    state = (
        f"feasible {ledger.count('feasible')}   infeasible {ledger.count('infeasible')}"
        f"   failed {ledger.count('failed')}   repeated {status.repeated}   in flight {status.in_flight}"
    )
    more = f"hypervolume {ledger.hypervolume():.3f}   front {len(best)}   (hardware numbers are predicted)"
    filled = BAR * n // status.trials
    bar = f"[{'#' * filled}{'.' * (BAR - filled)}] {n} / {status.trials}"
    return Group(*map(Text, (head, bar, state, more, "")), table)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"
