"""`hpc track sync`: take in, or send, what runs have logged into spool files."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from hpcshell.cli.exits import OK, REFUSED, TRY_LATER
from hpcshell.cli.table import Column, table
from hpcshell.cli.talk import SCHEMA, Talk
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
    Column("TROUBLE"),
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
    machine. Without a DIR: the spool directory of this user, and those of track.spools. A file that
    has been taken in and has its end, or has not grown for a week, is removed.
    """
    while True:
        code = _round(talk, directories, chosen["url"], chosen["token"])
        if chosen["watch"] is None or talk.dry_run:
            return code
        time.sleep(chosen["watch"])


def _round(talk: Talk, directories: tuple[str, ...], url: str | None, token: str | None) -> int:
    from hpcshell.track.client.late import remove_settled

    try:
        found = list(_found(talk, _files(directories), url, token))
    except OSError as error:
        raise Broken(
            f"{safe(str(error.filename))} cannot be read: {error.strerror}", "make it readable"
        ) from None
    for late in found:
        if late.state == "taken" and not talk.dry_run:
            remove_settled(late.file, time.time())
    _show(talk, found)
    if any(late.state == "refused" for late in found):
        return REFUSED
    return TRY_LATER if any(late.trouble for late in found) else OK


def _files(directories: tuple[str, ...]) -> list[str]:
    from hpcshell.jobs.surroundings import configured, here, working_directory
    from hpcshell.track.client.late import files_in

    chosen = directories or (
        here().track_spool,
        *configured(working_directory()).settings.track.spools,
    )
    for each in directories:
        if not os.path.isdir(each):
            raise Wrong(f"{safe(each)} is no directory", "name one that has spool files")
    return list(files_in(chosen))


def _found(talk: Talk, files: list[str], url: str | None, token: str | None) -> Iterator[Late]:
    from hpcshell.jobs.surroundings import environment, here
    from hpcshell.track.client import addresses
    from hpcshell.track.client.late import Late, send_late

    named = addresses.find_url(url, environment(), None)
    if talk.dry_run:
        return (Late(file=path, size=os.path.getsize(path)) for path in files)
    if not named:
        return _taken_here(files)
    known = addresses.find_token(token, environment(), here())
    return send_late(files, addresses.parse(named, known), time.sleep)


def _taken_here(files: list[str]) -> Iterator[Late]:
    """Into the store of this machine."""
    try:
        from hpcshell.cli.track_opened import opened
        from hpcshell.track.points.spools import sweep_spools

        store = opened()
    except ImportError:
        raise Wrong(
            "there is no store here: what it needs is not installed",
            "name a server with --url, or pip install 'hpcshell[web]'",
        ) from None
    with store:
        swept = sweep_spools(store, {os.path.dirname(path) for path in files}, clock=time.time)
        troubles = {trouble.path: trouble.message for trouble in swept.troubles}
        yield from _standing(store, files, troubles)


def _standing(store: Store, files: list[str], troubles: dict[str, str]) -> Iterator[Late]:
    from sqlalchemy import select

    from hpcshell.track.client.late import Late
    from hpcshell.track.store.tables import sources

    with store.reading() as connection:
        for path in files:
            source = os.path.basename(path).removesuffix(".jsonl")
            row = connection.execute(
                select(sources.c.offset, sources.c.bad).where(sources.c.source == source)
            ).first()
            offset, bad = (row.offset, row.bad) if row else (0, 0)
            size, trouble = os.path.getsize(path), troubles.get(path, "")
            state = "refused" if trouble else "taken" if offset >= size else "waiting"
            yield Late(file=path, size=size, offset=offset, bad=bad, state=state, trouble=trouble)


def _show(talk: Talk, found: list[Late]) -> None:
    if talk.json:
        talk.document({"schema": SCHEMA, "rows": [msgspec.to_builtins(late) for late in found]})
    elif talk.quiet:
        talk.data(*(safe(late.file) for late in found if late.state == "taken"))
    elif found:
        talk.data(*table(talk, COLUMNS, [_cells(late) for late in found]))
    else:
        talk.say("there are no spool files")


def _cells(late: Late) -> list[str]:
    return [safe(late.file), str(late.size), str(late.offset), late.state, safe(late.trouble)]
