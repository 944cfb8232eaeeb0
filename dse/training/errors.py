"""What can go wrong while a network trains."""

from __future__ import annotations

from dse.errors import DseError


class TrainingError(DseError):
    """Training diverged, or its inputs do not belong together; the candidate fails, the study goes on."""
