"""`hpc sweep recent`, `cancel`, `cleanup`: the sweeps of a directory, and what becomes of them."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any, Final

import click

from hpcshell.cli import describe, exits
from hpcshell.cli.sweep_words import complete_sweeps, counted, id_argument
from hpcshell.cli.table import Column, table
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.verb import verb
from hpcshell.core.errors import HpcError, Refused
from hpcshell.core.units import DAY, format_size
from hpcshell.core.words import safe
from hpcshell.sweeps.documents import cancelled
from hpcshell.sweeps.documents import recent as latest
from hpcshell.sweeps.face import listed, open_sweep

LISTED: Final = (
    Column("ID", elastic=True),
    Column("WHEN"),
    Column("POINTS", right=True),
    Column("DONE", right=True),
    Column("FAILED", right=True),
    Column("STATE"),
    Column("WHERE", elastic=True),
)
SHOWN: Final = 20
DAYS: Final = 30.0


@verb("recent", "hpc sweep recent", "hpc sweep recent --limit 0 --json")
@click.option(
    "--limit",
    "-l",
    type=click.IntRange(0),
    default=SHOWN,
    help=f"List at most so many, 0 for all.  [default: {SHOWN}]",
)
def recent(talk: Talk, limit: int) -> int:
    """List the sweeps of this directory, the latest first.

    One whose folder cannot be read is listed as damaged, and why is told.
    """
    if talk.quiet:
        talk.data(*(sweep.id for sweep in listed()[0][: limit or None]))
        return exits.OK
    told, damaged = latest(".", limit)
    if talk.json:
        talk.document({"schema": SCHEMA, **told})
    elif told["rows"]:
        talk.data(*table(talk, LISTED, [_cells(row) for row in told["rows"]]))
    else:
        talk.say("no sweeps here: hpc sweep init, hpc sweep run")
    _warn(talk, damaged)
    return exits.OK


def _warn(talk: Talk, damaged: Mapping[str, HpcError]) -> None:
    for error in damaged.values():
        talk.warn(f"hpc: {safe(error.message)}", f"  hint: {safe(str(error.hint))}")


def _cells(row: dict[str, Any]) -> list[str]:
    return [
        safe(row["id"]),
        "-" if row["created"] is None else describe.instant(row["created"]),
        "-" if row["points"] is None else f"{row['points']:,}",
        f"{row['completed']:,}",
        f"{row['failed']:,}",
        row["state"],
        safe(", ".join(row["on"])) or "-",
    ]


@verb("cancel", "hpc sweep cancel", "hpc sweep cancel lr-study", changes=True)
@id_argument
def cancel(talk: Talk, sweep: str | None) -> int:
    """Cancel what waits and runs of a sweep; nothing more of it is submitted.

    What has run keeps its results. hpc sweep resume runs the rest.
    """
    found = open_sweep(sweep)
    told = cancelled(found, dry_run=talk.dry_run)
    if talk.json:
        talk.document({"schema": SCHEMA, **told})
    elif talk.quiet:
        talk.data(*told["cancelled"])
    else:
        verb = "would cancel" if talk.dry_run else "cancelled"
        points = counted(len(told["cancelled"]), "point")
        talk.data(f"sweep {safe(found.id)}: {verb} {points}")
    talk.warn(*(f"hpc: {safe(each)}" for each in told["trouble"]))
    return exits.UNREACHABLE if told["trouble"] else exits.OK


@verb(
    "cleanup",
    "hpc sweep cleanup --dry-run",
    "hpc sweep cleanup --days 7 --keep-incomplete",
    "hpc sweep cleanup lr-study --yes",
    changes=True,
)
@click.argument("sweeps", nargs=-1, metavar="[ID]...", shell_complete=complete_sweeps)
@click.option(
    "--days",
    type=click.FloatRange(0),
    default=None,
    help=f"Those of which nothing has happened for so long; {DAYS:g} where no ID is given.",
)
@click.option(
    "--keep-incomplete", is_flag=True, help="Keep those with points that did not complete."
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def cleanup(
    talk: Talk, sweeps: tuple[str, ...], days: float | None, keep_incomplete: bool, yes: bool
) -> int:
    """Delete the folders of sweeps, with all that their points have written.

    Never one of which something waits or runs: cancel it first. Copies of the project that no sweep
    runs in any more go along.
    """
    from hpcshell.sweeps.cleaning import Removable, finish, removable, remove

    named = [open_sweep(each) for each in sweeps]
    days = days if days is not None or named else DAYS
    before = time.time() - (days or 0.0) * DAY
    others, damaged = ([], {}) if named else listed()
    found = removable(named or others, before=before, keep_incomplete=keep_incomplete)
    if named and (kept := [each for each in found if each.why]):
        raise Refused(f"sweep {safe(kept[0].id)}: {kept[0].why}", "see: hpc sweep status")
    gone: list[Removable] = [each for each in found if not each.why]
    if gone and not talk.dry_run:
        if not _agreed(gone, yes):
            talk.say("nothing was deleted")
            return exits.OK
        for each in gone:
            remove(each)
    if not talk.dry_run:
        finish(".")
    _report(talk, found, gone)
    _warn(talk, damaged)
    return exits.OK


def _agreed(gone: list[Any], yes: bool) -> bool:
    """Whether somebody wants it. Raises `Refused` where nobody can be asked."""
    if yes:
        return True
    what = f"delete {counted(len(gone), 'sweep')}: {', '.join(safe(each.id) for each in gone)}"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Refused(f"nobody can be asked whether to {what}", "--yes answers it")
    return click.confirm(f"{what}?", err=True)


def _report(talk: Talk, found: list[Any], gone: list[Any]) -> None:
    if talk.json:
        rows = [{"id": each.id, "bytes": each.size, "kept": each.why or None} for each in found]
        talk.document({"schema": SCHEMA, "dry_run": talk.dry_run, "sweeps": rows})
    elif talk.quiet:
        talk.data(*(each.id for each in gone))
    else:
        verb = "would delete" if talk.dry_run else "deleted"
        talk.data(*(f"{verb} {safe(each.id)} ({format_size(each.size)})" for each in gone))
        talk.say(*(f"kept {safe(each.id)}: {each.why}" for each in found if each.why))
        if not found:
            talk.say("no sweeps here")
