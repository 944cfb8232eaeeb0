"""What the JSON reports of FINN share: {layer: {resource: number}}."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cost_models.reports._errors import ReportError
from cost_models.reports._file import ReportFile

LAYERS = re.compile(r'\s*\{\s*"[^"]+"\s*:\s*\{')


def is_layer_table(head: str) -> bool:
    """Whether a file begins as a JSON object of objects."""
    return LAYERS.match(head) is not None


def layers(file: ReportFile) -> dict[str, Mapping[str, Any]]:
    """Return {layer: {key: value}}.

    Raises:
        ReportError: the file is something else, or empty.
    """
    value = file.json()
    if not value:
        raise ReportError(file.name, "layers", "none")
    for name, entry in value.items():
        if not isinstance(entry, dict):
            raise ReportError(file.name, f"an object for layer {name!r}", type(entry).__name__)
    return value
