"""How large and how quick the report is: `python benchmarks/report.py` prints a table with the bars to clear.

Two studies: 200 trials of the quick start's network, and 5,000 trials of MobileNetV1 (57 knobs, 29 layers) with 150 designs
on the front. Designs are folded and priced as in a study; accuracies are invented, so that the front has the size wanted,
and most trials are copies that are a little worse, with knobs of their own. The page is opened from its file in the
`chromium` of the system, through playwright, without a GPU. Some minutes, most of them for folding.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dse.config.load import load_config
from dse.config.values import StudyConfig
from dse.folding.estimate import estimate
from dse.ir.design import DesignPoint
from dse.ir.hardware import HardwareEstimate
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.ir.record import TrialRecord
from dse.report import html
from dse.report.view import build_view
from dse.search.score import constraints_of, metrics_of, violations
from dse.search.space import Choice, SearchSpace
from dse.search.space import build as build_space
from dse.search.study import build_network, cost_model
from dse.snapshot import StudySnapshot

STUDY = """\
version: 1
study: {name}
model: {model}
data: digits
board: U280
clock: 200 MHz
space: {{weight_bits: [2, 4, 8], activation_bits: [4, 8], sparsity: 0.0}}
objectives: {{accuracy: maximize, latency: minimize, lut: minimize}}
constraints: [accuracy >= 50 %]
"""


@dataclass(frozen=True)
class Case:
    """One study to report; the front has `front` designs."""

    name: str
    model: str
    shape: tuple[int, int, int]
    trials: int
    front: int
    most_bytes: int


CASES = (
    Case("small", "digits-cnn", (8, 8, 1), 200, 60, 2_000_000),
    Case("large", "mobilenet-v1", (32, 32, 3), 5000, 150, 4_000_000),
)
DRAWN = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(performance.now()))))"
CARDS = """async () => {
  const painted = () => new Promise((done) => requestAnimationFrame(() => {
    const channel = new MessageChannel(); // its message comes behind the painting, before any timer
    channel.port1.onmessage = done;
    channel.port2.postMessage(0);
  }));
  const times = [];
  for (const id of DATA.front.slice(0, 20)) {
    const begun = performance.now();
    openDesign(id);
    await painted();
    times.push(performance.now() - begun);
    closeDesign();
    await new Promise((done) => setTimeout(done, 300)); // until the plot has followed
  }
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)];
}"""
BRUSH = """async () => {
  const key = DATA.objectives[1], values = scalar(byKey(key)).filter((v) => v != null);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const begun = performance.now();
  for (let k = 1; k <= 60; k += 1) {
    brush(key, [low, low + ((high - low) * k) / 60]);
    await new Promise(requestAnimationFrame);
  }
  return 60000 / (performance.now() - begun);
}"""


def main() -> None:
    """Print one line per study and quantity."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=[c.name for c in CASES])
    asked = parser.parse_args().only
    for case in CASES:
        if asked in (None, case.name):
            with tempfile.TemporaryDirectory() as folder:
                report(case, Path(folder))


def report(case: Case, folder: Path) -> None:
    """Write the report of one study, open it, and print what that took."""
    snapshot = invented(case, folder)
    begun = time.perf_counter()
    view = build_view(snapshot)
    middle = time.perf_counter()
    text = html.render(view)
    ended = time.perf_counter()
    (folder / "report.html").write_text(text, encoding="utf-8")
    (folder / "small.html").write_text(html.render(view, small=True), encoding="utf-8")
    size, small = ((folder / name).stat().st_size for name in ("report.html", "small.html"))
    knobs = len({k for t in view.trials for k in t.knobs})
    print(f"{case.name}: {case.trials} trials, {knobs} knobs, {len(view.front)} on the front")
    row("load of this machine", os.getloadavg()[0], f"{os.cpu_count()} cores")
    row("file (MB)", size / 1e6, f"at most {case.most_bytes / 1e6:g}")
    row("file, --small (MB)", small / 1e6, "")
    row("numbers of the study (s)", middle - begun, "")
    row("page (s)", ended - middle, "")
    for name in ("report.html", "small.html"):
        for label, value, bar in opened(folder / name):
            row(f"{label}{', --small' if name == 'small.html' else ''}", value, bar)


