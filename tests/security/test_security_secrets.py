"""The password of a storage stands nowhere but in the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from dse.config.load import load_config
from dse.config.problems import StudyFileError
from dse.config.source import masked
from dse.store.databases import with_password

PASSWORD = "hunter@2/x:y%"  # characters that mean something in a URL
WRITTEN = ("hunter@2", "hunter%402", "2/x:y", "%2Fx%3Ay%25")  # what any part of it would look like


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_password_with_any_character_reaches_the_driver_whole(scheme: str) -> None:
    from sqlalchemy.engine import make_url

    url = make_url(with_password(f"{scheme}://dse@db.lab:99/trials", PASSWORD))
    assert (url.username, url.password, url.host, url.port) == ("dse", PASSWORD, "db.lab", 99)


def test_the_password_of_the_environment_is_masked_anywhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DSE_STORAGE_PASSWORD", PASSWORD)
    url = with_password("postgresql://dse@db/x", PASSWORD)
    for text in (f"no user {PASSWORD}!", f"could not reach {url}", f"{url} and {PASSWORD}"):
        shown = masked(text)
        assert len(shown) == len(text)
        assert not any(part in shown for part in WRITTEN), shown


def test_a_run_that_cannot_reach_its_storage_says_and_writes_no_password(
    dse, small_study: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("psycopg", reason="the extra `storage` is not installed")
    monkeypatch.setenv("DSE_STORAGE_PASSWORD", PASSWORD)
    (tmp_path / "small.yaml").write_text(small_study + "storage: postgresql://dse@127.0.0.1:9/x\n")
    done = dse("run", "small.yaml", "--inline", "--json")
    assert done.returncode == 5, done.stderr
    said = done.stdout + done.stderr
    assert "127.0.0.1" in said
    for path in (p for p in tmp_path.rglob("*") if p.is_file()):
        said += path.read_text(errors="replace")
    assert not any(part in said for part in WRITTEN)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://dse:hunter2@db/x",
        "redis://:hunter2@db",
        "mysql://dse@db/x?passwd=hunter2",
        "postgresql://dse@db/x?sslpassword=hunter2",
    ],
)
def test_a_password_in_a_study_file_is_refused_unseen(
    small_study: str, tmp_path: Path, url: str
) -> None:
    (tmp_path / "small.yaml").write_text(small_study + f"storage: {url}\n")
    with pytest.raises(StudyFileError, match="secret-in-file") as caught:
        load_config(tmp_path / "small.yaml")
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in str(caught.value.to_json())
