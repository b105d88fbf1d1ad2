"""`hpc sweep status` and `watch`: how a sweep stands, and what needs attention."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Final

import click

from hpcshell.cli import exits
from hpcshell.cli.sweep_words import id_argument, outcome_code, sentence
from hpcshell.cli.talk import Talk, as_called, on_terminal, terminal_width
from hpcshell.cli.verb import verb
from hpcshell.cli.watch import CLEAR, redraw
from hpcshell.core.errors import WaitTimedOut
from hpcshell.core.words import safe, shortened
from hpcshell.sweeps.errors import errors
from hpcshell.sweeps.face import Sweep, open_sweep
from hpcshell.sweeps.standing import BAD, UNKNOWN, Standing

Standings = Sequence[Standing]

GROUPS: Final = 5
"""Kinds of errors that are told; `hpc sweep errors` tells all of them."""
READ: Final = 2_000
"""Points whose errors are read each time."""
EVERY: Final = 2.0
_BAR: Final = (("COMPLETED", "#", "blue"), ("RUNNING", "=", "green"))
_NARROW: Final = 60


@verb("status", "hpc sweep status", "hpc sweep status lr-study --json")
@id_argument
def status(talk: Talk, sweep: str | None) -> int:
    """Show how a sweep stands: its points by state, what they failed of, what to do next.

    The exit code is 5 where a cluster that has some of them cannot be asked; their state is UNKNOWN
    then, never guessed.
    """
    found = open_sweep(sweep)
    standings = found.standings()
    document = found.status(standings)
    if talk.json:
        talk.document(document)
    elif talk.quiet:
        talk.data(*(f"{state} {count}" for state, count in document["counts"].items()))
    else:
        talk.data(*_picture(talk, standings, document))
    silent = any(one.state == UNKNOWN and one.job for one in standings)
    return exits.UNREACHABLE if silent else exits.OK


@verb("watch", "hpc sweep watch", "hpc sweep watch lr-study --every 10")
@id_argument
@click.option(
    "--every",
    metavar="SECONDS",
    type=click.FloatRange(0.2, 3600),
    default=EVERY,
    help=f"Look again after so many.  [default: {EVERY:g}]",
)
def watch(talk: Talk, sweep: str | None, every: float) -> int:
    """Show how a sweep stands until it has ended.

    Elsewhere than on a terminal a line is printed whenever something has changed. The exit code is
    0 if all points have completed, 8 if some have, 1 if none has, 7 if all were cancelled.
    """
    return _watch(talk, open_sweep(sweep), every)


@verb("monitor", "hsm monitor", "hsm monitor --mode hpc --sweep-id hpc_sweep")
@click.option("--mode", metavar="MODE", help="Where it runs; that is known without it.")
@click.option("--sweep-id", "sweep", metavar="ID", help="The sweep; else the latest one.")
def monitor(talk: Talk, mode: str | None, sweep: str | None) -> int:
    """Show how a sweep stands until it has ended, as hsm sweep watch."""
    return _watch(talk, open_sweep(sweep), EVERY)


def _watch(talk: Talk, sweep: Sweep, every: float) -> int:
    told = ""
    while True:
        standings = sweep.standings()
        document = sweep.status(standings)
        told = _draw(talk, standings, document, told)
        if not document["live"]:
            break
        try:
            sweep.wait(every)
        except WaitTimedOut:
            continue
    if talk.json:
        talk.document(document)
    elif not on_terminal():
        talk.data(*_attention(standings, document))
    return outcome_code(document["counts"])


def _draw(talk: Talk, standings: Standings, document: dict[str, Any], told: str) -> str:
    """Draw the whole on a terminal; else a line, if it is another one. The line that was told."""
    line = sentence(document)
    if talk.json:
        return line
    if on_terminal():
        if not told:
            sys.stdout.write(CLEAR)
        redraw(_picture(talk, standings, document))
    elif not document["live"]:
        talk.data(line)
    elif line != told:
        talk.say(line)
    return line


# ---------------------------------------------------------------------------------------- in words


def _picture(talk: Talk, standings: Standings, document: dict[str, Any]) -> list[str]:
    bar = [_bar(talk, document)] if on_terminal() and document["points"] else []
    return [sentence(document), *bar, *_attention(standings, document)]


def _bar(talk: Talk, document: dict[str, Any]) -> str:
    """Completed, running and failed points, and what is left."""
    width = max(10, min(_NARROW, (terminal_width() or 80) - 10))
    counts, points = document["counts"], document["points"]
    bad = sum(counts.get(state, 0) for state in BAD)
    shares = [(counts.get(state, 0), mark, style) for state, mark, style in _BAR]
    cells, used, seen = "", 0, 0
    for count, mark, style in [*shares[:1], (bad, "x", "red"), *shares[1:]]:
        seen += count
        until = seen * width // points
        cells += talk.paint(mark * (until - used), style) if until > used else ""
        used = until
    done = (counts.get("COMPLETED", 0) + bad) * 100 // points
    return f"[{cells}{'.' * (width - used)}] {done:3} %"


def _attention(standings: Standings, document: dict[str, Any]) -> list[str]:
    """What somebody should know, and what to type next."""
    lines = [f"stopped: {safe(document['stopped'])}"] if document["stopped"] else []
    lines += [f"unknown: {safe(why)}" for why in document["unknown"]]
    lines += [f"warning: {safe(why)}" for why in document["warnings"]]
    bad = sum(document["counts"].get(state, 0) for state in BAD)
    if bad > READ:
        lines.append(as_called(f"{bad:6,}  have failed: hpc sweep errors says of what"))
    elif bad:
        groups = errors(standings)
        lines += [
            f"{each.count:6,}  {safe(shortened(each.label, 100))}" for each in groups[:GROUPS]
        ]
        if len(groups) > GROUPS:
            lines.append(f"        and {len(groups) - GROUPS:,} other kinds of errors")
    return [*lines, as_called(_next(document))]


def _next(document: dict[str, Any]) -> str:
    counts = document["counts"]
    bad = any(counts.get(state) for state in BAD)
    if document["live"]:
        return "next: hpc sweep watch" + (", hpc sweep errors" if bad else "")
    if bad:
        return "next: hpc sweep errors, hpc sweep resume"
    if counts.get("MISSING"):
        return "next: hpc sweep resume"
    return "next: hpc sweep report, hpc sweep best"
