"""`hpc rerun`: submit ended jobs again."""

from __future__ import annotations

import click

from hpcshell.cli.reach import door, ids_argument, selectors
from hpcshell.cli.staying import stay_with
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.verb import verb


@verb("rerun", "hpc rerun 12", "hpc rerun --failed 7", changes=True, on=True)
@ids_argument(required=True)
@click.option("--failed", is_flag=True, help="Of an array, only what did not complete.")
def command(talk: Talk, ids: tuple[str, ...], failed: bool) -> int:
    """Submit ended jobs again.

    Each becomes a new job with a new id and the same script, arguments, request and environment.
    """
    if not (named := selectors(ids)):
        return 0
    way = door()
    answer = way.call("rerun", ids=named, failed=failed, dry_run=talk.dry_run)
    if not talk.dry_run:
        stay_with(talk, way)
    if talk.json:
        talk.document({"schema": SCHEMA, "dry_run": talk.dry_run, **answer})
    elif talk.quiet:
        talk.data(*(str(job["id"]) for job in answer["jobs"] if job["id"] is not None))
    else:
        for job in answer["jobs"]:
            many = f", {job['elements']:,} elements" if job["elements"] > 1 else ""
            if talk.dry_run:
                talk.data(f"would submit job {job['of']} again{many}")
            else:
                talk.data(f"Submitted job {job['id']} (job {job['of']} again{many})")
    return 0
