"""Cost models by the name that a study file gives: those that come with coefficients, and every file of the folder."""

from __future__ import annotations

from typing import cast

from cost_models import learned
from cost_models._model import CostModel
from dse.ir import plugins

PACKAGE = "cost_models"


def model_names() -> tuple[str, ...]:
    """Return the names of all cost models; `learned` is no model, but what some consist of."""
    own = (n for n in plugins.names(PACKAGE) if n not in ("learned", *learned.MODELS))
    return (*learned.MODELS, *own)


def model_of(name: str, family: str) -> CostModel:
    """Return a model for a device family (`Board.family`).

    Raises:
        UsageError: there is no file of this name.
    """
    if name in learned.FILES:
        return learned.shipped(name, family)
    return cast(CostModel, plugins.load(PACKAGE, name).load(family))
