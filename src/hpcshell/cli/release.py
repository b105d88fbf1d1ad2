"""`hpc release`: let held jobs start."""

from __future__ import annotations

from hpcshell.cli.changing import report
from hpcshell.cli.reach import door, ids_argument, selectors
from hpcshell.cli.talk import Talk
from hpcshell.cli.verb import verb


@verb("release", "hpc release 12", "hpc release 20-25", changes=True, on=True)
@ids_argument(required=True)
def command(talk: Talk, ids: tuple[str, ...]) -> int:
    """Let held jobs start.

    Also ends the waiting time of a retry.
    """
    if not (named := selectors(ids)):
        return 0
    return report(talk, door().call("release", ids=named, dry_run=talk.dry_run), "released")
