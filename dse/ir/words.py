"""Numbers of things in sentences."""

from __future__ import annotations


def plural(n: int, word: str) -> str:
    """Return a number of things: 1 trial, 2,000 trials."""
    return f"{n:,} {word}" if n == 1 else f"{n:,} {word}s"
