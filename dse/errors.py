"""Every error a user can meet; one class per exit code."""

from __future__ import annotations


class DseError(Exception):
    """An error whose text is meant for the user: what must hold, what we got, what to do next."""

    exit_code = 1


class UsageError(DseError):
    """A wrong argument, a malformed study file, an illegal design."""

    exit_code = 2


class NoFeasibleDesignError(DseError):
    """The search finished and no design meets the constraints."""

    exit_code = 3


class TooManyFailuresError(DseError):
    """More trials failed than `budget.failures` allows."""

    exit_code = 4


class UnreachableError(DseError):
    """Ray or the storage cannot be reached."""

    exit_code = 5


class StudyConflictError(DseError):
    """Another driver holds the study, or the study file does not match what is stored."""

    exit_code = 6


class ExternalToolError(DseError):
    """A compiler, simulator or synthesiser failed."""

    exit_code = 7
