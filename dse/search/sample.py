"""How many designs of a space hardware accepts: priced samples, before anything is trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from dse.search.require import unmet
from dse.search.score import metrics_of, violations
from dse.search.study import Plan

DESIGNS = 16  # some milliseconds each


@dataclass(frozen=True, slots=True)
class Sample:
    """Designs spread over the space, as hardware judges them.

    Attributes:
        designs: how many were priced.
        fitting: how many hold every constraint (accuracy aside) and requirement.
        broken: how many break a rule, by its text; rules that none breaks are not there.
    """

    designs: int
    fitting: int
    broken: Mapping[str, int]

    @property
    def text(self) -> str:
        """One line for a terminal."""
        head = f"{self.fitting} of {self.designs} designs spread over the space meet what hardware must hold"
        worst = sorted(self.broken.items(), key=lambda item: -item[1])[:3]
        return head + (f"; broken: {', '.join(f'{t} ({n} x)' for t, n in worst)}" if worst else "")


def sample(p: Plan, designs: int = DESIGNS) -> Sample:
    """Price designs spread over the space of a study."""
    broken: Counter[str] = Counter()
    fitting = 0
    for knobs in p.space.spread(designs, p.config.seed):
        design = p.space.decode(knobs)
        hardware = p.hardware(design)
        excess = violations(p.constraints, metrics_of(hardware, p.config.board), hardware)
        rules = [t for t, v in excess.items() if v > 0]
        rules += unmet(p.config.space.require, design, hardware)
        broken.update(rules)
        fitting += not rules
    return Sample(designs, fitting, dict(broken))
