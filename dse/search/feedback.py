"""Synthesis in the loop, as the driver sees it: results come in from above, a better cost model comes out.

The search knows nothing of projects and tools; who does (`dse.emit`) hands in one of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cost_models._model import CostModel
from dse.ir.record import TrialRecord


class Feedback(Protocol):
    """Synthesises some designs of a study beside its search, and corrects the cost model by the reports.

    All methods are called by the one driver, from one thread.
    """

    def poll(self, records: Sequence[TrialRecord]) -> CostModel | None:
        """Take up what has been synthesised, and begin what is due; returns at once.

        Called after finished trials and while workers are busy, as often as the driver likes.

        Args:
            records: all finished trials, by id, priced by the model in use.

        Returns:
            The model to use from now on where new results changed it, else None.
        """

    def finish(self, records: Sequence[TrialRecord]) -> CostModel | None:
        """Complete what is due after the search; blocks, and gives up as soon as the user asks to stop.

        Another model can make another front, of which other designs are due. So it returns at the first new
        model, and is to be called again with the records priced by it, until it returns None.

        Args:
            records: all finished trials, by id, priced by the model in use.

        Returns:
            The model to use from now on; None where nothing is left to do.
        """

    def due(self, records: Sequence[TrialRecord]) -> bool:
        """Return whether `finish` would synthesise anything: a study is complete only where it would not.

        Args:
            records: all finished trials, by id, priced by the model in use.
        """

    def close(self) -> None:
        """End what is still running; nothing that has been written is lost."""
