"""`hpc history`: what has ended."""

from __future__ import annotations

import sys
import time
from typing import Any, Final

import click

from hpcshell.cli import describe
from hpcshell.cli.filters import (
    given,
    most,
    names_option,
    pages,
    paging,
    states_option,
    tags_option,
    user_option,
)
from hpcshell.cli.reach import door
from hpcshell.cli.table import Column, table
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.verb import verb
from hpcshell.core.states import states_of
from hpcshell.core.units import instant
from hpcshell.core.words import safe

SHOWN: Final = 50
"""Rows of the table unless more are asked for."""

COLUMNS: Final = (
    Column("ID"),
    Column("NAME", elastic=True),
    Column("STATE", state=True),
    Column("ENDED"),
    Column("RAN", right=True),
    Column("CPU", right=True),
    Column("PEAK", right=True),
    Column("HOW", elastic=True),
)

CSV_FIELDS: Final = (
    "label",
    "name",
    "user",
    "state",
    "exit_code",
    "signal",
    "reason",
    "submit_time",
    "start_time",
    "end_time",
    "cpus",
    "memory",
    "gpus",
    "time_limit",
    "cpu_time",
    "max_rss",
    "max_rss_at_most",
    "attempt",
    "suspended",
    "partition",
    "account",
    "tags",
    "cwd",
    "command",
)


@verb(
    "history",
    "hpc history --since today",
    "hpc history --state FAILED --name sweep",
    "hpc history --since 2026-01-01 --csv > jobs.csv",
    on=True,
)
@user_option("Only this user's jobs.")
@states_option("Only what ended in this state (COMPLETED, FAILED, ...; may be repeated).")
@names_option("Only jobs of this name.")
@tags_option("Only jobs with this tag.")
@click.option("-S", "--since", metavar="WHEN", help="Only what ended at or after this time.")
@click.option("-E", "--until", metavar="WHEN", help="Only what ended before this time.")
@click.option("-r", "--elements", is_flag=True, help="One line for each element of an array.")
@click.option("--csv", "as_csv", is_flag=True, help="Answer as CSV; times in Unix seconds.")
@paging(SHOWN)
def command(talk: Talk, **chosen: Any) -> int:
    """List the jobs that have ended.

    The latest come first. WHEN is a time such as 18:30, today, 2026-11-30T08:00 or now-2h.
    """
    filters = given(
        user=chosen["user"],
        states=states_of(chosen["states"]),
        names=list(chosen["names"]),
        tags=list(chosen["tags"]),
        since=_instant(chosen["since"], "--since"),
        until=_instant(chosen["until"], "--until"),
        elements=chosen["elements"] or None,
    )
    limit = most(talk, chosen["limit"], SHOWN, whole=chosen["as_csv"])
    answers = pages(door(), "history", limit, chosen["offset"], **filters)
    if chosen["as_csv"]:
        _write_csv(answers)
        return 0
    rows: list[dict[str, Any]] = []
    total = 0
    for answer in answers:
        rows += answer["rows"]
        total = answer["total"]
    if talk.json:
        talk.document({"schema": SCHEMA, "rows": rows, "total": total})
    elif talk.quiet:
        talk.data(*(row["label"] for row in rows))
    elif rows:
        talk.data(*table(talk, COLUMNS, [_cells(row) for row in rows]))
        if len(rows) < total:
            talk.say(f"{len(rows):,} of {total:,} shown; more with --limit, all with --limit 0")
    else:
        talk.say("nothing has ended that fits")
    return 0


def _instant(text: str | None, option: str) -> float | None:
    if text is None:
        return None
    return instant(text, time.time(), describe.local_offset, option)


def _cells(row: dict[str, Any]) -> list[str]:
    usage = row.get("usage") or {}
    return [
        row["label"],
        safe(row["name"]),
        row["state"],
        describe.instant(row["end_time"]),
        describe.clock(describe.elapsed(row, time.time())),
        describe.clock(usage.get("cpu_time")),
        describe.peak(usage),
        describe.progress(row["elements"]) if row.get("elements") else describe.ended(row),
    ]


def _write_csv(answers: Any) -> None:
    import csv

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(CSV_FIELDS)
    for answer in answers:
        for row in answer["rows"]:
            flat = row | (row.get("usage") or {})
            flat["tags"] = " ".join(row["tags"])
            flat["command"] = describe.command(row)
            writer.writerow([_csv_cell(flat.get(field)) for field in CSV_FIELDS])


def _csv_cell(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula is marked as text."""
    if isinstance(value, str):
        value = safe(value)
        return "'" + value if value[:1] in ("=", "+", "-", "@") else value
    return "" if value is None else value
