"""`storage`: where finished trials are kept."""

from __future__ import annotations

from pathlib import Path

from dse.config.complaints import Complaints, did_you_mean, listed
from dse.config.paths import VARIABLE, expanded, written
from dse.config.read import not_supported, scalar
from dse.config.source import SECRET
from dse.config.tree import Node, Scalar, describe, quoted

FILE = "file"  # a journal in the study folder
SCHEMES = ("sqlite", "postgresql", "mysql", "redis")
SQLITE = "sqlite:///"


def storage_of(node: Node, folder: Path, complaints: Complaints) -> str:
    """Read "file" or the URL of a database; the password comes from the environment.

    Args:
        node: the value of `storage`.
        folder: of the study file; the file of a sqlite URL is relative to it.
        complaints: receives what is wrong; the answer is then "file".
    """
    found = scalar(node, "storage", complaints, "file, or a URL such as sqlite:///trials.db")
    if found is None or found.text == FILE:
        return FILE
    if _holds_secret(found, complaints):
        return FILE
    url = expanded(found, complaints)
    if url is None:
        return FILE
    scheme, separator, _ = url.partition("://")
    driver = scheme.partition("+")[0]  # postgresql+psycopg2
    if separator and driver == "grpc":
        not_supported(found, "storage behind grpc://", "use file or a database", complaints)
        return FILE
    if not separator or driver not in SCHEMES:
        known = (FILE, *(f"{s}://" for s in SCHEMES))
        complaints.add(
            found.part(0, len(scheme)),
            "bad-storage",
            f"storage cannot be {quoted(scheme + separator)}",
            did_you_mean(driver, (FILE, *SCHEMES)),
            [f"storage takes: {listed(known)}"],
            known,
        )
        return FILE
    if driver != "sqlite":
        return url
    path = url.removeprefix(SQLITE)
    if path == url or not path or path == ":memory:":
        message = "a sqlite storage names its file"
        complaints.add(found.span, "bad-storage", message, "write sqlite:///trials.db")
        return FILE
    return SQLITE + str((folder / path).resolve())


def artifacts_of(node: Node, folder: Path, check: bool, complaints: Complaints) -> Path | None:
    """Read the folder of weights and projects, which is made when it is needed.

    Args:
        node: the value of `artifacts`.
        folder: of the study file; the path is relative to it.
        check: whether its variables must be set; where not, they stay as they are written.
        complaints: receives what is wrong; the answer is then None.
    """
    found = scalar(node, "artifacts", complaints, "a folder such as shared/dse/mobilenet")
    text = None if found is None else written(found, check, complaints)
    if found is None or text is None:
        return None
    try:
        path = (folder / text).resolve()
        if not path.exists() or path.is_dir():
            return path
        message = f"artifacts {describe(found)} is a file; it must be a folder, or not be there yet"
    except (OSError, ValueError):  # too long, or a null character: no folder has such a name
        message = f"artifacts {describe(found)} is no folder name"
    complaints.add(found.span, "bad-value", message)
    return None


def _holds_secret(node: Scalar, complaints: Complaints) -> bool:
    match = SECRET.search(node.text)
    group = 2 if match is not None and match[2] else 4
    if match is None or VARIABLE.fullmatch(match[group]):
        return False
    complaints.add(
        node.part(match.start(group), len(match[group])),
        "secret-in-file",
        "the storage URL holds a password",
        "put it in DSE_STORAGE_PASSWORD, and leave it out here",
    )
    return True
