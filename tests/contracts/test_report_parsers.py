"""The promise of cost_models/reports/_read.py, kept by every file in the folder."""

from __future__ import annotations

import hashlib
import inspect
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from cost_models.reports import ReportError, read_reports
from cost_models.reports._file import HEAD_BYTES
from cost_models.reports._read import PACKAGE, Parser
from dse.ir import plugins
from dse.ir.hardware import RESOURCES

DATA = Path(__file__).parents[1] / "reports" / "data"
FIXTURES = sorted(DATA.iterdir())
PARSERS = {name: cast(Parser, plugins.load(PACKAGE, name)) for name in plugins.names(PACKAGE)}


def recognisers(path: Path) -> list[str]:
    head = path.read_text(errors="replace")[:HEAD_BYTES]
    return [name for name, parser in PARSERS.items() if parser.recognises(path, head)]


def test_every_parser_is_a_documented_file_with_two_functions_and_a_fixture() -> None:
    assert {n for path in FIXTURES for n in recognisers(path)} == set(PARSERS)
    for name, parser in PARSERS.items():
        doc = inspect.getdoc(parser)
        assert doc, name
        assert doc.count("\n") == 0, name
        assert list(inspect.signature(parser.recognises).parameters) == ["path", "head"]
        assert list(inspect.signature(parser.parse).parameters) == ["path"]


@pytest.mark.parametrize("path", FIXTURES, ids=lambda p: p.name)
def test_every_report_has_exactly_one_parser(path: Path) -> None:
    assert len(recognisers(path)) == 1


@pytest.mark.parametrize("path", FIXTURES, ids=lambda p: p.name)
def test_a_measurement_states_something_and_where_it_is_from(path: Path) -> None:
    measured, skipped = read_reports([path])
    assert not skipped
    assert measured == PARSERS[recognisers(path)[0]].parse(path)
    for m in measured:
        assert set(m.resources) <= set(RESOURCES)
        assert all(isinstance(v, float) and v >= 0 for v in m.resources.values())
        assert m.resources or m.interval_cycles is not None or m.clock_ns is not None
        assert m.source == path.name
        assert m.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        for best, worst in (
            (m.interval_cycles_min, m.interval_cycles),
            (m.latency_cycles_min, m.latency_cycles),
        ):
            assert (best is None) == (worst is None)
            assert best is None or worst is None or best <= worst


@pytest.mark.parametrize("path", FIXTURES, ids=lambda p: p.name)
def test_a_report_written_on_windows_reads_the_same(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    (here, _), (there, _) = read_reports([path]), read_reports([copy])
    assert [replace(m, sha256="") for m in there] == [replace(m, sha256="") for m in here]


@pytest.mark.parametrize("path", FIXTURES, ids=lambda p: p.name)
def test_names_of_machines_and_folders_stay_in_the_report(path: Path) -> None:
    text = repr(read_reports([path]))
    assert "a-machine" not in text
    assert str(DATA) not in text


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_refuses_a_foreign_file_by_name(name: str, tmp_path: Path) -> None:
    for text in ("", "{}", "<a/>", "[1]", "a,b\n1,2\n", '{"a": {"b": 1}}', '{"a": {}}'):
        path = tmp_path / "foreign.txt"
        path.write_text(text)
        assert not PARSERS[name].recognises(path, text)
        with pytest.raises(ReportError, match=r"^foreign\.txt: expected ") as error:
            PARSERS[name].parse(path)
        assert error.value.exit_code == 2
