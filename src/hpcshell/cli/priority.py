"""`hpc priority`: what the order of the waiting jobs comes from."""

from __future__ import annotations

from typing import Any, Final

import click

from hpcshell.cli.filters import user_option
from hpcshell.cli.reach import client, ids_argument, selectors
from hpcshell.cli.table import Column, table
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.verb import verb
from hpcshell.core.words import safe

FRONT: Final = (
    Column("ID"),
    Column("USER"),
    Column("PARTITION", elastic=True),
    Column("PRIORITY", right=True),
)


@verb("priority", "hpc priority", "hpc priority 12 --normal", "hpc priority --json")
@ids_argument()
@user_option("Only this user's jobs.")
@click.option("-n", "--normal", is_flag=True, help="Show the factors themselves, not their points.")
@click.option("-w", "--weights", is_flag=True, help="Show what each factor is worth, and no jobs.")
def command(talk: Talk, ids: tuple[str, ...], user: str | None, normal: bool, weights: bool) -> int:
    """Show what the order of the waiting jobs comes from.

    The first is to start first. Each factor is multiplied by its weight; the sum of these points is
    the priority, and the larger goes first.
    """
    named = selectors(ids)
    if ids and not named:
        return 0
    found = client().call("priority", ids=named or None, user=user)
    if talk.json:
        talk.document({"schema": SCHEMA, **found})
        return 0
    if talk.quiet:
        talk.data(*(str(row["id"]) for row in found["rows"]))
        return 0
    if weights:
        talk.data(*_weights(talk, found["weights"]))
        return 0
    if not found["rows"]:
        talk.say("no job waits")
        return 0
    talk.data(*_lines(talk, found["rows"], normal))
    if len(found["rows"]) < found["total"]:
        talk.say(f"the first {len(found['rows']):,} of {found['total']:,}; name others by their id")
    if found["renewed_every"]:
        from hpcshell.core.units import format_duration

        every = format_duration(found["renewed_every"])
        talk.say(f"figures are of now; the jobs are put in order by them every {every}")
    return 0


def _weights(talk: Talk, rows: list[dict[str, Any]]) -> list[str]:
    columns = [Column(""), *_columns(rows)]
    return table(talk, columns, [["Weights", *(_number(row["weight"]) for row in rows)]])


def _columns(factors: list[dict[str, Any]]) -> list[Column]:
    return [Column(safe(factor["factor"]).upper(), right=True) for factor in factors]


def _lines(talk: Talk, rows: list[dict[str, Any]], normal: bool) -> list[str]:
    columns = [*FRONT, *_columns(rows[0]["factors"])]
    return table(talk, columns, [_cells(row, "value" if normal else "points") for row in rows])


def _cells(row: dict[str, Any], which: str) -> list[str]:
    front = [str(row["id"]), safe(row["user"]), safe(row["partition"]), _number(row["priority"])]
    return front + [_number(factor[which]) for factor in row["factors"]]


def _number(value: float | None) -> str:
    """Whole where it is, else with six digits that count."""
    if value is None:
        return "-"
    value += 0.0  # no -0
    return f"{value:.0f}" if abs(value) < 1e15 and value == int(value) else f"{value:.6g}"