def row(label: str, value: float, bar: str) -> None:
    """Print one line of the table."""
    print(f"  {label:<44} {value:>9.3g}   {bar}", flush=True)


def opened(path: Path) -> list[tuple[str, float, str]]:
    """Open a page in the browser; return (what, value, bar)."""
    from playwright.sync_api import sync_playwright

    browser_path = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"]
        )
        page: Any = browser.new_page(viewport={"width": 1200, "height": 900})
        page.goto(path.as_uri())
        page.wait_for_function("document.querySelector('#all-trials tbody tr') !== null")
        first = page.evaluate(DRAWN) / 1000
        card, frames = page.evaluate(CARDS), page.evaluate(BRUSH)
        browser.close()
    return [
        ("interactive after (s)", first, "3 on a laptop"),
        ("click to card, median of 20 (ms)", card, "100"),
        ("brushing all trials (frames/s)", frames, "30"),
    ]


def invented(case: Case, folder: Path) -> StudySnapshot:
    """Return a finished study of real designs and invented accuracies."""
    path = folder / "study.yaml"
    path.write_text(STUDY.format(name=case.name, model=case.model))
    config = load_config(path, ())
    network = build_network(config, case.shape, IntType(8, False), 10)
    rng = random.Random(0)
    space = build_space(config, network, cost_model(config), {})
    first = priced(case, config, network, space, rng)
    records = list(first)
    while len(records) < case.trials:
        records.append(worse(rng.choice(first), len(records), draw(space, rng), rng))
    return StudySnapshot(
        config=config,
        network=network,
        records=tuple(records),
        finals={},
        repeated=0,
        state="complete",
        stop_reason=f"the budget of {case.trials} trials is met",
        seconds=3600.0,
        created="2026-03-01T10:00:00+00:00",
        updated=records[-1].finished,
        written_by="dse",
        versions={},
        base_accuracy=0.99,
    )


def priced(
    case: Case, config: StudyConfig, network: Network, space: SearchSpace, rng: random.Random
) -> list[TrialRecord]:
    """Return the designs of the front: the more LUTs, the more accurate."""
    model = cost_model(config)
    found: dict[float, tuple[dict[str, Any], DesignPoint, HardwareEstimate]] = {}
    while len(found) < case.front:
        knobs = draw(space, rng)
        design = space.decode(knobs)
        hardware = estimate(network, design, config.board, config.clock_mhz, model)
        found[hardware.total.expected.lut] = (knobs, design, hardware)
    records = []
    for rank, (_, (knobs, design, hardware)) in enumerate(sorted(found.items())):
        accuracy = 0.6 + 0.35 * (rank + 1) / case.front
        metrics = metrics_of(hardware, config.board) | {"accuracy": accuracy}
        records.append(
            TrialRecord(
                id=rank,
                knobs=knobs,
                design=design,
                state="feasible",
                stage="finetune",
                metrics=metrics,
                hardware=hardware,
                constraints=violations(constraints_of(config), metrics, hardware),
                error=None,
                origin="sampler",
                cached_accuracy=False,
                seconds=12.3,
                finished=moment(rank),
            )
        )
    return records


def worse(
    record: TrialRecord, number: int, knobs: dict[str, Any], rng: random.Random
) -> TrialRecord:
    """Return a trial that `record` dominates, infeasible every fifth time."""
    metrics = {k: v * (1 + 0.3 * rng.random()) for k, v in record.metrics.items()}
    metrics["accuracy"] = record.metrics["accuracy"] * (1 - 0.1 * rng.random())
    return replace(
        record,
        id=number,
        knobs=knobs,
        metrics=metrics,
        state="infeasible" if number % 5 == 0 else "feasible",
        finished=moment(number),
    )


def draw(space: SearchSpace, rng: random.Random) -> dict[str, Any]:
    """Return a value of every knob."""
    return {
        k.name: rng.choice(k.values)
        if isinstance(k, Choice)
        else k.low * (k.high / k.low) ** rng.random()
        for k in space.knobs
    }


def moment(number: int) -> str:
    """Return a time, one second later for every trial."""
    return f"2026-03-01T{10 + number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}+00:00"


if __name__ == "__main__":
    main()
