"""The study file as a JSON Schema, made from what its readers read by.

The keys of every map, ranges of knobs, units, metrics, samplers and plug-ins come from the tables of the
readers, so a key that the reader takes is in the schema. The schema is the weaker of the two: it judges one value at
a time, as an editor needs it; whatever `load_config` accepts it accepts (tests/config/test_config_schema.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cost_models._named import model_names
from dse.config.cost_model import COST_MODEL, SYNTHESISE
from dse.config.data import DATA, FILES, LIMIT, OWN
from dse.config.described import ABOUT, DEFAULTS
from dse.config.effort import BUDGET, KEEPS, STAGES
from dse.config.goals import DIRECTIONS, MOST_OBJECTIVES
from dse.config.knobs import RANGE, NumberKnob
from dse.config.parallel import ADDRESS, GPUS, PARALLEL
from dse.config.quantities import COUNT, HERTZ, KIBIBYTES, NUMBER, PERCENTAGE, SECONDS
from dse.config.read import ANY, Keys
from dse.config.report import REPORT, WORDS
from dse.config.space import DEFAULTS as SPACE_DEFAULTS
from dse.config.space import FOLDS, KNOBS, LAYER, NUMBERS, SPACE, words_known
from dse.config.study import KEYS, NAME, VERSION
from dse.config.target import BOARD, MOST_SLRS
from dse.config.target import NAMES as RESOURCE_NAMES
from dse.config.values import CHOICES, SAMPLERS, STEPS, SYNTHESISERS
from dse.ir.metrics import ALIASES, METRICS, PER_SLR
from hw_templates._boards import FAMILIES, board_names

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TEXT: Schema = {"type": ["string", "number", "boolean"]}  # a name may look like a number to YAML


def study_schema() -> Schema:
    """Return the JSON Schema (draft 2020-12) of study.yaml; annotated with `description` and `default`."""
    found = _map(KEYS, _top(), "")
    needed = found.pop("required")
    # what is needed may stand in the file that is extended
    found["anyOf"] = [{"required": needed}, {"required": ["extends"]}]
    return {"$schema": DIALECT, "title": "dse study file"} | found


def _map(keys: Keys, values: Mapping[str, Schema], path: str) -> Schema:
    """Return the schema of a map; a key without a schema of its own takes anything but nothing."""
    properties = {}
    for key in keys.takes:
        where = f"{path}.{key}".removeprefix(".")
        notes: Schema = {"description": ABOUT[where]} if where in ABOUT else {}
        if where in DEFAULTS:
            notes["default"] = DEFAULTS[where]
        properties[key] = notes | values.get(key, {"not": {"type": "null"}})
    found: Schema = {"type": "object", "additionalProperties": False, "properties": properties}
    return found | ({"required": list(keys.needed)} if keys.needed else {})


FILE = {"type": "string", "pattern": r"\.ya?ml$"}


def _top() -> dict[str, Schema]:
    board = _map(BOARD, {r: _counted() for r in RESOURCE_NAMES}, "board")
    board["anyOf"] = [{"required": ["bram18"]}, {"required": ["bram"]}]
    for key in ("part", "name"):
        board["properties"][key] |= TEXT
    board["properties"]["family"] |= {"enum": list(FAMILIES)}
    board["properties"]["slrs"] |= _whole(1, MOST_SLRS)
    return {
        "version": {"const": VERSION},
        "study": TEXT | {"pattern": f"^{NAME.pattern}$"},
        "extends": TEXT,
        "description": TEXT,
        "seed": _whole(0, 2**32 - 1),
        "model": {"anyOf": [TEXT, {"type": "object"}]},
        "data": {"anyOf": [TEXT, _data()]},
        "board": {"anyOf": [_insensitive(board_names()), FILE, board]},
        "clock": _unit(HERTZ, SECONDS),
        "reserve": {
            "type": "object",
            "additionalProperties": False,
            "properties": {r: _counted() for r in RESOURCE_NAMES},
        },
        "space": _space(),
        "objectives": _objectives(),
        "constraints": {"type": "array", "items": TEXT},
        "seeds": {"anyOf": [TEXT, {"type": "array", "items": TEXT}]},
        "sampler": {"enum": list(SAMPLERS)},
        "budget": _map(
            BUDGET,
            {
                "trials": _whole(1),
                "time": _unit(SECONDS),
                "patience": _whole(1),
                "failures": _percent(),
            },
            "budget",
        ),
        "stages": _stages(),
        "cost_model": _cost_model(),
        "parallel": _parallel(),
        "storage": TEXT,
        "artifacts": TEXT,
        "report": {
            "anyOf": [
                {"enum": list(WORDS)},
                _map(REPORT, {"file": TEXT, "every": _unit(SECONDS)}, "report"),
            ]
        },
    }


def _space() -> Schema:
    knobs = _knobs()
    layer = _map(LAYER, knobs | {"match": TEXT}, "space.layers[]")
    space = knobs | {
        "defaults": _map(SPACE_DEFAULTS, knobs, "space.defaults"),
        "layers": {"type": "array", "items": layer},
        "require": {"type": "array", "items": {"type": "string"}},
    }
    found = _map(SPACE, space, "space")
    for level in (found, found["properties"]["defaults"], layer):
        for knob in KNOBS:
            level["properties"][knob].setdefault("description", ABOUT.get(f"space.{knob}", ""))
    return found


def _knobs() -> dict[str, Schema]:
    found = {name: _number(knob) for name, knob in NUMBERS.items()}
    for lanes in ("pe", "simd"):
        found[lanes]["anyOf"].append({"const": "divisors"})
    found |= {name: _one_or_more({"enum": list(known)}) for name, known in words_known().items()}
    found["block"] = _one_or_more(
        {"type": "string", "pattern": r"^[1-9]\d{0,5}\s*x\s*[1-9]\d{0,5}$"}
    )
    found["fold"] = {"anyOf": [{"enum": list(FOLDS)}, {"pattern": f"^{STEPS.pattern}$"}]}
    return found


def _number(knob: NumberKnob) -> Schema:
    """Return the schema of one number, a list of them or a range."""
    value = dict(knob.schema)
    values = dict.fromkeys(("min", "max", "step"), value) | {"log": {"type": "boolean"}}
    found = _one_or_more(value)
    found["anyOf"].append(_map(RANGE, values, "range"))
    return found


def _objectives() -> Schema:
    names = [n for n in (*METRICS, *ALIASES) if n not in PER_SLR]
    properties = {}
    for name in names:
        better = METRICS[ALIASES.get(name, name)].direction
        properties[name] = {"enum": [w for w, meant in DIRECTIONS.items() if meant == better]}
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "minProperties": 1,
        "maxProperties": MOST_OBJECTIVES,
    }


def _data() -> Schema:
    limits = _map(LIMIT, dict.fromkeys(LIMIT.takes, _whole(1)), "data.limit")
    share = {
        "anyOf": [{"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, _percent()]
    }
    values = {
        "name": TEXT,
        "path": TEXT,
        **dict.fromkeys(FILES, TEXT),
        "pad": _whole(0, 1024),
        **{key: _whole(low, high) for key, (low, high, _) in OWN.items()},
        "validation": share,
        "limit": limits,
    }
    return _map(DATA, values, "data")


def _stages() -> Schema:
    """Return a list of maps of one key each."""
    low = {"epochs": 0, "images": 1}
    kinds = []
    for name, options in STAGES.items():
        share: Schema = {"anyOf": [_percent(), {"const": "all"}]}
        keep = {"enum": list(KEEPS)} if name == "estimate" else share
        values = {o: _whole(low[o]) if o in low else keep for o in options}
        inner: Schema = {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                o: v | {"description": ABOUT.get(f"stages[].{name}.{o}", "")}
                for o, v in values.items()
            },
        }
        kinds.append(
            {
                "type": "object",
                "additionalProperties": False,
                "required": [name],
                "properties": {name: {"anyOf": [inner, {"type": "null"}]}},
            }
        )
    return {"type": "array", "items": {"anyOf": kinds}}


def _cost_model() -> Schema:
    synthesise = _map(
        SYNTHESISE,
        {
            "top": _whole(1),
            "every": _whole(1),
            "choose": {"enum": list(CHOICES)},
            "tool": {"enum": list(SYNTHESISERS)},
            "timeout": _unit(SECONDS),
        },
        "cost_model.synthesise",
    )
    return _map(
        COST_MODEL,
        {
            "name": {"enum": list(model_names())},
            "file": TEXT,
            "confidence": _percent(),
            "synthesise": synthesise,
        },
        "cost_model",
    )


def _parallel() -> Schema:
    number: Schema = {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, _whole(0, 1024)]}
    gpus = {"anyOf": [*number["anyOf"], _map(GPUS, {"finetune": number}, "parallel.gpus")]}
    return _map(
        PARALLEL,
        {
            "ray": {"type": "string", "pattern": rf"^(local|auto|{ADDRESS.pattern})$"},
            "workers": {"anyOf": [_whole(1, 4096), {"const": "cores"}]},
            "cpus": _whole(1, 1024),
            "gpus": gpus,
            "memory": _unit(KIBIBYTES),
            "timeout": _unit(SECONDS),
            "retries": _whole(0, 100),
        },
        "parallel",
    )


def _whole(low: int, high: int = ANY) -> Schema:
    return {"type": "integer", "minimum": low} | ({} if high == ANY else {"maximum": high})


def _one_or_more(value: Schema) -> Schema:
    return {"anyOf": [value, {"type": "array", "items": value, "minItems": 1}]}


def _unit(*tables: Mapping[str, float]) -> Schema:
    """Return the schema of a number with one of these units; frequencies are read in any case."""
    names = [n for table in tables for n in table if n]
    words = "|".join(
        _any_case(n) if n in HERTZ else n for n in sorted(names, key=len, reverse=True)
    )
    return {"type": "string", "pattern": rf"^\s*{NUMBER}\s*({words}|\u03bcs)\s*$"}


def _counted() -> Schema:
    units = "".join(u for u in COUNT if u)
    text = {"type": "string", "pattern": rf"^\s*{NUMBER}\s*[{units}]?\s*$"}
    return {"anyOf": [{"type": "number", "minimum": 0}, text]}


def _percent() -> Schema:
    return {"type": "string", "pattern": PERCENTAGE}


def _insensitive(names: tuple[str, ...]) -> Schema:
    shown = "|".join(_any_case(n) for n in names)
    return {"type": "string", "pattern": f"^({shown})$", "examples": list(names)}


def _any_case(name: str) -> str:
    return "".join(
        f"[{c.upper()}{c.lower()}]" if c.isalpha() else f"\\{c}" if c in ".+" else c for c in name
    )
