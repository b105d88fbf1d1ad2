"""A daemon started and killed on purpose, and sockets that say to it what no client would."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hpcshell.client.client import Client
from hpcshell.machine.paths import places

PATIENCE = 60.0


@dataclass
class Daemon:
    """The daemon of one home."""

    home: Path
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    faults: list[str] = field(default_factory=list)
    """Where the coming daemons are to die, one after the other."""
    starts: int = 0
    turn: threading.RLock = field(default_factory=threading.RLock)
    """Held while it is started or killed: several threads of a test may do either."""
    told: str = ""
    """What the last start said of itself: `ok`, or what was wrong."""

    def start(self, fault: str = "", *, prefix: tuple[str, ...] = ()) -> None:
        """Start it, to die at `fault` (`before:7`) if one is given, and wait until it is ready or
        dead."""
        ready, told = os.pipe()
        environ = {**os.environ, **self.settings}
        if not fault and self.faults:
            fault = self.faults.pop(0)
        if fault:
            environ["HPCSHELL_FAULT"] = fault
        with open(self.home / "daemon.errors", "ab") as errors:
            self.process = subprocess.Popen(
                [*prefix, sys.executable, "-m", "hpcshell.daemon.hpcd", "--ready-fd", str(told)],
                env=environ,
                pass_fds=(told,),
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )
        os.close(told)
        with os.fdopen(ready) as pipe:
            self.told = pipe.read().strip()
        self.starts += 1

    def start_if_dead(self) -> None:
        """See to it that one runs."""
        with self.turn:
            if not self.alive:
                self.start()

    @property
    def complaints(self) -> list[str]:
        """What daemons said of their own defects, before they died or went on."""
        stderr = self.home / "daemon.errors"
        found = stderr.read_text().splitlines() if stderr.exists() else []
        for log in sorted((self.home / "state").glob("hpcd.log*")):
            for line in log.read_text().splitlines():
                said = json.loads(line)
                if said["level"] == "error":
                    why = said.get("trace") or said.get("error")
                    found.append(f"{said['time']} {said['message']}: {why}")
        return found

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        with self.turn:
            if self.process is not None:
                self.process.kill()
                self.process.wait()

    def ended(self) -> int:
        """Wait for its end; the exit code."""
        assert self.process is not None
        return self.process.wait(PATIENCE)

    def client(self) -> Client:
        return Client(places(os.environ), autostart=False)


class Raw:
    """A connection over which anything can be said."""

    def __init__(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(places(os.environ).daemon_socket)
        self._lines = self.sock.makefile("rb")

    def say(self, text: str | bytes) -> None:
        """Send bytes as they are."""
        self.sock.sendall(text.encode() if isinstance(text, str) else text)

    def hear(self) -> Any:
        """The next line; None at the end of the stream."""
        line = self._lines.readline()
        return json.loads(line) if line else None

    def ask(self, text: str | bytes) -> Any:
        """Say a line, hear the answer."""
        self.say(text)
        self.say("\n")
        return self.hear()

    def close(self) -> None:
        self._lines.close()
        self.sock.close()


@contextlib.contextmanager
def raw() -> Iterator[Raw]:
    """A raw connection, closed at the end."""
    connection = Raw()
    try:
        yield connection
    finally:
        connection.close()
