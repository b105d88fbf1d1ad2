"""A PostgreSQL of the tests' own: installed where it is missing, in a directory of its own, gone
afterwards.

- ``postgres``: the running server, one for a whole run of tests.
- ``Server.database()``: the URL of a new, empty database, or of a copy of another.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from tests.support.clusters.packages import need
from tests.support.homes import clean_environment

READY = b"ready to accept connections"
USER = "postgres"
# what makes a server quick whose data nobody wants back after the machine fails; what is lost when
# only the server fails is the same with these as without
OPTIONS = ("fsync=off", "listen_addresses=", "max_connections=200", "shared_buffers=64MB")


def programs() -> Path:
    """The directory of the server's programs, which Debian keeps out of everybody's path."""
    need({"pg_createcluster": "postgresql"})
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))


@dataclass
class Server:
    """One server, which can be stopped and started again."""

    directory: Path
    process: subprocess.Popen[bytes] | None = None
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def make(self) -> None:
        """Make its files."""
        self.directory.chmod(0o755)
        if os.geteuid() == 0:
            shutil.chown(self.directory, USER)
        told = ["-D", str(self.directory / "data"), "-U", USER, "--auth=trust", "--no-sync"]
        command = _as_user([programs() / "initdb", *told, "--locale=C.UTF-8", "-E", "UTF8"])
        subprocess.run(command, check=True, capture_output=True, cwd=self.directory)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = [word for option in OPTIONS for word in ("-c", option)]
        where = ["-D", str(self.directory / "data"), "-k", str(self.directory)]
        self.process = subprocess.Popen(
            _as_user([programs() / "postgres", *where, *options]),
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            cwd=self.directory,
            env=clean_environment(),  # it outlives the home of the test that it is started for
        )
        assert self.process.stderr is not None
        said = []
        for line in self.process.stderr:
            said.append(line)
            if READY in line:
                break
        else:
            pytest.fail(f"PostgreSQL did not start: {b''.join(said).decode()}")
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT ends its connections and writes all down, SIGQUIT is as if it crashed."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(60)
            self.process = None

    def database(self, like: str = "") -> str:
        """The URL of a new database: empty, or a copy of one that nobody uses."""
        name = f"t{next(self.numbers)}"
        template = f' TEMPLATE "{_name_of(like)}"' if like else ""
        self._say(f'CREATE DATABASE "{name}"{template}')
        return f"postgresql://{USER}@/{name}?host={self.directory}"

    def drop(self, url: str) -> None:
        """Remove a database, whoever uses it."""
        self._say(f'DROP DATABASE "{_name_of(url)}" WITH (FORCE)')

    def _say(self, statement: str) -> None:
        with psycopg.connect(host=str(self.directory), user=USER, autocommit=True) as connection:
            connection.execute(statement.encode())


def _name_of(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


def _as_user(command: list[str | Path]) -> list[str]:
    """The command as somebody whom PostgreSQL serves: not root. It ends when the tests do."""
    front = ["setpriv", "--pdeathsig", "TERM"]
    if os.geteuid() == 0:
        who = pwd.getpwnam(USER)
        front += [f"--reuid={who.pw_uid}", f"--regid={who.pw_gid}", "--clear-groups"]
    return [*front, *map(str, command)]


@contextlib.contextmanager
def new_server() -> Iterator[Server]:
    """A server of one test's own, started."""
    programs()
    with tempfile.TemporaryDirectory(prefix="hpc-pg-") as directory:
        server = Server(Path(directory))
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop(signal.SIGQUIT)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """The server of a whole run of tests: nobody stops it but who started it."""
    with new_server() as server:
        yield server
