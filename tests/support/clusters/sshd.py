"""A real sshd on loopback, with keys and a configuration of its own, and accounts to reach by it.

An account is a key with a home directory and a login shell; all of them are the user who runs the
tests. `with Sshd(directory) as sshd:`, then `sshd.account("name", ...)` and `SshLink(...)` with its
`options`.
"""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from shlex import quote
from typing import NamedTuple, Self

from hpcshell.machine import processes
from tests.support.clusters.packages import need

_PATIENCE = 20.0
_SERVER = """
Port {port}
ListenAddress 127.0.0.1
HostKey {here}/host_key
PidFile {here}/sshd.pid
AuthorizedKeysFile {here}/authorized_keys
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
LogLevel VERBOSE
MaxStartups 100
AcceptEnv LANG LC_*
Banner {here}/banner
PrintMotd yes
"""
_CLIENT = """
Host *
    User {user}
    Port {port}
    IdentityFile {here}/{name}.key
    IdentitiesOnly yes
    IdentityAgent none
    UserKnownHostsFile {here}/known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    SendEnv LANG LC_*
"""


class Account(NamedTuple):
    """`home` is its home directory; `options` are for ssh."""

    home: Path
    options: tuple[str, ...]


class Sshd:
    """One server, which can be stopped and started again at the same port."""

    def __init__(self, here: Path) -> None:
        self.here = here
        self.port = _free_port()
        self.pid = 0
        _key(here / "host_key")
        public = (here / "host_key.pub").read_text()
        (here / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {public}")
        (here / "authorized_keys").touch()
        (here / "banner").write_text("You are being watched.\n")
        (here / "sshd_config").write_text(_SERVER.format(port=self.port, here=here))

    def start(self) -> None:
        program = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:" + os.environ["PATH"])
        assert program
        argv = [program, "-D", "-f", f"{self.here}/sshd_config", "-E", f"{self.here}/log"]
        self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
        self.pid = self._process.pid
        deadline = time.monotonic() + _PATIENCE
        while not self._listens():
            assert self._process.poll() is None, (self.here / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def _listens(self) -> bool:
        with socket.socket() as knock:
            return knock.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """Ends the server and every connection it has."""
        connections = self.connections()
        self._process.terminate()
        self._process.wait()
        for pid in connections:
            ended_at_last(pid)

    def connections(self) -> list[int]:
        """The server's process for each connection there is now."""
        return processes.children_of(self.pid)

    def drop(self) -> None:
        """Breaks every connection, without a word to the other side."""
        for pid in self.connections():
            ended_at_last(pid)

    def logins(self) -> int:
        """How often somebody was let in."""
        return (self.here / "log").read_text().count("Accepted publickey")

    def account(self, name: str, shell: str = "/bin/bash", passphrase: str = "") -> Account:
        """A new account with an empty home directory; its key may have a passphrase."""
        home = self.here / f"home-{name}"
        home.mkdir()
        _key(self.here / f"{name}.key", passphrase)
        run = f'cd {quote(str(home))}; exec env -u SHLVL HOME="$PWD" SHELL={shell} {shell} -c '
        command = (run + '"$SSH_ORIGINAL_COMMAND"').replace('"', '\\"')
        public = (self.here / f"{name}.key.pub").read_text()
        with (self.here / "authorized_keys").open("a") as keys:
            keys.write(f'command="{command}" {public}')
        return Account(home, self.client(name))

    def key(self, name: str) -> None:
        """A key that opens nothing."""
        _key(self.here / name)

    def client(self, name: str, **changes: str) -> tuple[str, ...]:
        """The options of ssh for an account; `changes` replace words of its configuration."""
        text = _CLIENT.format(user=getpass.getuser(), port=self.port, here=self.here, name=name)
        for word, value in changes.items():
            text = text.replace("Host *\n", f"Host *\n    {word} {value}\n")
        path = self.here / f"{name}{len(list(self.here.iterdir()))}.config"
        path.write_text(text)
        return ("-F", str(path))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def need_sshd() -> None:
    """Installs what is missing where we may; a test is skipped only where it cannot be had."""
    programs = ("ssh", "sshd", "rsync", "tcsh", "fish")
    packages = ("openssh-client", "openssh-server", "rsync", "tcsh", "fish")
    need(dict(zip(programs, packages, strict=True)))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)


def _key(path: Path, passphrase: str = "") -> None:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", str(path)]
    subprocess.run(command, check=True)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def ended_at_last(pid: int) -> None:
    """It ends now, unless it has ended with its connection."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
