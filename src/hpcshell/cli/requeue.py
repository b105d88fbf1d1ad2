"""`hpc requeue`: stop running jobs and let them start again later."""

from __future__ import annotations

from hpcshell.cli.changing import report
from hpcshell.cli.reach import door, ids_argument, selectors
from hpcshell.cli.talk import Talk
from hpcshell.cli.verb import verb


@verb("requeue", "hpc requeue 12", "hpc requeue 7_3", changes=True, on=True)
@ids_argument(required=True)
def command(talk: Talk, ids: tuple[str, ...]) -> int:
    """Stop running jobs and put them back into the queue.

    They keep their ids; what starts later is a new run of the same job. Jobs that have ended
    are submitted again with `hpc rerun`.
    """
    if not (named := selectors(ids)):
        return 0
    return report(talk, door().call("requeue", ids=named, dry_run=talk.dry_run), "requeued")
