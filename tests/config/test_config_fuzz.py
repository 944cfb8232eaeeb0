"""Whatever the file holds: a configuration or a StudyFileError, never anything else."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dse.config.load import load_config
from dse.config.problems import StudyFileError, problem_at

PIECES = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "-",
    "?",
    "&",
    "*",
    "!",
    "|",
    ">",
    "'",
    '"',
    "%",
    "@",
    "`",
    "#",
    "~",
    "<<",
    "...",
    "---",
    "\\",
    "\t",
    "\x00",
    "\x85",
    "\ufeff",
    "\u2028",
    "é",
    "中",
    "💥\n1e999",
    "-0",
    ".nan",
    ".inf",
    "0x4",
    "0o7",
    "true",
    "null",
    "no",
    "1:30",
    "99999999999999999999",
    "${HOME}",
    "${",
    "://a:b@c\n[[[[",
    "{a:",
    "{b:",
    "c}}",
    "-",
    "-",
    "-",
    ":",
    ":",
    "&a",
    "*a",
    "!!int",
    "3.5",
    "%",
    "space",
    "weight_bits",
    "match",
    "<=",
    ">=",
    "70%",
    "\r\n",
]
KEYS = st.sampled_from(
    [
        "version",
        "study",
        "model",
        "data",
        "board",
        "clock",
        "reserve",
        "space",
        "objectives",
        "constraints",
        "seeds",
        "sampler",
        "budget",
        "stages",
        "cost_model",
        "parallel",
        "storage",
        "name",
        "path",
        "layers",
        "match",
        "min",
        "max",
        "step",
        "log",
        "trials",
        "epochs",
        "pe",
        "lut",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | KEYS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
QUICK = settings(
    max_examples=100,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def check(path: Path, data: bytes, overrides: Sequence[str] = ()) -> None:
    """Load the file; whatever is raised must be complete and safe to print."""
    path.write_bytes(data)
    try:
        config = load_config(path, overrides)
        error = problem_at(config, next(iter(config.marks)), "x", "y")
    except StudyFileError as raised:
        error = raised
    assert error.to_json()
    for problem in error.problems:
        assert problem.span.line >= 1
        assert problem.span.column >= 1
        text = problem.render().replace("\n", "").replace("\t", "")
        assert text.replace("\u2028", "").isprintable(), repr(text)


def mutated(lines: list[str], rng: random.Random) -> str:
    text = list(lines)
    for _ in range(rng.randint(1, 3)):
        i = rng.randrange(len(text))
        at = rng.randrange(len(text[i]) + 1)
        piece = rng.choice(PIECES)
        action = rng.randrange(6)
        if action == 0:
            text[i] = text[i][:at] + piece + text[i][at:]
        elif action == 1:
            text[i] = text[i][:at] + text[i][at + rng.randint(1, 8) :]
        elif action == 2:
            text[i], text[-1] = text[-1], text[i]
        elif action == 3:
            text[i] = " " * rng.randint(0, 4) + text[i]
        elif action == 4:
            text.insert(i, text[rng.randrange(len(text))])
        elif ":" in text[i]:
            text[i] = text[i].split(":")[0] + ": " + piece + "\n"
    return "".join(text)


def test_mutations_of_the_quick_start(quick_start, tmp_path) -> None:
    rng = random.Random(1)
    lines = quick_start.splitlines(keepends=True)
    for _ in range(500):
        check(tmp_path / "s.yaml", mutated(lines, rng).encode())


def test_cut_off_anywhere(quick_start, tmp_path) -> None:
    for end in range(0, len(quick_start), 5):
        check(tmp_path / "s.yaml", quick_start[:end].encode())


@QUICK
@given(key=KEYS, value=VALUES)
def test_any_value_for_any_key(key, value, quick_start, tmp_path) -> None:
    lines = [line for line in quick_start.splitlines() if not line.startswith(f"{key}:")]
    text = "\n".join(lines) + "\n" + yaml.safe_dump({key: value}, allow_unicode=True)
    check(tmp_path / "s.yaml", text.encode("utf-8", errors="replace"))


@QUICK
@given(data=st.binary(max_size=200))
def test_any_bytes(data, tmp_path) -> None:
    check(tmp_path / "s.yaml", data)


@QUICK
@given(text=st.text(max_size=40))
def test_any_override(text, quick_start, tmp_path) -> None:
    for override in (text, f"budget.trials={text}", f"space={text}", f"{text}=1"):
        check(tmp_path / "s.yaml", quick_start.encode(), [override])


@pytest.mark.parametrize("secret", ["hunter2", "p@ss:w/rd", "x" * 50])
def test_no_secret_is_ever_printed(secret, quick_start, tmp_path) -> None:
    url = f"postgresql://dse:{secret}@db.lab/dse"
    path = tmp_path / "s.yaml"
    for key in ("storage", "storag", "board", "study", "model", "data", "clock", "seed", "sampler"):
        lines = [line for line in quick_start.splitlines() if not line.startswith(f"{key}:")]
        for value in (url, f'"{url}"', f"[{url!r}]", f"{{a: {url!r}}}"):
            path.write_text("\n".join([*lines, f"{key}: {value}"]) + "\n")
            with pytest.raises(StudyFileError) as caught:
                load_config(path)
            assert secret not in str(caught.value), str(caught.value)
            assert secret not in str(caught.value.to_json())
