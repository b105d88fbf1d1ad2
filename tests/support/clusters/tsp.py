"""A real task-spooler of the test's own: a server behind a socket in a temporary directory."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import pytest

from hpcshell.backends.contract import Answer, Words
from tests.support.clusters.packages import installing, there

Say = Callable[[Words], Answer]


def have_tsp() -> None:
    """Installs it where that is allowed; skips where it is not, and never in CI."""
    if there("tsp"):
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        with installing("tsp"):
            if not there("tsp"):
                _install()
    elif not os.environ.get("CI"):
        pytest.skip("there is no tsp; as root: apt-get install task-spooler")
    assert there("tsp")


def _install() -> None:
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-qy", "--no-install-recommends", "task-spooler"]
    if subprocess.run(install, env=quiet, capture_output=True).returncode != 0:
        subprocess.run(["apt-get", "update", "-q"], env=quiet, check=True, capture_output=True)
        subprocess.run(install, env=quiet, check=True, capture_output=True)


@contextmanager
def task_spooler() -> Iterator[Say]:
    """Says words to a server that is there only as long as this."""
    with tempfile.TemporaryDirectory(prefix="tsp-") as folder, spooling(folder) as variables:
        yield partial(_said, variables)


@contextmanager
def spooling(folder: str, slots: int = 4) -> Iterator[Mapping[str, str]]:
    """A server in a folder, for whoever has these variables; it is there as long as this."""
    have_tsp()
    variables = {"TS_SOCKET": f"{folder}/socket", "TMPDIR": folder}
    say = partial(_said, variables)
    try:
        say(Words(argv=("tsp", "-S", str(slots))))
        yield variables
    finally:
        for line in say(Words(argv=("tsp", "-l"))).out.splitlines()[1:]:
            say(Words(argv=("tsp", "-k", line.split()[0])))
        say(Words(argv=("tsp", "-K")))


def _said(variables: Mapping[str, str], words: Words) -> Answer:
    done = subprocess.run(
        words.argv,
        input=words.stdin,
        env={**os.environ, **variables, **words.env},
        capture_output=True,
        timeout=30,
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    return Answer(code=done.returncode, out=out, err=err)
