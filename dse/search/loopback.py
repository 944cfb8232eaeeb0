"""Ray of a local run listens where only this machine can reach it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

# Ray's switch for systems whose firewall asks about every open port (ray/_private/ray_constants.py)
SWITCH, CONSTANT = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "ENABLE_RAY_CLUSTER"


@contextmanager
def loopback() -> Iterator[None]:
    """Have the Ray that is started within bind to 127.0.0.1.

    Asked for the node address 127.0.0.1 alone, Ray 2.60 looks for the one that other machines know, and all of its
    servers listen on every interface. The switch stops that. Ray's processes inherit it; in this one it was read when
    ray was imported, so it is set there too.
    """
    from ray._private import ray_constants

    said, known = os.environ.get(SWITCH), getattr(ray_constants, CONSTANT)
    os.environ[SWITCH] = "0"
    setattr(ray_constants, CONSTANT, False)
    try:
        yield
    finally:
        setattr(ray_constants, CONSTANT, known)
        if said is None:
            del os.environ[SWITCH]
        else:
            os.environ[SWITCH] = said
