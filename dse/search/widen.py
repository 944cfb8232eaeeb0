"""Whether a search space holds all of another one: then a study goes on in it, and its trials stay valid."""

from __future__ import annotations

from dataclasses import fields

from dse.config.values import Knobs
from dse.search.space import Choice, SearchSpace

MORE = tuple(f.name for f in fields(Knobs) if f.name not in ("fold", "tie"))


def widens(new: SearchSpace, old: SearchSpace) -> bool:
    """Whether `new` has the knobs of `old`, each with all of its values, for every layer of the same network.

    A knob that was fixed may not be searched now: trials would not say where they stand on it.
    """
    if [k.name for k in new.knobs] != [k.name for k in old.knobs] or new.shared != old.shared:
        return False
    for now, then in zip(new.knobs, old.knobs, strict=True):
        both = isinstance(now, Choice) and isinstance(then, Choice)
        if both and not set(then.values) <= set(now.values):  # type: ignore[union-attr]
            return False
    return all(_holds(new.layers[name], knobs) for name, knobs in old.layers.items())


def _holds(new: Knobs, old: Knobs) -> bool:
    """Whether a layer may still be everything that it could be; None is every legal value."""
    for name in MORE:
        now, then = getattr(new, name), getattr(old, name)
        if now != then and (now is None) != (then is None) and name not in ("pe", "simd"):
            return False
        if now is not None and (then is None or not set(then) <= set(now)):
            return False
    return new.fold == old.fold
