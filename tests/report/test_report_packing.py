"""Columns and cards come back from their short forms as they were."""

import json
import random

from dse.report import html
from dse.report.packing import LETTERS, OBJECTS, TAGS, packed, tokens


def unpacked(column):
    if isinstance(column, list):
        return column
    return [column["of"][LETTERS.index(letter)] for letter in column["at"]]


def test_columns_come_back():
    rng = random.Random(0)
    for levels in (1, 2, 5, 64, 65, 500):
        for size in (0, 1, 9, 200, 5000):
            values = [rng.choice([None, "a\nb", 0.5, *range(levels)]) for _ in range(size)]
            assert unpacked(packed(values)) == values


def test_only_columns_of_few_values_are_letters():
    assert packed([1, 2, 3]) == [1, 2, 3]
    assert packed(["no"] * 11 + [None]) == {"of": ["no", None], "at": "aaaaaaaaaaab"}
    assert packed(list(range(100))) == list(range(100))


def test_the_page_reads_the_same_letters():
    script = (html.FOLDER / "report.js").read_text(encoding="utf-8")
    assert f'const LETTERS = "{LETTERS}";' in script


def test_texts_come_back_and_share_their_pieces():
    texts = {3: "<p>one<b>&lt;two", 7: "free <p>one</p>", 9: ""}
    found = tokens(texts, TAGS)
    joined = {
        int(key): "".join(found["pieces"][i] for i in places)
        for key, places in found["texts"].items()
    }
    assert joined == texts
    assert len(found["pieces"]) == len(set(found["pieces"])) == 4
    assert found["pieces"][0] == "<p>one"


def test_json_comes_back_and_shares_its_objects():
    rng = random.Random(1)
    values = {
        i: {
            "design": {
                f"conv{k}": {"a": {"bits": rng.choice([2, 4])}, "b": None} for k in range(9)
            },
            "folding": {
                "Defaults": {},
                **{f"FIFO_{k}": {"depth": rng.randint(1, 3)} for k in range(9)},
            },
        }
        for i in range(40)
    }
    texts = {i: json.dumps(v, separators=(",", ":")) for i, v in values.items()}
    found = tokens(texts, OBJECTS)
    for i, text in texts.items():
        assert "".join(found["pieces"][k] for k in found["texts"][str(i)]) == text
    assert len(found["pieces"]) < 60
