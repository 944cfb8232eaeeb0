"""Shorter forms of what a page holds many times; `unpacked` and `cardOf` in report.js read them."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

TAGS = re.compile(r"^[^<]+|<[^<]*")  # pieces of markup: a tag and the text behind it
OBJECTS = re.compile(
    r"\{[^{}]*\}*,?|[^{}]+|\}+,?"
)  # pieces of JSON: an innermost object, the key before it
LETTERS = string.ascii_letters + string.digits + "-_"  # one per different value of a column


def packed(values: Sequence[Any]) -> Any:
    """Return a column of few different values as `{"of": values, "at": one letter per place}`.

    A column of many different values, or a short one, comes back as a list.
    """
    levels = list(dict.fromkeys(values))
    if len(levels) > len(LETTERS) or len(values) < 2 * len(levels) + 8:
        return list(values)
    place = dict(zip(levels, LETTERS, strict=False))
    return {"of": levels, "at": "".join(place[v] for v in values)}


def tokens(texts: Mapping[int, str], cut: re.Pattern[str]) -> dict[str, Any]:
    """Return texts as places in one list of their pieces; joined again, they are as they were.

    Design cards differ in numbers only, and few of those: cards of
    28 layers take a tenth of their length. Frequent pieces come first, so most places have two digits.
    """
    pieces = {key: cut.findall(text) for key, text in texts.items()}
    ranked = Counter(p for found in pieces.values() for p in found).most_common()
    place = {piece: i for i, (piece, _) in enumerate(ranked)}
    return {
        "pieces": list(place),
        "texts": {str(key): [place[p] for p in found] for key, found in pieces.items()},
    }
