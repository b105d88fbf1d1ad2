"""A daemon that says what a test tells it to, on a real socket, in the real protocol."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hpcshell.machine.listening import listen

HELLO = {"name": "hpcd", "version": "0.1.0", "protocol": 1, "pid": 4242, "jobs": {}}

Answer = Callable[[dict[str, Any]], Any]
"""From a request to the lines that answer it: a dict, several, or None to hang up."""


class Places:
    """The places a `Client` asks for, in a short directory."""

    def __init__(self, root: Path) -> None:
        self.state = f"{root}/state"
        self.daemon_socket = f"{root}/run/hpcd.sock"
        self.daemon_lock = f"{root}/state/hpcd.lock"
        self.daemon_stderr = f"{root}/state/hpcd.stderr"


class FakeDaemon:
    """Listens until closed. `asked` holds the requests but for hello; `deaf`: so many of its first
    greetings it does not survive."""

    def __init__(self, places: Places, answer: Answer, hello: dict[str, Any] | None = None) -> None:
        self.places = places
        self.answer = answer
        self.hello = hello or HELLO
        self.asked: list[dict[str, Any]] = []
        self.connections = 0
        self.greetings = 0
        self.deaf = 0
        self._open: list[socket.socket] = []
        os.makedirs(os.path.dirname(places.daemon_socket), exist_ok=True)
        self._listener = listen(places.daemon_socket)
        self._listener.setblocking(True)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(peer)
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        with contextlib.suppress(OSError), peer, peer.makefile("rwb") as lines:
            for line in lines:
                ask = json.loads(line)
                if ask["verb"] == "hello":
                    self.greetings += 1
                    said: Any = {"ok": self.hello} if self.greetings > self.deaf else None
                else:
                    self.asked.append(ask)
                    said = self.answer(ask)
                if said is None:
                    peer.shutdown(socket.SHUT_RDWR)
                    return
                for one in said if isinstance(said, list) else [said]:
                    lines.write(json.dumps({"id": ask["id"], **one}).encode() + b"\n")
                lines.flush()

    def close(self, *, keep_socket_file: bool = False) -> None:
        """Go away: as if stopped on purpose, or (keeping the socket file) as if killed."""
        if not keep_socket_file:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.places.daemon_socket)
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for peer in self._open:
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def fake_places() -> Iterator[Places]:
    """Places in a fresh directory whose socket path is short enough."""
    root = Path(tempfile.mkdtemp(prefix="hpc-", dir="/tmp"))
    try:
        yield Places(root)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def ok(**answer: Any) -> Answer:
    """Answers every request with this."""
    return lambda ask: {"ok": answer}


def own_pid(ask: dict[str, Any]) -> Any:
    """Answers with the process id the fake runs in."""
    return {"ok": {"pid": os.getpid()}}
