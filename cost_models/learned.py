"""Analytic prior with corrections learned from synthesis reports; ships `vivado-finn`, `yosys-rtl`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from cost_models import analytic
from cost_models._axes import axis_names
from cost_models._correction import Correction
from cost_models._loading import with_loading
from cost_models._model import CostModel, Floats, ResourceArrays, UnitPrediction
from cost_models._prior import BUILDERS, Priced, priced, prior, term_names
from dse.errors import UsageError
from dse.ir.hardware import RESOURCES
from dse.ir.network import digest_of
from dse.ir.units import Unit

FORMAT = 1
SHIPPED = "vivado-finn"
# model -> `Board.family` -> its file
FILES: Mapping[str, Mapping[str, str]] = {
    SHIPPED: dict.fromkeys(("7series", "ultrascale+"), "vivado-finn.json"),
    "yosys-rtl": {"7series": "yosys-rtl-xc7.json", "ultrascale+": "yosys-rtl-xcup.json"},
}
INDEPENDENT = "independent"  # `errors_of_units` of a model whose units do not all err the same way
MODELS = ("analytic", *FILES)  # by name; every other is a file


@dataclass(frozen=True, eq=False)
class LearnedModel:
    """The model of one device family. Equal only to itself, so it can key a cache.

    Attributes:
        family: `Board.family`.
        name: "vivado-finn", "yosys-rtl", or the name of the user's file.
        builder: whose units it is about, one of `_prior.BUILDERS`.
        facts: what the file states about itself: tool, tool_version, part, records, networks,
            held_out, coverage, ...
        corrections: kind of unit -> resource -> correction; what is not there is analytic.
        own: kind of unit -> factors and bands of its own, where those of `analytic` are of another
            tool; as in `analytic.json`.
    """

    family: str
    name: str
    builder: str
    facts: Mapping[str, Any]
    corrections: Mapping[str, Mapping[str, Correction]]
    own: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @cached_property
    def source(self) -> str:
        """Name and digest of the model, and which kinds of units it has records of."""
        if not self.corrections:
            return self.name
        digest = digest_of(self.to_json())[:8]
        return f"{self.name} {digest} ({', '.join(self.corrections)}; other units: analytic)"

    @cached_property
    def prior(self) -> analytic.AnalyticModel:
        """The analytic model that is corrected."""
        plain = prior(self.family)
        return replace(plain, kinds={**plain.kinds, **self.own}) if self.own else plain

    @property
    def independent(self) -> bool:
        """Whether the errors of the units of a design are independent, as held-out designs say."""
        return self.facts.get("errors_of_units") == INDEPENDENT

    def predict(self, unit: Unit) -> UnitPrediction:
        """Price a unit whose fields may be arrays.

        Raises:
            UsageError: an unknown kind of unit, or UltraRAM on a family that has none.
        """
        kind = analytic.KINDS[type(unit)][0] if type(unit) in analytic.KINDS else None
        no_uram = self.family not in analytic.URAM_FAMILIES
        if kind not in self.corrections or (no_uram and getattr(unit, "memory", "") == "uram"):
            return self.prior.predict(unit)  # prices it, or says why there is no price
        seen = priced(unit, self.builder, self.prior.kinds)
        ends = {r: self.ends(seen, r) for r in RESOURCES}
        said = UnitPrediction(
            *(ResourceArrays(**{r: ends[r][i] for r in RESOURCES}) for i in range(3))
        )
        return with_loading(said, unit)

    def ends(self, seen: Priced, resource: str) -> tuple[Floats, Floats, Floats]:
        """Return expected, low and high of one resource of a unit that the prior has seen."""
        correction = self.corrections.get(seen.kind, {}).get(resource)
        if correction is not None:
            return correction.ends(seen, resource)
        total = seen.totals[resource]
        low, high = self.prior.kinds[seen.kind][resource]["band"]
        return total, total * low, total * high

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; `from_json` is the inverse."""
        return {
            "format": FORMAT,
            "model": "learned",
            "name": self.name,
            **self.facts,
            "builder": self.builder,
            "prior": {
                "model": "analytic",
                "digests": {k: prior_digest(k) for k in self.corrections if k not in self.own},
                **({"kinds": self.own} if self.own else {}),
            },
            "corrections": {
                kind: {r: c.to_json() for r, c in found.items()}
                for kind, found in self.corrections.items()
            },
        }

    def on(self, family: str) -> LearnedModel:
        """Return the same model for another family."""
        return replace(self, family=family)


