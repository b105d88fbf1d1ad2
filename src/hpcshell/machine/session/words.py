"""What is said to GNU screen and to tmux, and to our own host and viewer."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Final, NamedTuple

from hpcshell.machine import spawn

PROGRAMS: Final = ("screen", "tmux")
"""What can show a session, the first choice first."""
PART: Final = "HPC_SESSION"
"""The variable that only what shows a session carries, and windows that people open in it: the job
does not."""
INPUT: Final = "i"
ERRORS: Final = "e"
"""What the job keeps of its host's streams, instead of the terminal."""
SCROLLBACK: Final = 10_000

_OURS: Final = os.path.join(os.path.dirname(os.path.abspath(__file__)), "__main__.py")
_SCREENRC: Final = (
    f"startup_message off\nautodetach on\ndefscrollback {SCROLLBACK}\ndefnonblock on\nvbell off\n"
)
_TMUX_CONF: Final = f"set -g history-limit {SCROLLBACK}\n"


class Session(NamedTuple):
    """A session: which program shows it, under which name, and the directory of what it needs."""

    program: str
    name: str
    directory: str

    @property
    def viewers(self) -> str:
        """The socket at which viewers are let in."""
        return f"{self.directory}/v"

    @property
    def configuration(self) -> str:
        """The file that says how the program is to behave."""
        return f"{self.directory}/rc"

    @property
    def server(self) -> str:
        """tmux's socket, and the directory of screen's where the usual one cannot be used."""
        return f"{self.directory}/t"

    @property
    def said(self) -> str:
        """The file that holds what the program complains of."""
        return f"{self.directory}/said"

    @property
    def first(self) -> str:
        """The file that names the job's first process."""
        return f"{self.directory}/first"

    @property
    def join(self) -> str:
        """The file that holds the words which join the session, once it is open."""
        return f"{self.directory}/join"


def installed(program: str, env: Mapping[str, str]) -> bool:
    """Whether a job with this environment finds the program."""
    try:
        spawn.find_program(program, {"PATH": env.get("PATH") or spawn.DEFAULT_PATH})
    except spawn.CannotStart:
        return False
    return True


def hosting(session: Session, kept: str, argv: list[str]) -> list[str]:
    """The host of a job's command."""
    return _ours("host", session.program, session.name, session.directory, kept or "-", *argv)


def words_to_join(session: Session) -> list[str] | None:
    """What its host has left word of; None: it is not open."""
    try:
        with open(session.join, "rb") as file:
            found: list[str] = json.loads(file.read())
    except (OSError, ValueError):
        return None
    return found


def complaint(session: Session) -> str:
    """The last line of what the program complains of."""
    try:
        with open(session.said, encoding="utf-8", errors="replace") as file:
            return file.read().strip().rpartition("\n")[2]
    except OSError:
        return ""


def _ours(*words: str) -> list[str]:
    return [sys.executable, "-I", "-S", _OURS, *words]


def configuration(session: Session) -> str:
    """The text of its configuration."""
    return _SCREENRC if session.program == "screen" else _TMUX_CONF


def opening(session: Session) -> list[str]:
    """screen stays; tmux prints the id of the process that does."""
    window = _ours("view", session.viewers)
    if session.program == "screen":
        return ["screen", "-D", "-m", "-S", session.name, "-c", session.configuration, *window]
    detached = ["new-session", "-d", "-P", "-F", "#{pid}", "-s", session.name]
    return ["tmux", "-S", session.server, "-f", session.configuration, *detached, *window]


def joining(session: Session, pid: int, sockets: str) -> list[str]:
    """The words that join it from another terminal; `sockets`: screen's directory, if it is not
    the one that it takes unasked."""
    if session.program == "tmux":
        return ["tmux", "-S", session.server, "attach-session", "-t", f"={session.name}"]
    there = ["env", f"SCREENDIR={sockets}"] if sockets else []
    return [*there, "screen", "-x", f"{pid}.{session.name}"]
