"""`hpc fairshare`: who may use how much, has used how much, and where that puts them."""

from __future__ import annotations

from typing import Any, Final

from hpcshell.cli.reach import client
from hpcshell.cli.table import Column, table
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.verb import verb
from hpcshell.core.words import safe

COLUMNS: Final = (
    Column("ACCOUNT"),
    Column("USER"),
    Column("SHARES", right=True),
    Column("NORM_SHARES", right=True),
    Column("CPU_SECONDS", right=True),
    Column("NORM_USAGE", right=True),
    Column("EFFECTIVE", right=True),
    Column("FAIRSHARE", right=True),
)


@verb("fairshare", "hpc fairshare", "hpc fairshare --json")
def command(talk: Talk) -> int:
    """Show who may use how much and has used how much.

    What was used fades: after each half-life it counts half. A factor of 1 has used nothing, 0.5
    just what its shares give; accounts and shares are configured under [accounts.NAME].
    """
    found = client().call("fairshare")
    if talk.json:
        talk.document({"schema": SCHEMA, **found})
        return 0
    if talk.quiet:
        talk.data(*(row["user"] for row in found["rows"] if row["user"]))
        return 0
    talk.data(*table(talk, COLUMNS, [_cells(row) for row in found["rows"]]))
    return 0


def _cells(row: dict[str, Any]) -> list[str]:
    return [
        " " * row["depth"] + safe(row["account"]),
        safe(row["user"] or ""),
        f"{row['shares']:g}",
        f"{row['norm_shares']:.6f}",
        f"{row['usage']:.0f}",
        f"{row['norm_usage']:.6f}",
        f"{row['effective_usage']:.6f}",
        f"{row['factor']:.6f}",
    ]
