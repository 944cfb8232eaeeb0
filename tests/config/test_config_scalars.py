"""YAML 1.2 core values, and where they stand."""

from __future__ import annotations

import math

import pytest

from dse.config.complaints import Complaints
from dse.config.parse import parse
from dse.config.quantities import amount, megahertz, seconds
from dse.config.scalars import resolve
from dse.config.source import Source, masked
from dse.config.tree import Map, Scalar, marks, place, steps


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # YAML 1.2.2, section 10.3.2 and the examples of its table
        *[(t, None) for t in ("", "~", "null", "Null", "NULL")],
        *[(t, True) for t in ("true", "True", "TRUE")],
        *[(t, False) for t in ("false", "False", "FALSE")],
        *[(t, t) for t in ("yes", "no", "on", "off", "y", "n", "nULL", "tRUE")],
        *[("0", 0), ("-19", -19), ("+12", 12), ("0o7", 7), ("0x3A", 58), ("012", 12)],
        *[("0.", 0.0), ("-0.0", 0.0), (".5", 0.5), ("+12e03", 12000.0), ("-2E+05", -200000.0)],
        *[("1e-3", 0.001), (".inf", math.inf), ("-.Inf", -math.inf), ("9" * 400, math.inf)],
        *[(t, t) for t in ("1:30", "0:15:00", "1_000", "1x1", "0b1", "2026-01-01", "1e", ".", "-")],
    ],
)
def test_core_schema(text, value) -> None:
    found = resolve(text)
    assert found == value
    assert type(found) is type(value)


def test_nan() -> None:
    found = resolve(".nan")
    assert isinstance(found, float)
    assert math.isnan(found)


def read(text: str) -> Map:
    complaints = Complaints()
    root = parse(Source.of("f", text), text, complaints)
    assert not complaints
    assert isinstance(root, Map)
    return root


def test_quoted_numbers_are_text() -> None:
    root = read("a: '1'\nb: \"true\"\nc: |\n  3\nd: 1\n")
    values = [e.value.value for e in root.entries if isinstance(e.value, Scalar)]
    assert values == ["1", "true", "3\n", 1]


def test_marks_and_places() -> None:
    text = "a: {b: [1, 22]}\nc:\n  - d: xyz\n"
    root = read(text)
    assert marks(root) == {
        "a": (1, 4),
        "a.b": (1, 8),
        "a.b[0]": (1, 9),
        "a.b[1]": (1, 12),
        "c": (3, 3),
        "c[0]": (3, 5),
        "c[0].d": (3, 8),
    }
    for path, shown in {
        "a.b[1]": "22",
        "a.b": "[1, 22]",
        "c": "c",  # of a block, the key
        "c[0].d": "xyz",
        "c[0].d.e": "xyz",  # nothing below: the nearest above
        "a.x": "{b: [1, 22]}",
    }.items():
        span = place(root, path)
        line = text.splitlines()[span.line - 1]
        assert line[span.column - 1 : span.column - 1 + span.length] == shown


@pytest.mark.parametrize("path", ["", ".", "a.", ".a", "a..b", "a[x]", "[", "a]", "a[0"])
def test_what_is_no_path(path) -> None:
    assert steps(path) == ()


def test_path() -> None:
    assert steps("space.layers[12].match") == ("space", "layers", 12, "match")


@pytest.mark.parametrize(
    ("text", "number", "unit"),
    [
        ("100 MHz", 100.0, "MHz"),
        ("5ns", 5.0, "ns"),
        (" -1.5e3  k fps ", -1500.0, "k fps"),
        ("70%", 70.0, "%"),
        ("30 /s", 30.0, "/s"),
        ("0:15:00", 0.0, ""),
        ("42", 42.0, ""),
    ],
)
def test_amounts(text, number, unit) -> None:
    root = read(f"a: '{text}'")
    node = root.entries[0].value
    assert isinstance(node, Scalar)
    found = amount(node)
    assert found is not None
    assert (found.number, found.unit) == (number, unit)


@pytest.mark.parametrize("text", ["", "MHz", "1.2.3", "- 3", "1e", "x 3"])
def test_what_is_no_amount(text) -> None:
    node = read(f"a: '{text}'").entries[0].value
    assert isinstance(node, Scalar)
    found = amount(node)
    assert found is None or not found.unit or found.unit == "e"


@pytest.mark.parametrize(
    ("text", "mhz"),
    [
        ("100 MHz", 100),
        ("0.1 GHz", 100),
        ("250000 kHz", 250),
        ("5 ns", 200),
        ("1 us", 1),
        ("0 ns", math.inf),
    ],
)
def test_clocks(text, mhz) -> None:
    node = read(f"a: {text}").entries[0].value
    assert isinstance(node, Scalar)
    found = amount(node)
    assert found is not None
    assert megahertz(found) == pytest.approx(mhz, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "value"),
    [("15 min", 900), ("2 h", 7200), ("3 d", 259200), ("1 μs", 1e-6), ("1 m", None)],
)
def test_times(text, value) -> None:
    node = read(f"a: {text}").entries[0].value
    assert isinstance(node, Scalar)
    found = amount(node)
    assert found is not None
    assert seconds(found) == value


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://dse:hunter2@db/x", "postgresql://dse:*******@db/x"),
        ("redis://:p@ss:w/rd@db", "redis://:*********@db"),
        ("mysql://db/x?a=1&password=abc&b=2", "mysql://db/x?a=1&password=***&b=2"),
        ("mysql://db/x?passwd=abc", "mysql://db/x?passwd=***"),
        ("postgresql://db/x?sslpassword=abc&b=2", "postgresql://db/x?sslpassword=***&b=2"),
        ("postgresql://dse@db/x", "postgresql://dse@db/x"),
        ("http://host:80/a b@c", "http://host:80/a b@c"),
    ],
)
def test_masking(text, shown) -> None:
    assert masked(text) == shown