def from_json(value: Mapping[str, Any], family: str, file: str = "the model") -> LearnedModel:
    """Rebuild a model.

    Args:
        value: as `LearnedModel.to_json` returns it.
        family: `Board.family`.
        file: how messages name it.

    Raises:
        UsageError: it is no cost model, was written by a newer version, or corrects an analytic
            model that is not the one of this version.
    """
    try:
        written = int(value["format"])
        if value["model"] != "learned" or value["builder"] not in BUILDERS:
            msg = f"it is a {value['model']!r} model"
            raise ValueError(msg)
        if written > FORMAT:
            msg = f"{file} must have format {FORMAT}, it has {written}; upgrade dse"
            raise UsageError(msg)
        for kind, digest in value["prior"]["digests"].items():
            if digest != prior_digest(kind):
                msg = (
                    f"{file} corrects another analytic model of {kind} units than this version of"
                    f" dse has; run `dse calibrate` on the reports again"
                )
                raise UsageError(msg)
        own = value["prior"].get("kinds", {})
        corrections = {
            kind: {
                r: Correction.from_json(c, axis_names(kind), _terms(own, kind, r))
                for r, c in found.items()
            }
            for kind, found in value["corrections"].items()
        }
        known = {"format", "model", "name", "builder", "prior", "corrections"}
        facts = {k: v for k, v in value.items() if k not in known}
        return LearnedModel(family, str(value["name"]), value["builder"], facts, corrections, own)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        msg = f"{file} must be a cost model written by `dse calibrate`: {error}; write it again"
        raise UsageError(msg) from None


@lru_cache
def load(family: str) -> CostModel:
    """Return the shipped model `vivado-finn` for a device family (`Board.family`)."""
    return shipped(SHIPPED, family)


@lru_cache
def shipped(name: str, family: str) -> LearnedModel:
    """Return a learned model that comes with dse, by its name in FILES."""
    file = FILES[name][family]
    text = (files("cost_models") / "coefficients" / file).read_text(encoding="utf-8")
    return from_json(json.loads(text), family, file)


def read(path: Path, family: str) -> LearnedModel:
    """Read a model that `dse calibrate` wrote.

    Raises:
        UsageError: the file cannot be read, or is none.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{path} must be a cost model written by `dse calibrate`: {error}"
        raise UsageError(msg) from None
    return from_json(value, family, str(path))


def named(name: str, family: str, builder: str = "dse") -> LearnedModel:
    """Return a model by name, "analytic" or a shipped one, or by the path of its file.

    Args:
        name: of the model.
        family: `Board.family`.
        builder: whose units the analytic model is about; the others say so themselves.

    Raises:
        UsageError: there is none.
    """
    if name == "analytic":
        return LearnedModel(family, name, builder, {}, {})
    if name in FILES:
        return shipped(name, family)
    if Path(name).is_file():
        return read(Path(name), family)
    msg = f"a base model must be {', '.join(MODELS)} or a file of `dse calibrate`, got {name!r}"
    raise UsageError(msg)


def dumps(model: LearnedModel) -> str:
    """Return the text of a model's file: one line for every row of numbers."""
    text = json.dumps(model.to_json(), indent=1)
    return re.sub(r"\[[^\[\]{}]*\]", lambda m: " ".join(m[0].split()), text) + "\n"


def _terms(own: Mapping[str, Any], kind: str, resource: str) -> tuple[str, ...]:
    factors = own[kind][resource].get("factors") if kind in own else None
    return term_names(kind, resource) if factors is None else tuple(factors)


def prior_digest(kind: str) -> str:
    """Hash of the factors that a correction of this kind of unit starts from."""
    return digest_of(prior(analytic.URAM_FAMILIES[0]).kinds[kind])
