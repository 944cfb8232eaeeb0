"""Python's garbage collector, kept from searching for garbage where there is none."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Read many records without a search for cycles among them every few hundred.

    Of the time to take up 10,000 trials those searches were two fifths. Also a decorator.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()
