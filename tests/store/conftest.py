"""Database servers of their own for tests, in temporary folders, as an unprivileged user."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

SERVERS = ("postgresql", "mysql", "redis")
NOBODY = ("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def program(name: str, *places: str) -> str | None:
    """Debian keeps the programs of PostgreSQL and MariaDB where PATH does not look."""
    found = [str(p) for place in places for p in sorted(Path("/").glob(f"{place}/{name}"))]
    return found[-1] if found else shutil.which(name)


@dataclass
class Server:
    """A server that can be stopped and started again."""

    url: str
    command: Sequence[str]
    is_up: Callable[[], bool]
    end: signal.Signals = signal.SIGTERM
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + 60
        while not self.is_up():
            assert self.process.poll() is None, "the server ended"
            assert time.monotonic() < until, "the server did not start"
            time.sleep(0.1)

    def stop(self) -> None:
        assert self.process is not None
        self.process.send_signal(self.end)
        self.process.wait(timeout=60)


def answers(port: int) -> Callable[[], bool]:
    def connects() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    return connects


@pytest.fixture(scope="session")
def unprivileged() -> Sequence[str]:
    """What to put before a command that refuses to run as root."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("running as root, and setpriv is not installed")
    return NOBODY


@pytest.fixture(scope="session")
def server_folder(unprivileged: Sequence[str]) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="dse-test-"))
    if unprivileged:
        shutil.chown(folder, "nobody", "nogroup")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql(server_folder: Path, unprivileged: Sequence[str]) -> Iterator[Server]:
    pytest.importorskip("psycopg")
    initdb = program("initdb", "usr/lib/postgresql/*/bin")
    postgres = program("postgres", "usr/lib/postgresql/*/bin")
    if initdb is None or postgres is None:
        pytest.skip("initdb or postgres is not installed (Debian: postgresql)")
    data, port = server_folder / "pg", free_port()
    subprocess.run(
        [*unprivileged, initdb, "-D", data, "-A", "trust", "-U", "dse", "--no-sync", "-E", "UTF8"],
        check=True,
        capture_output=True,
        cwd=server_folder,
    )
    command = [
        *(*unprivileged, postgres, "-D", str(data), "-p", str(port)),
        *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="),
        *("-c", "fsync=off"),
    ]

    def is_up() -> bool:
        import psycopg

        try:
            psycopg.connect(
                f"host=127.0.0.1 port={port} user=dse dbname=postgres", connect_timeout=2
            ).close()
        except psycopg.OperationalError:
            return False
        return True

    server = Server(f"postgresql://dse@127.0.0.1:{port}/postgres", command, is_up, signal.SIGINT)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def mysql(server_folder: Path, unprivileged: Sequence[str]) -> Iterator[Server]:
    pytest.importorskip("pymysql")
    install = shutil.which("mariadb-install-db")
    daemon = program("mariadbd", "usr/sbin")
    if install is None or daemon is None:
        pytest.skip("mariadbd is not installed (Debian: mariadb-server)")
    data, port = server_folder / "my", free_port()
    subprocess.run(
        [
            *(*unprivileged, install, "--no-defaults", f"--datadir={data}"),
            *("--auth-root-authentication-method=normal", "--skip-test-db"),
        ],
        check=True,
        capture_output=True,
        cwd=server_folder,
    )
    command = [
        *(*unprivileged, daemon, "--no-defaults", f"--datadir={data}", f"--port={port}"),
        *("--bind-address=127.0.0.1", f"--socket={server_folder / 'my.sock'}"),
        f"--pid-file={server_folder / 'my.pid'}",
    ]
    server = Server(f"mysql://root@127.0.0.1:{port}/dse", command, answers(port))
    server.start()
    import pymysql

    connection = pymysql.connect(host="127.0.0.1", port=port, user="root")
    connection.cursor().execute("CREATE DATABASE dse")
    connection.close()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis_server(server_folder: Path) -> Iterator[Server]:
    pytest.importorskip("redis")
    program_ = shutil.which("redis-server")
    if program_ is None:
        pytest.skip("redis-server is not installed")
    port = free_port()
    command = [
        *(program_, "--port", str(port), "--bind", "127.0.0.1", "--save", ""),
        *("--appendonly", "yes", "--dir", str(server_folder)),
    ]
    server = Server(f"redis://127.0.0.1:{port}/0", command, answers(port))
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", *(pytest.param(n, marks=pytest.mark.slow) for n in SERVERS)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a storage that is no file of the study's folder."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'trials.db'}"
    name = "redis_server" if request.param == "redis" else request.param
    server: Server = request.getfixturevalue(name)
    return server.url
