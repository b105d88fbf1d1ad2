"""`hpc edit`: change jobs that have not ended."""

from __future__ import annotations

from typing import Any

import click

from hpcshell.cli import describe
from hpcshell.cli.reach import door, selectors
from hpcshell.cli.requests import Requesting, job_options, take_settings
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.verb import verb
from hpcshell.core.errors import Wrong
from hpcshell.core.units import format_duration, format_size
from hpcshell.core.words import safe
from hpcshell.jobs.editing import FIELDS, changes_of


@verb(
    "edit",
    "hpc edit 12 --time 4h",
    "hpc edit 20-25 --priority high",
    "hpc edit 7 --throttle 16",
    changes=True,
    on=True,
    kind=Requesting,
)
@job_options(lambda row: row.name in FIELDS)
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
def command(talk: Talk, ids: tuple[str, ...], **chosen: Any) -> int:
    """Change jobs that have not ended.

    What has begun keeps its request; its time limit, name, comment, tags and throttle can change.
    A request that --retry-grow has made larger becomes what is asked for now, and grows on from it.
    The word none takes memory, a deadline, account, QOS, reservation, tags, comment or dependency
    away.
    """
    changes = changes_of(take_settings(chosen))
    if not changes:
        raise Wrong("nothing to change", "name at least one option, for example --time 2h")
    if not (named := selectors(ids)):
        return 0
    answer = door().call("edit", ids=named, changes=changes, dry_run=talk.dry_run)
    if talk.json:
        talk.document({"schema": SCHEMA, "dry_run": talk.dry_run, **answer})
        return 0
    for job in answer["jobs"]:
        if talk.quiet:
            talk.data(str(job["id"]))
            continue
        would = "would change" if talk.dry_run else "changed"
        parts = [
            f"{field.replace('_', ' ')} {_shown(field, old)} -> {_shown(field, new)}"
            for field, (old, new) in job["changed"].items()
        ]
        talk.data(f"job {job['id']} {would}: {', '.join(parts) or 'nothing, it was so already'}")
    return 0


def _shown(field: str, value: Any) -> str:
    """A field's value as people write it."""
    if value in (None, "", [], {}):
        return "none"
    if field == "time_limit":
        return format_duration(value)
    if field in ("begin", "deadline"):
        return describe.instant(value) if value else "none"
    if field == "memory":
        return format_size(value) if value else "none"
    if isinstance(value, list):
        return safe(" ".join(map(str, value)))
    if isinstance(value, dict):
        return safe(",".join(f"{name}={number}" for name, number in value.items()))
    return safe(str(value))
