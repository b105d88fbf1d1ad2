"""The viewer: joins the terminal of a screen or tmux window to that of a job."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import termios
import tty
from collections.abc import Iterator

from hpcshell.machine.session.viewers import CHUNK, TYPED, framed, framed_size

IN, OUT = 0, 1


def view(path: str) -> int:
    """Until the host or the window has gone."""
    with socket.socket(socket.AF_UNIX) as link:
        try:
            link.connect(path)
        except OSError as error:
            os.write(OUT, f"hpc: the job cannot be reached: {error.strerror}\r\n".encode())
            return 1
        with _raw(), contextlib.suppress(OSError):
            _join(link, _resizes())
    return 0


@contextlib.contextmanager
def _raw() -> Iterator[None]:
    """Everything typed goes to the job's terminal, which knows what to do with it."""
    before = termios.tcgetattr(IN)
    tty.setraw(IN)
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(IN, termios.TCSANOW, before)


def _resizes() -> socket.socket:
    """Has something to read whenever the window has changed its size."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    signal.set_wakeup_fd(theirs.detach(), warn_on_full_buffer=False)
    signal.signal(signal.SIGWINCH, lambda number, frame: None)
    return ours


def _join(link: socket.socket, resizes: socket.socket) -> None:
    _tell_size(link)
    while True:
        ready, _, _ = select.select([link.fileno(), resizes.fileno(), IN], [], [])
        if resizes.fileno() in ready:
            resizes.recv(CHUNK)
            _tell_size(link)
        if IN in ready:
            typed = os.read(IN, CHUNK - 1)
            if not typed:
                return
            link.sendall(framed(TYPED, typed))
        if link.fileno() in ready:
            text = link.recv(CHUNK)
            if not text:
                return
            while text:
                text = text[os.write(OUT, text) :]


def _tell_size(link: socket.socket) -> None:
    columns, rows = os.get_terminal_size(OUT)
    link.sendall(framed_size(rows, columns))
