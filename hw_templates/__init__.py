"""What is copied or rendered into an emitted project, and the boards."""

from __future__ import annotations

from pathlib import Path


def folder(name: str) -> Path:
    """Return the folder `name` of this package: boards, kernels, csim or project."""
    return Path(__file__).parent / name
