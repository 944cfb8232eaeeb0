"""The name in study.yaml is the name of a file in a folder: no registry, no list to edit."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from types import ModuleType

from dse.errors import UsageError


def names(package: str) -> tuple[str, ...]:
    """Return the plug-ins of `package`: its files without a leading underscore, sorted."""
    folder = importlib.import_module(package).__path__
    found = (m.name for m in pkgutil.iter_modules(folder) if not m.ispkg)
    return tuple(sorted(n for n in found if not n.startswith("_")))


def suggestion(name: str, known: tuple[str, ...]) -> str:
    """Return " Did you mean 'x'?" for the nearest known name, or an empty string."""
    close = difflib.get_close_matches(name, known, 1, 0.6)
    return f" Did you mean {close[0]!r}?" if close else ""


def load(package: str, name: str) -> ModuleType:
    """Import the plug-in `name` of `package`.

    Raises:
        UsageError: there is no such file; the message lists those there are.
    """
    known = names(package)
    if name not in known:
        hint = suggestion(name, known)
        msg = f"{package} has no {name!r}.{hint} It has: {', '.join(known)}."
        raise UsageError(msg)
    return importlib.import_module(f"{package}.{name}")
