"""Training only what hardware does not rule out, in studies that ask for no accuracy."""

from __future__ import annotations

from dse.search.ledger import Ledger
from dse.search.promotion import SPREAD, Candidate, Unguided
from dse.search.tasks import TrainingTask

CHOSEN = ("sampler", "mutation", SPREAD)  # origins of what nobody asked for by name
PASSED_BEFORE_END = 200  # one in so many better designs: a sampler that finds fewer is done


class Undominated(Unguided):
    """Trains a design where it is better than every feasible one in some objective.

    All objectives are known before training, exactly: a design that a feasible one equals or beats in each can never
    move the front, and is passed over.
    """

    def first(self, candidate: Candidate, ledger: Ledger) -> TrainingTask | None:
        """Return the training; None where a feasible design is no worse in any objective."""
        if candidate.origin in CHOSEN and ledger.covers(candidate.metrics):
            return None
        return self.task(candidate)

    def hopeless(self, row: int) -> str:
        """Tell when the sampler has found nothing better for long."""
        if row < PASSED_BEFORE_END:
            return ""
        return f"{row} candidates in a row were no better than a feasible design in any objective"
