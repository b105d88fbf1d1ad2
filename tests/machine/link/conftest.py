"""A server and accounts to reach by it, one for all tests of a worker.

- ``link``: here, and through ssh to login shells that print things, or that have both their
  streams in one, one after the other.
- ``far``: through ssh to a plain account; ``odd``: to those whose shell is none of Bourne's.
- ``control``: a directory for shared connections, with a name short enough for a socket.
"""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hpcshell.machine import clock
from hpcshell.machine.link import Link, LocalLink, SshLink
from tests.support.clusters.sshd import Account, Sshd, need_sshd

NOISE = 'echo "Welcome to the cluster"; printf "no end of line"; echo warning >&2\n'
JOINED = (
    NOISE
    + """
exec 2>&1
set -x
cd /
alias cat='echo alias' ls='echo alias' env='echo alias'
tar() { echo function; }
rm() { echo function; }
cat() { echo function; }
export -f tar rm cat
"""
)
HOST = "127.0.0.1"


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    need_sshd()
    with Sshd(tmp_path_factory.mktemp("sshd")) as sshd:
        yield sshd


@pytest.fixture(scope="session")
def control() -> Iterator[str]:
    directory = tempfile.mkdtemp(prefix="hpc-")
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def apart() -> Iterator[str]:
    """A directory for shared connections that no other test uses."""
    directory = tempfile.mkdtemp(prefix="hpc-")
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Time stands still until there is this file: however long that takes, nobody's patience is
    over by then."""
    file, begun = tmp_path / "starts", clock.monotonic()

    def passed() -> float:
        return max(0.0, clock.now() - file.stat().st_mtime) if file.exists() else 0.0

    monkeypatch.setattr(clock, "monotonic", lambda: begun + passed())
    return file


@pytest.fixture
def silent() -> Iterator[int]:
    """A port where somebody listens and never says a word."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.fixture(scope="session")
def plain(sshd: Sshd) -> Account:
    return sshd.account("plain")


@pytest.fixture(scope="session")
def noisy(sshd: Sshd) -> Account:
    account = sshd.account("noisy")
    (account.home / ".bashrc").write_text(NOISE)
    (account.home / ".bash_profile").write_text(NOISE + "export PATH=$PATH:/opt/site/bin\n")
    return account


@pytest.fixture(scope="session")
def joined(sshd: Sshd) -> Account:
    """An account whose start-up files do what spoils an answer most."""
    account = sshd.account("joined")
    (account.home / ".bashrc").write_text(JOINED)
    (account.home / ".bash_profile").write_text(JOINED + "export PATH=$PATH:/opt/site/bin\n")
    return account


@pytest.fixture(scope="session", params=["tcsh", "fish"])
def odd_shell(request: pytest.FixtureRequest, sshd: Sshd) -> Account:
    """An account whose shell is none of Bourne's, and prints things."""
    account = sshd.account(request.param, shell=f"/usr/bin/{request.param}")
    fish = account.home / ".config" / "fish" / "config.fish"
    fish.parent.mkdir(parents=True)
    fish.write_text("echo Welcome\nif status is-login; set -x PATH $PATH /opt/site/bin; end\n")
    (account.home / ".cshrc").write_text("echo Welcome\n")
    (account.home / ".login").write_text("setenv PATH ${PATH}:/opt/site/bin\necho Welcome\n")
    return account


@pytest.fixture(scope="session")
def reach(sshd: Sshd, control: str) -> Iterator[Callable[[Account], SshLink]]:
    """A link to an account, closed at the end."""
    made: list[SshLink] = []

    def reached(account: Account) -> SshLink:
        made.append(SshLink(HOST, options=account.options, control=control))
        return made[-1]

    yield reached
    for link in made:
        link.close()


@pytest.fixture(scope="session")
def far(reach: Callable[[Account], SshLink], plain: Account) -> SshLink:
    return reach(plain)


@pytest.fixture(scope="session")
def odd(reach: Callable[[Account], SshLink], odd_shell: Account) -> SshLink:
    return reach(odd_shell)


@pytest.fixture(scope="session", params=["here", "noisy", "joined"])
def link(request: pytest.FixtureRequest) -> Link:
    if request.param == "here":
        return LocalLink()
    reach: Callable[[Account], SshLink] = request.getfixturevalue("reach")
    return reach(request.getfixturevalue(request.param))


@pytest.fixture
def job(tmp_path: Path) -> str:
    """A directory that is not there yet."""
    return str(tmp_path / "a b" / "it's $(one)")
