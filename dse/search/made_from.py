"""What trials and weights depend on: who takes them up must be the same study."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dse.config.values import Stages
from dse.search.space import Choice
from dse.store.identity import SPACE

if TYPE_CHECKING:
    from dse.search.study import Plan


def made_from(p: Plan) -> dict[str, Any]:
    """Return what finished trials depend on, by name, short enough for an attribute of a database."""
    c = p.config
    choices = [(k.name, k.values if isinstance(k, Choice) else ()) for k in p.space.knobs]
    return {
        "network, data, stages or seed": trained_from(p),
        "board": {"part": c.board.part} | {k: v for k, v in asdict(c.board.resources).items() if v},
        "clock": c.clock_mhz,
        "objectives": [f"{o.metric}: {o.direction}" for o in c.objectives],
        SPACE: _digest(choices),
    }


def trained_from(p: Plan) -> str:
    """Return a digest of what weights depend on: network, data, stages and seed."""
    imported, default = None if p.imported is None else p.imported.digest, asdict(Stages())
    # a stage that a later dse brings, and nobody asks for, changes no digest
    stages = {k: v for k, v in asdict(p.stages).items() if v != default[k]}
    return _digest((p.network.digest, imported, p.dataset.digest, stages, p.config.seed))


def _digest(value: object) -> str:
    return hashlib.blake2b(repr(value).encode(), digest_size=8).hexdigest()
