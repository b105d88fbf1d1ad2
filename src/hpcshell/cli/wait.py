"""`hpc wait`: until jobs have ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hpcshell.cli import describe, exits
from hpcshell.cli.changing import label
from hpcshell.cli.reach import door, ids_argument, selectors
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.verb import verb
from hpcshell.client.client import Client

if TYPE_CHECKING:
    from hpcshell.jobs.doors import Door


@verb(
    "wait",
    "hpc wait 12",
    "hpc wait --any 20-25",
    "hpc wait 12 --timeout 90s --propagate",
    on=True,
)
@ids_argument()
@click.option("--any", "any_one", is_flag=True, help="Until the first of them has ended.")
@click.option(
    "--timeout",
    metavar="DURATION",
    help="Give up after so long (90s, 10m, 2h; a bare number is seconds here).",
)
@click.option("--propagate", is_flag=True, help="Exit with the job's own exit code.")
def command(talk: Talk, ids: tuple[str, ...], **chosen: Any) -> int:
    """Wait until jobs have ended.

    Without an ID, your last job. Exits with 0 if all completed, 1 if they failed, 8 if some of
    them did, 7 if they were cancelled, 6 if the time was up. What --stage-out named of jobs on a
    cluster is brought back then.
    """
    named = selectors(ids, "@")
    if not named:
        return 0
    timeout = _seconds(talk, chosen["timeout"])
    way = door()
    answer = way.call("wait", ids=named, any=chosen["any_one"], timeout=timeout)
    if not talk.json:
        _report(talk, answer)
    files, code = _brought_back(talk, way, answer["done"])
    if talk.json:
        talk.document({"schema": SCHEMA, **answer} | ({"files": files} if files else {}))
    if answer["timed_out"]:
        return exits.TIMED_OUT
    return exits.of_ends(answer["done"], propagate=chosen["propagate"]) or code


def _brought_back(talk: Talk, way: Door, ends: list[dict[str, Any]]) -> tuple[list[Any], int]:
    """What the jobs of a cluster were to bring back, and the exit code of that."""
    if isinstance(way, Client):
        return [], exits.OK
    from hpcshell.cli.fetch import bring_back

    return bring_back(talk, way, ends)


def _seconds(talk: Talk, text: str | None) -> float | None:
    if text is None:
        return None
    from hpcshell.core.units import duration, format_duration

    seconds = duration(text, "--timeout", zero=True, bare=1.0)
    talk.say(f"waiting at most {format_duration(seconds)}")
    return seconds


def _report(talk: Talk, answer: dict[str, Any]) -> None:
    for end in answer["done"]:
        if talk.quiet:
            talk.data(label(end))
            continue
        how = describe.ended(end)
        talk.data(f"job {label(end)} {talk.state(end['state'])}{f' ({how})' if how else ''}")
    if answer["timed_out"]:
        names = ", ".join(label(one) for one in answer["pending"][:10])
        more = len(answer["pending"]) - 10
        talk.warn(f"hpc: the time is up; not ended: {names}{f' and {more} more' * (more > 0)}")
