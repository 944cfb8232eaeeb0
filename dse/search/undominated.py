"""Training only what hardware does not rule out, in studies whose objectives are all of hardware."""

from __future__ import annotations

from dse.search.ledger import Ledger
from dse.search.promotion import SPREAD, Candidate, Unguided
from dse.search.study import Plan
from dse.search.tasks import TrainingTask

CHOSEN = ("sampler", "mutation")  # origins of what nobody asked for by name
PASSED_BEFORE_END = 200  # one in so many better designs: a sampler that finds fewer is done


class Undominated(Unguided):
    """Trains a design where it is better than every feasible one in some objective.

    Without accuracy among the objectives all of them are known before training, exactly. A design that a feasible
    one equals or beats in each can never move the front, whatever its accuracy: it is passed over. Where accuracy is
    a constraint, the designs spread over the space at the beginning are trained all the same, for the sampler is to
    learn where it holds.
    """

    def __init__(self, plan: Plan) -> None:
        """Train as the stages of the study say."""
        super().__init__(plan.stages)
        asked = any(c.metric == "accuracy" for c in plan.constraints)
        self._chosen = CHOSEN if asked else (*CHOSEN, SPREAD)

    def first(self, candidate: Candidate, ledger: Ledger) -> TrainingTask | None:
        """Return the training; None where a feasible design is no worse in any objective."""
        if candidate.origin in self._chosen and ledger.covers(candidate.metrics):
            return None
        return self.task(candidate)

    def hopeless(self, row: int) -> str:
        """Tell when the sampler has found nothing better for long."""
        if row < PASSED_BEFORE_END:
            return ""
        return f"{row} candidates in a row were no better than a feasible design in any objective"
