"""The values of plain YAML scalars by the core schema of YAML 1.2.2, section 10.3.2.

PyYAML follows YAML 1.1, where `no` is False, `1:30` is 90 and `1e-3` is text.
"""

from __future__ import annotations

import re
from typing import TypeAlias

Value: TypeAlias = str | int | float | bool | None

WORDS: dict[str, Value] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
DECIMAL = re.compile(r"[-+]?[0-9]+")
PREFIXED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)")
NAN = re.compile(r"\.(nan|NaN|NAN)")
LONGEST_INTEGER = 300  # digits; longer ones become (infinite) floats and fail every range check


def resolve(text: str) -> Value:
    """Return the value of the plain scalar `text`."""
    if text in WORDS:
        return WORDS[text]
    if len(text) <= LONGEST_INTEGER:
        if DECIMAL.fullmatch(text):
            return int(text)
        if PREFIXED.fullmatch(text):
            return int(text, 0)
    if FLOAT.fullmatch(text):
        return float(text)
    if INFINITE.fullmatch(text) or NAN.fullmatch(text):
        return float(text.replace(".", ""))
    return text
