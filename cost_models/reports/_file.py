"""A report in memory: its bytes as text, XML or JSON, read without trusting them."""

from __future__ import annotations

import hashlib
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from cost_models.reports._errors import ReportError
from dse.ir.measurement import Kind, Measurement

MAX_BYTES = 64 << 20  # the largest report seen is 0.5 MB; a netlist or a log is none
HEAD_BYTES = 64 << 10  # what `recognises` gets; a report may follow the log of a C simulation


@dataclass(frozen=True, slots=True)
class ReportFile:
    """A file read into memory."""

    name: str
    data: bytes
    sha256: str

    @property
    def text(self) -> str:
        """The text, without carriage returns at line ends; bytes that are not UTF-8 become U+FFFD."""
        return self.data.decode("utf-8", errors="replace").replace("\r\n", "\n")

    def xml(self, root: str) -> ET.Element:
        """Return the root element.

        Raises:
            ReportError: not well-formed, another root tag, or a document type: entities can read files
                and grow without bound, and no report declares one.
        """
        if re.search(rb"<!(DOCTYPE|ENTITY)", self.data, re.IGNORECASE):
            raise ReportError(self.name, "XML without a document type", "<!DOCTYPE")
        try:
            element = ET.fromstring(self.data)
        except (ET.ParseError, ValueError, LookupError) as error:  # LookupError: unknown encoding
            raise ReportError(self.name, "well-formed XML", str(error)) from None
        if element.tag != root:
            raise ReportError(self.name, f"the root element <{root}>", f"<{element.tag}>")
        return element

    def json(self) -> dict[str, Any]:
        """Return the JSON object.

        Raises:
            ReportError: not JSON, nested too deeply, a key given twice, or not an object.
        """
        try:
            value = json.loads(
                self.data, object_pairs_hook=self._unique, parse_constant=self._constant
            )
        except RecursionError:
            raise ReportError(self.name, "JSON of few levels", "nesting beyond the limit") from None
        except ValueError as error:
            raise ReportError(self.name, "JSON", str(error)) from None
        if not isinstance(value, dict):
            raise ReportError(self.name, "a JSON object", f"a {type(value).__name__}")
        return value

    def _unique(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) != len(pairs):
            keys = [k for k, _ in pairs]
            raise ReportError(self.name, "every key once", f"{max(keys, key=keys.count)!r} twice")
        return value

    def _constant(self, text: str) -> NoReturn:
        raise ReportError(self.name, "finite numbers", text)

    def measurement(
        self,
        instance: str,
        kind: Kind,
        resources: dict[str, float] | None = None,
        *,
        interval: tuple[int | None, int | None] = (None, None),
        latency: tuple[int | None, int | None] = (None, None),
        clock_ns: float | None = None,
        target_clock_ns: float | None = None,
        tool: str = "",
        part: str = "",
        extras: dict[str, float] | None = None,
    ) -> Measurement:
        """Return a measurement of this file; `interval` and `latency` are (best, worst) case."""
        return Measurement(
            instance=instance,
            kind=kind,
            resources=resources or {},
            interval_cycles=interval[1],
            latency_cycles=latency[1],
            clock_ns=clock_ns,
            target_clock_ns=target_clock_ns,
            tool=tool,
            part=part,
            source=self.name,
            sha256=self.sha256,
            interval_cycles_min=interval[0],
            latency_cycles_min=latency[0],
            extras=extras or {},
        )


def load(path: Path) -> ReportFile:
    """Read a file.

    Raises:
        ReportError: it is too large, binary, or cannot be read.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ReportError(path.name, f"at most {MAX_BYTES >> 20} MB", f"{size >> 20} MB")
        data = path.read_bytes()
    except OSError as error:
        raise ReportError(path.name, "a readable file", error.strerror or "an error") from None
    if b"\0" in data:
        raise ReportError(path.name, "text", "binary data")
    return ReportFile(path.name, data, hashlib.sha256(data).hexdigest())
