"""`hpc track experiments`: which there are."""

from __future__ import annotations

from typing import Any, Final

from hpcshell.cli import describe
from hpcshell.cli.table import Column, table
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.tracked import caught_up, gathered, listing, wanted
from hpcshell.cli.verb import verb
from hpcshell.core.words import safe

COLUMNS: Final = (
    Column("ID", right=True),
    Column("NAME", elastic=True),
    Column("RUNS", right=True),
    Column("OWNER"),
    Column("MADE"),
    Column("DESCRIPTION", elastic=True),
)


@verb(
    "experiments",
    "hpc track experiments",
    "hpc track experiments --filter \"name LIKE 'mnist%'\" --json",
)
@listing
def experiments(talk: Talk, **chosen: Any) -> int:
    """List the experiments, the latest first.

    FILTER is as in: name LIKE 'mnist%' and tags.team = 'a'.
    """
    from hpcshell.track.store import experiments as kept

    with caught_up(talk).store as store, store.reading() as connection:
        page = gathered(lambda part: kept.page(connection, part), wanted(chosen), chosen["limit"])
    if talk.json:
        talk.document({"schema": SCHEMA, "rows": page.rows, "next": page.next})
    elif talk.quiet:
        talk.data(*(str(row.id) for row in page.rows))
    elif page.rows:
        talk.data(*table(talk, COLUMNS, [_cells(row) for row in page.rows]))
        if page.next:
            talk.say("there are more: --limit 0 lists all")
    else:
        talk.say("no experiments that fit: with hpcshell.track, track.run('name') makes one")
    return 0


def _cells(row: Any) -> list[str]:
    return [
        str(row.id),
        safe(row.name),
        f"{row.runs:,}",
        safe(row.owner) or "-",
        describe.instant(row.created_at),
        safe(row.description.partition("\n")[0]) or "-",
    ]
