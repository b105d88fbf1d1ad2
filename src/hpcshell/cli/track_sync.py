"""`hpc track sync`: take in, or send, what runs have logged into spool files."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from hpcshell.cli.exits import OK, REFUSED, TRY_LATER
from hpcshell.cli.sweep_words import counted
from hpcshell.cli.table import Column, table
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.tracked import opened
from hpcshell.cli.verb import verb
from hpcshell.core.errors import Broken, Wrong
from hpcshell.core.words import safe

if TYPE_CHECKING:
    from hpcshell.track.client.late import Late
    from hpcshell.track.store.store import Store

COLUMNS: Final = (
    Column("FILE", elastic=True),
    Column("SIZE", right=True),
    Column("TAKEN", right=True),
    Column("STATE"),
    Column("TROUBLE", elastic=True),
)


@verb(
    "sync",
    "hpc track sync",
    "hpc track sync /shared/spool --url https://tracker.example.org",
    "hpc track sync --watch 30",
    changes=True,
)
@click.argument("directories", metavar="[DIR]...", nargs=-1)
@click.option("--url", metavar="URL", help="The server; else HPC_TRACK_URL or TRACKER_API.")
@click.option("--token", metavar="TOKEN", help="For it; else HPC_TRACK_TOKEN or track.token.")
@click.option(
    "--watch",
    is_flag=False,
    flag_value=5.0,
    default=None,
    type=click.FloatRange(0.1, 86400),
    metavar="[SECONDS]",
    help="Again every 5 (or so many) seconds, until Ctrl-C.",
)
def sync(talk: Talk, directories: tuple[str, ...], **chosen: Any) -> int:
    """Take in what runs have logged into spool files, each line once.

    With a URL the files are sent to that server, else they are taken into the store of this
    machine, and with them the events that epilogs have left there. Without a DIR: the spool
    directory of this user, and those of track.spools. A file that has been taken in and has its
    end, or has not grown for a week, is removed.
    """
    while True:
        code = _round(talk, directories, chosen["url"], chosen["token"])
        if chosen["watch"] is None or talk.dry_run:
            return code
        time.sleep(chosen["watch"])


def _round(talk: Talk, directories: tuple[str, ...], url: str | None, token: str | None) -> int:
    from hpcshell.track.client.late import files_in
    from hpcshell.track.client.settled import remove_settled

    chosen = _chosen(directories)
    try:
        found = list(_found(talk, list(files_in(chosen)), url, token))
        events = 0 if talk.dry_run else _events(chosen, url)
    except OSError as error:
        raise Broken(
            f"{safe(str(error.filename))} cannot be read: {error.strerror}", "make it readable"
        ) from None
    for late in found:
        if late.state == "taken" and not talk.dry_run:
            remove_settled(late.file, time.time())
    _show(talk, found, events)
    if any(late.state == "refused" for late in found):
        return REFUSED
    return TRY_LATER if any(late.trouble for late in found) else OK


def _chosen(directories: tuple[str, ...]) -> tuple[str, ...]:
    from hpcshell.jobs.surroundings import configured, here, working_directory

    for each in directories:
        if not os.path.isdir(each):
            raise Wrong(f"{safe(each)} is no directory", "name one that has spool files")
    return directories or (
        here().track.spool,
        *configured(working_directory()).settings.track.spools,
    )


def _server(url: str | None) -> str:
    from hpcshell.jobs.surroundings import environment
    from hpcshell.track.client import addresses

    return addresses.find_url(url, environment(), None)


def _found(talk: Talk, files: list[str], url: str | None, token: str | None) -> Iterator[Late]:
    from hpcshell.jobs.surroundings import environment, here
    from hpcshell.track.client import addresses
    from hpcshell.track.client.late import Late, send_late, size_of

    named = _server(url)
    if talk.dry_run:
        return (Late(file=path, size=size_of(path)) for path in files)
    if not named:
        return _taken_here(files)
    known = addresses.find_token(token, environment(), here())
    return send_late(files, addresses.parse(named, known), time.sleep)


def _taken_here(files: list[str]) -> Iterator[Late]:
    """Into the store of this machine."""
    try:
        from hpcshell.track.points.spools import Sweep, sweep_spools

        store = opened().store
    except ImportError:
        raise Wrong(
            "there is no store here: what it needs is not installed",
            "name a server with --url, or pip install 'hpcshell[web]'",
        ) from None
    within = sorted({os.path.dirname(path) for path in files})
    with store:
        before = _places(store, files)
        swept = sweep_spools(store, within, Sweep(clock=time.time))
        troubles = {trouble.path: trouble.message for trouble in swept.troubles}
        yield from _standing(store, files, troubles, before)


def _places(store: Store, files: list[str]) -> dict[str, tuple[int, int]]:
    """How far files have been taken in, and how many of their lines were not taken."""
    from sqlalchemy import select

    from hpcshell.track.store.tables import sources

    its = select(sources.c.offset, sources.c.bad)
    with store.reading() as connection:
        rows = {
            path: connection.execute(its.where(sources.c.source == _source(path))).first()
            for path in files
        }
    return {path: (row.offset, row.bad) if row else (0, 0) for path, row in rows.items()}


def _standing(
    store: Store, files: list[str], troubles: dict[str, str], before: dict[str, tuple[int, int]]
) -> Iterator[Late]:
    from hpcshell.track.client.late import Late, size_of

    for path, (offset, bad) in _places(store, files).items():
        size, trouble = size_of(path), troubles.get(path, "")
        state = "refused" if trouble else "taken" if offset >= size else "waiting"
        new = offset - before[path][0]
        yield Late(
            file=path, size=size, offset=offset, new=new, bad=bad, state=state, trouble=trouble
        )


def _source(path: str) -> str:
    return os.path.basename(path).removesuffix(".jsonl")


def _events(directories: tuple[str, ...], url: str | None) -> int:
    """Take the events of epilogs into the store of this machine; how many those were."""
    from hpcshell.jobs.surroundings import here

    if _server(url):
        return 0
    from hpcshell.track.joining.signing import webhook_key
    from hpcshell.track.joining.spooled import is_any, take_in

    within = [each for each in directories if is_any(each)]
    if not within:
        return 0
    with opened().store as store:
        return sum(take_in(store, each, webhook_key(here())).taken for each in within)


def _show(talk: Talk, found: list[Late], events: int) -> None:
    """All of them in a document; else those of which something is new or still to come."""
    told = [late for late in found if late.new or late.state != "taken"]
    if events and not (talk.json or talk.quiet):
        talk.say(f"{events:,} events of epilogs were taken in")
    if talk.json:
        rows = [msgspec.to_builtins(late) for late in found]
        talk.document({"schema": SCHEMA, "rows": rows, "events": events})
    elif talk.quiet:
        talk.data(*(safe(late.file) for late in told if late.state == "taken"))
    elif told:
        talk.data(*table(talk, COLUMNS, [_cells(late) for late in told]))
    elif found:
        talk.say(f"nothing is new in {counted(len(found), 'spool file')}")
    elif not events:
        talk.say("there are no spool files")


def _cells(late: Late) -> list[str]:
    trouble = late.trouble or (f"{counted(late.bad, 'line')} not taken" if late.bad else "")
    return [safe(late.file), str(late.size), str(late.offset), late.state, safe(trouble)]
