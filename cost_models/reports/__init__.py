"""Parsers of synthesis, simulation and estimate reports, one per format; `_read.py` states their promise."""

from cost_models.reports._errors import ReportError
from cost_models.reports._read import Skipped, read_report, read_reports

__all__ = ["ReportError", "Skipped", "read_report", "read_reports"]
