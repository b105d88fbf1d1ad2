"""How a command speaks: data to stdout, talk to stderr, and what colour may be used for."""

from __future__ import annotations

import os
import re
import sys
from typing import Any, Final, TextIO

SCHEMA: Final = 1
"""The version of the JSON documents: fields are added under the same number, never changed."""

_NAMED: Final = re.compile(r"(?<![\w./-])hpc(?=:| [a-z])")
_STYLES: Final = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
}

STATE_STYLE: Final = {
    "PENDING": "yellow",
    "RUNNING": "green",
    "SUSPENDED": "yellow",
    "COMPLETING": "green",
    "COMPLETED": "blue",
    "CANCELLED": "magenta",
    "PREEMPTED": "magenta",
    "FAILED": "red",
    "TIMEOUT": "red",
    "OUT_OF_MEMORY": "red",
    "NODE_FAIL": "red",
    "DEADLINE": "red",
}


class Talk:
    """The mouth of one command, made from the options every command has."""

    __slots__ = ("colour", "dry_run", "json", "quiet")

    def __init__(
        self,
        *,
        json: bool = False,
        quiet: bool = False,
        dry_run: bool = False,
        color: str = "auto",
    ) -> None:
        self.json = json
        self.quiet = quiet
        self.dry_run = dry_run
        self.colour = wants_colour(color, sys.stdout)

    def data(self, *lines: str) -> None:
        """Lines of the answer, to stdout."""
        if lines:
            sys.stdout.write("\n".join(lines) + "\n")

    def document(self, document: Any) -> None:
        """The answer for programs: JSON to stdout."""
        import msgspec

        from hpcshell.core.words import safe_json

        text = msgspec.json.format(msgspec.json.encode(document), indent=2)
        sys.stdout.write(safe_json(text.decode()) + "\n")

    def say(self, *lines: str) -> None:
        """What is only of interest to a person watching, to stderr; nothing with --quiet."""
        if not self.quiet:
            self.warn(*lines)

    def warn(self, *lines: str) -> None:
        """What must be said in any case, to stderr."""
        if not lines:
            return
        sys.stdout.flush()
        sys.stderr.write("\n".join(map(as_called, lines)) + "\n")
        sys.stderr.flush()

    def paint(self, text: str, style: str | None) -> str:
        """The text in a style, where colour is wanted."""
        if not self.colour or not style:
            return text
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m"

    def state(self, state: str, width: int = 0) -> str:
        """A state word in its colour, padded to `width`."""
        return self.paint(state.ljust(width), STATE_STYLE.get(state))


def as_called(text: str) -> str:
    """The text with the commands in it under the name that was typed, `hpc` or `hsm`."""
    import click

    context = click.get_current_context(silent=True)
    return text if context is None else under_name(text, context.find_root().info_name or "hpc")


def under_name(text: str, name: str) -> str:
    """The text with the commands in it under a name."""
    return text if name == "hpc" else _NAMED.sub(name, text)


def wants_colour(choice: str, stream: TextIO) -> bool:
    """`--color` first, then NO_COLOR and TERM=dumb, then whether a person is looking."""
    if choice in ("always", "never"):
        return choice == "always"
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def on_terminal() -> bool:
    """Whether stdout is a terminal that can be redrawn."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def terminal_width() -> int | None:
    """Columns of the terminal; None when nobody's window limits the line."""
    if not sys.stdout.isatty():
        return None
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except OSError:
        return None
