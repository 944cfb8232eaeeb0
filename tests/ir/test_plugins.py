"""A file is a plug-in; a wrong name is answered with the names there are."""

import pytest

from dse.errors import UsageError
from dse.ir import plugins


def test_names_are_the_files_without_an_underscore() -> None:
    names = plugins.names("pruning")
    assert {"bcr", "dense", "filter", "unstructured"} <= set(names)
    assert names == tuple(sorted(names))
    assert not [n for n in names if n.startswith("_")]


def test_a_wrong_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(
        UsageError, match=r"^pruning has no 'unstructred'\. Did you mean 'unst"
    ) as e:
        plugins.load("pruning", "unstructred")
    assert "It has: bcr, dense, " in str(e.value)
    assert e.value.exit_code == 2


def test_underscored_files_cannot_be_loaded() -> None:
    with pytest.raises(UsageError, match="has no '_scheme'"):
        plugins.load("pruning", "_scheme")
