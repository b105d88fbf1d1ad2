"""`hpc preempt`: let jobs make room."""

from __future__ import annotations

import click

from hpcshell.cli.changing import report
from hpcshell.cli.filters import given
from hpcshell.cli.reach import client, ids_argument, selectors
from hpcshell.cli.talk import Talk
from hpcshell.cli.verb import verb


@verb("preempt", "hpc preempt 12", "hpc preempt 12 --mode suspend", changes=True)
@ids_argument(required=True)
@click.option(
    "--mode",
    type=click.Choice(["requeue", "suspend", "cancel"]),
    default="requeue",
    help="requeue: back into the queue; suspend: it goes on by itself; cancel: for good.  "
    "[default: requeue]",
)
@click.option("--grace", metavar="TIME", help="Time between SIGTERM and SIGKILL; else the job's.")
def command(talk: Talk, ids: tuple[str, ...], mode: str, grace: str | None) -> int:
    """Let running jobs make room for others.

    A job with a checkpoint signal gets it first, and the time it asks for, then SIGTERM, then
    SIGKILL after the grace time. One that may not be requeued ends as PREEMPTED; one that is
    suspended goes on as soon as it is its turn and its CPUs are free.
    """
    if not (named := selectors(ids)):
        return 0
    answer = client().call(
        "preempt", ids=named, mode=mode, dry_run=talk.dry_run, **given(grace=_seconds(grace))
    )
    return report(talk, answer, "preempted")


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    from hpcshell.core.units import duration

    return duration(text, "--grace", zero=True)
