"""`hpc hold`: keep jobs from starting."""

from __future__ import annotations

from hpcshell.cli.changing import report
from hpcshell.cli.reach import door, ids_argument, selectors
from hpcshell.cli.talk import Talk
from hpcshell.cli.verb import verb


@verb("hold", "hpc hold 12", "hpc hold 7[3-5]", changes=True, on=True)
@ids_argument(required=True)
def command(talk: Talk, ids: tuple[str, ...]) -> int:
    """Keep waiting jobs from starting.

    What runs already goes on. `hpc release` lets them start again.
    """
    if not (named := selectors(ids)):
        return 0
    return report(talk, door().call("hold", ids=named, dry_run=talk.dry_run), "held")
