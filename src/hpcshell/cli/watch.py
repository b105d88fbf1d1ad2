"""`--watch`: the same answer drawn again and again, on a terminal only."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from typing import Any, Final

import click

from hpcshell.cli.talk import Talk, on_terminal
from hpcshell.core.errors import Wrong

CLEAR: Final = "\x1b[2J"


class _Seconds(click.FloatRange):
    """A number of seconds; its error says where ids go."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            seconds = float(super().convert(value, param, ctx))
        except click.BadParameter:
            seconds = math.nan
        if math.isnan(seconds):
            wrong = f"--watch: {value!r} is no number of seconds from 0.2 to 3600"
            raise Wrong(wrong, "ids go before it, or write --watch=2")
        return seconds


watch_option = click.option(
    "-w",
    "--watch",
    is_flag=False,
    flag_value=2.0,
    default=None,
    type=_Seconds(0.2, 3600),
    metavar="[SECONDS]",
    help="Draw it again every 2 (or so many) seconds, until Ctrl-C.",
)


def watched(talk: Talk, every: float | None, draw: Callable[[], list[str]]) -> int:
    """Print what `draw` gives, once or for ever."""
    if every is not None and (not on_terminal() or talk.json):
        talk.say("--watch needs a terminal: shown once")
        every = None
    if every is None:
        talk.data(*draw())
        return 0
    sys.stdout.write(CLEAR)
    while True:
        redraw(draw())
        time.sleep(every)


def redraw(lines: list[str]) -> None:
    """Draw the lines over what stands on the terminal, as many as there is room for."""
    room = max(1, _rows() - 2)
    shown = lines[:room]
    if len(lines) > room:
        shown[-1] = f"... {len(lines) - room + 1} more"
    stamp = time.strftime("%H:%M:%S")
    # home, each line cleared to its end, the rest of the screen cleared: no flicker
    sys.stdout.write("\x1b[H" + "".join(f"{line}\x1b[K\n" for line in [stamp, *shown]) + "\x1b[J")
    sys.stdout.flush()


def _rows() -> int:
    import shutil

    return shutil.get_terminal_size().lines
