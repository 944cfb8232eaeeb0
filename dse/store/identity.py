"""Which study the trials of a database belong to: a name is known to every machine, a study's folder to one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dse.errors import StudyConflictError

KEY = "dse:made-from"  # user attribute of the Optuna study
SPACE = "space"  # may get wider while a study goes on; its own folder judges that


def claim(study: Any, name: str, made_from: Mapping[str, Any], *, known: bool) -> None:
    """Note what a study is made from, in the database; or check it where that is noted.

    Args:
        study: the Optuna study; nobody else writes to it.
        name: of the study.
        made_from: what its trials depend on, as JSON values, by name.
        known: whether the study's own folder is there, and holds the same study.

    Raises:
        StudyConflictError: its trials are of another study file.
    """
    found = study.user_attrs.get(KEY)
    if found is None:
        if known or not study.get_trials(deepcopy=False):  # else begun by a dse that noted nothing
            study.set_user_attr(KEY, dict(made_from))
        return
    changed = [n for n in made_from if n in found and found[n] != made_from[n]]
    if known and changed == [SPACE]:
        study.set_user_attr(KEY, dict(made_from))
    elif changed:
        msg = (
            f"the storage has trials of another study that is called {name!r}: its {', '.join(changed)}"
            f" {'is' if len(changed) == 1 else 'are'} not what this study file says. Use another study"
            " name, or the file that it was made from"
        )
        raise StudyConflictError(msg)
