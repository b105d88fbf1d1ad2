"""`hpc queue`: what waits and runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import click

from hpcshell.cli import describe, exits
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
from hpcshell.cli.reach import door, ids_argument, selectors
from hpcshell.cli.table import Column, table
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.verb import verb
from hpcshell.cli.watch import watch_option, watched
from hpcshell.core.states import states_of
from hpcshell.core.words import safe

SHOWN: Final = 100
"""Rows of the table unless more are asked for."""

COLUMNS: Final = (
    Column("ID"),
    Column("NAME", elastic=True),
    Column("USER"),
    Column("STATE", state=True),
    Column("TIME", right=True),
    Column("LIMIT", right=True),
    Column("CPUS", right=True),
    Column("MEMORY", right=True),
    Column("GPUS", right=True),
    Column("REASON", elastic=True),
)


@verb(
    "queue",
    "hpc queue",
    "hpc queue --state PENDING --user ada",
    "hpc queue --watch",
    "hpc queue --quiet --name sweep | hpc cancel -",
    on=True,
)
@ids_argument()
@user_option("Only this user's jobs.")
@states_option("Only jobs in this state (PENDING, RUNNING, ...; may be repeated).")
@names_option("Only jobs of this name.")
@tags_option("Only jobs with this tag.")
@click.option("-p", "--partition", metavar="NAME", help="Only jobs of this partition.")
@click.option("-a", "--all", "ended", is_flag=True, help="Also jobs that ended a short while ago.")
@click.option("-r", "--elements", is_flag=True, help="One line for each element of an array.")
@paging(SHOWN)
@watch_option
def command(talk: Talk, ids: tuple[str, ...], watch: float | None, **chosen: Any) -> int:
    """List the jobs that wait and run.

    Running jobs come first, then the waiting ones in the order in which they are to start. Where a
    cluster does not answer, what is known is listed, UNKNOWN what is not; the exit code is 5 then.
    """
    named = selectors(ids)
    if ids and not named:
        return 0
    limit, offset = most(talk, chosen["limit"], SHOWN), chosen["offset"]
    filters = given(
        ids=named,
        user=chosen["user"],
        states=states_of(chosen["states"]),
        names=list(chosen["names"]),
        tags=list(chosen["tags"]),
        partition=chosen["partition"],
    )
    filters |= {"elements": chosen["elements"], "all": chosen["ended"]}
    daemon = door()
    silent: list[bool] = []

    def draw() -> list[str]:
        answer = _all(list(pages(daemon, "queue", limit, offset, **filters)))
        lines = _lines(talk, answer, offset)
        silent[:] = [say_silence(talk, answer)]
        return lines

    return watched(talk, watch, draw) or (exits.UNREACHABLE if any(silent) else exits.OK)


def say_silence(talk: Talk, answer: dict[str, Any]) -> bool:
    """Say which cluster does not answer, and since when what is shown of it is old; or what is to
    be done about the one that does."""
    trouble = answer.get("trouble")
    if not trouble:
        return False
    if trouble.get("hint"):
        talk.warn(f"hpc: {safe(trouble['message'])}", f"  hint: {safe(trouble['hint'])}")
        return True
    since = f"as it was at {describe.instant(trouble['since'])}" if trouble["since"] else "nothing"
    talk.warn(
        f"hpc: {safe(trouble['cluster'])} does not answer: {safe(trouble['message'])}",
        f"  shown of it is {since}; how it answers: hpc cluster status",
    )
    return True


def _all(answers: list[dict[str, Any]]) -> dict[str, Any]:
    """Several pages as one answer."""
    return answers[-1] | {"rows": [row for answer in answers for row in answer["rows"]]}


def _lines(talk: Talk, answer: dict[str, Any], offset: int) -> list[str]:
    rows = answer["rows"]
    if talk.json:
        talk.document({"schema": SCHEMA, **answer})
        return []
    if talk.quiet:
        return [row["label"] for row in rows]
    if not rows:
        talk.say(*(() if answer.get("trouble") else ("no jobs",)))
        return []
    columns = [column for column in COLUMNS if _worth(column.head, rows)]
    now = time.time()
    cells = [_CELLS[column.head] for column in columns]
    lines = table(talk, columns, [[cell(row, now) for cell in cells] for row in rows])
    if offset + len(rows) < answer["total"]:
        talk.say(
            f"{offset + 1:,} to {offset + len(rows):,} of {answer['total']:,} shown; "
            "more with --limit and --offset, all with --limit 0"
        )
    return lines


def _worth(head: str, rows: list[dict[str, Any]]) -> bool:
    """Whether a column says anything: that of the users only if there are several, and so on."""
    if head == "USER":
        return len({row["user"] for row in rows}) > 1
    field = {"MEMORY": "memory", "GPUS": "gpus", "LIMIT": "time_limit"}.get(head)
    return field is None or any(row[field] for row in rows)


_CELLS: Final[dict[str, Callable[[dict[str, Any], float], str]]] = {
    "ID": lambda row, now: str(row["label"]),
    "NAME": lambda row, now: safe(row["name"]),
    "USER": lambda row, now: safe(row["user"]),
    "STATE": lambda row, now: str(row["state"]),
    "TIME": lambda row, now: describe.clock(describe.elapsed(row, now)),
    "LIMIT": lambda row, now: describe.limit(row),
    "CPUS": lambda row, now: str(row["cpus"]),
    "MEMORY": lambda row, now: describe.size(row["memory"]),
    "GPUS": lambda row, now: str(row["gpus"] or "-"),
    "REASON": lambda row, now: describe.why(row),
}
