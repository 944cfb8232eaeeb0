"""The one error a report parser raises."""

from __future__ import annotations

from dse.errors import UsageError


class ReportError(UsageError):
    """A report is damaged, cut short, or not what its first lines promise.

    Attributes:
        file: name of the file, without folders.
        reason: what was expected and what was found.
    """

    def __init__(self, file: str, expected: str, found: str) -> None:
        self.file = file
        self.reason = f"expected {expected}, found {found}"
        super().__init__(f"{file}: {self.reason}; write the report again or leave it out")
