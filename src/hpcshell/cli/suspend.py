"""`hpc suspend`: let jobs stand still."""

from __future__ import annotations

from hpcshell.cli.changing import report
from hpcshell.cli.reach import door, ids_argument, selectors
from hpcshell.cli.talk import Talk
from hpcshell.cli.verb import verb


@verb("suspend", "hpc suspend 12", "hpc suspend 7[3-5]", changes=True, on=True)
@ids_argument(required=True)
def command(talk: Talk, ids: tuple[str, ...]) -> int:
    """Let running jobs stand still.

    All their processes are stopped, and so is the clock of their time limit. Their CPUs are free
    for others meanwhile; memory, GPUs and the rest they keep. `hpc resume` lets them go on.
    """
    if not (named := selectors(ids)):
        return 0
    return report(talk, door().call("suspend", ids=named, dry_run=talk.dry_run), "suspended")
