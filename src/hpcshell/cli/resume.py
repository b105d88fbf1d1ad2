"""`hpc resume`: let suspended jobs go on."""

from __future__ import annotations

from hpcshell.cli.changing import report
from hpcshell.cli.reach import door, ids_argument, selectors
from hpcshell.cli.talk import Talk
from hpcshell.cli.verb import verb


@verb("resume", "hpc resume 12", "hpc resume 7[3-5]", changes=True, on=True)
@ids_argument(required=True)
def command(talk: Talk, ids: tuple[str, ...]) -> int:
    """Let suspended jobs go on.

    Where others have taken their CPUs they stay suspended, and go on as soon as it is their turn
    and the CPUs are free; `hpc suspend` takes that back.
    """
    if not (named := selectors(ids)):
        return 0
    return report(talk, door().call("resume", ids=named, dry_run=talk.dry_run), "resumed")
