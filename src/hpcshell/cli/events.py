"""`hpc events`: what happens, as it happens."""

from __future__ import annotations

import sys
from typing import Any

import click

from hpcshell.cli.reach import client, ids_argument, selectors
from hpcshell.cli.show import describe_event
from hpcshell.cli.talk import Talk
from hpcshell.cli.verb import verb
from hpcshell.core.words import safe_json


@verb("events", "hpc events -f", "hpc events --since 0 --json", "hpc events -f 12")
@ids_argument()
@click.option("-f", "--follow", is_flag=True, help="Go on with what happens from now on.")
@click.option(
    "--since",
    type=click.IntRange(0),
    metavar="SEQ",
    help="Begin after the event of this number (0: from the first).",
)
def command(talk: Talk, ids: tuple[str, ...], follow: bool, since: int | None) -> int:
    """Print what happens, as it happens.

    Every change of every job with its cause. With --json one object a line; its `seq` is where
    --since goes on.
    """
    named = selectors(ids)
    if ids and not named:
        return 0
    args: dict[str, Any] = {"ids": named} if named else {}
    if since is None and not follow:
        since = 0
    for event in client().stream("events", since=since, follow=follow, **args):
        _print(talk, event)
    return 0


def _print(talk: Talk, event: dict[str, Any]) -> None:
    if talk.json:
        import msgspec

        sys.stdout.write(safe_json(msgspec.json.encode(event).decode()) + "\n")
    elif talk.quiet:
        talk.data("-" if event["job"] is None else str(event["job"]))
    else:
        talk.data(describe_event(event, event["job"]))
    sys.stdout.flush()
