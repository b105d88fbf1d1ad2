"""The daemon as a verb reaches it, and the ids as the user gave them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click

from hpcshell.cli.verb import ON
from hpcshell.core.ids import split
from hpcshell.core.words import safe
from hpcshell.machine.paths import places

if TYPE_CHECKING:
    from hpcshell.client.client import Client
    from hpcshell.jobs.doors import Door

PATIENCE: Final = 5.0
"""Seconds without an answer of a cluster after which it is said that it is waited for."""
_LONG: Final = ("wait", "fetch")
"""Verbs that take their time though the cluster answers."""

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def client(*, autostart: bool = True) -> Client:
    """A client of the daemon this environment means."""
    from hpcshell.client.client import Client

    return Client(places(os.environ), autostart)


def door() -> Door:
    """What takes the verbs of jobs: this machine's daemon, or the cluster that is meant."""
    from hpcshell.jobs.doors import door

    found = door(click.get_current_context().meta.get(ON))
    if hasattr(found, "page"):  # a desk, and no client, which is not loaded for this question
        _end_in_order()
        click.get_current_context().call_on_close(partial(_say_unkept, found))
        return _Aloud(found)
    return found


class _Aloud:
    """A desk of which it is said, once, that its answer is waited for."""

    def __init__(self, desk: Door) -> None:
        self._desk = desk
        self._asking = False
        self._quiet = bool(click.get_current_context().params.get("quiet"))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._desk, name)

    def call(self, verb: str, **args: Any) -> Any:
        """As the desk's own. An alarm takes no thread, and whoever is quick never sees it."""
        if self._quiet or verb in _LONG:
            return self._desk.call(verb, **args)
        import signal

        self._asking = True
        before = signal.signal(signal.SIGALRM, self._say)
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)
        try:
            return self._desk.call(verb, **args)
        finally:
            self._asking = False
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def _say(self, number: int, frame: object) -> None:
        if self._asking:  # it may ring just when the answer is there
            self._quiet = True
            cluster = getattr(self._desk, "cluster", None)
            name = safe(cluster.name) if cluster is not None else "the clusters"
            click.echo(f"hpc: waiting for {name} to answer", err=True)


def _say_unkept(desk: Door) -> None:
    """Say that nothing could be written, where that was no reason to stop."""
    if why := getattr(desk, "unkept", ""):
        click.echo(f"hpc: what was learned is not kept: {safe(why)}", err=True)


def _end_in_order() -> None:
    """Whoever is told to end first ends the scheduler's command that it waits for."""
    import signal

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def ids_argument(*, required: bool = False) -> Decorator:
    """The argument IDS of a verb, with completion of live jobs."""
    return click.argument(
        "ids", nargs=-1, required=required, metavar="[ID]...", shell_complete=complete_ids
    )


def selectors(given: Iterable[str], default: str | None = None) -> list[str]:
    """The ids as typed, `-` replaced by the words on stdin; `default` where none were given.

    An empty list means that stdin was empty: there is nothing to do.
    """
    words: list[str] = []
    for word in given:
        words.extend(sys.stdin.read().split() if word == "-" else _parts(word))
    if not words and not given and default is not None:
        return [default]
    return words


def _parts(word: str) -> list[str]:
    """`12,15_3` as two ids; a comma in a name separates nothing."""
    parts = split(word) if "," in word else [word]
    return parts if all(part[:1].isdigit() or part[:1] == "@" for part in parts) else [word]


def complete_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
    """Ids and names of live jobs that begin with what was typed; silent without a daemon. Of a
    cluster those that are on record here: it is not asked."""
    from click.shell_completion import CompletionItem

    from hpcshell.core.errors import HpcError
    from hpcshell.jobs.doors import known_rows

    try:
        rows = known_rows(ctx.meta.get(ON))
    except HpcError:
        return []
    found = []
    for row in rows:
        text = f"{safe(row['name'])} {row['state']}"
        found += [
            CompletionItem(word, help=text)
            for word in (row["label"], row["name"])
            if word.startswith(incomplete) and word.isprintable()
        ]
    return found
