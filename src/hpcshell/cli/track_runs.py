"""`hpc track runs` and `hpc track show`: runs as a table, and all about some of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import click

from hpcshell.cli import describe
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.track_files import line as file_line
from hpcshell.cli.tracked import caught_up, gathered, listing, said, table_of_runs, wanted
from hpcshell.cli.verb import verb
from hpcshell.core.errors import NotFound
from hpcshell.core.units import short_size
from hpcshell.core.words import safe

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from hpcshell.track.records import File, JobRow, Run


FILES: Final = 20
"""Files that are shown of a run; the others are counted."""


@verb(
    "runs",
    "hpc track runs mnist",
    "hpc track runs mnist --sort metrics.loss --limit 5",
    "hpc track runs --filter \"metrics.loss < 0.5 and job.user = 'ann'\" --json",
)
@click.argument("experiment", required=False)
@listing
def runs(talk: Talk, experiment: str | None, **chosen: Any) -> int:
    """List the runs of an experiment, or of all, the latest first.

    EXPERIMENT is a name or a number. FILTER is as in: metrics.loss < 0.5 and params.lr = '0.1'
    and job.state = 'FAILED' and started_at > '2026-11-27'.

    Listed is what the tracker of this machine has (track.url), of all its users. What runs have
    sent to a server elsewhere (HPC_TRACK_URL) is to be seen there.
    """
    from hpcshell.track.store import experiments, keys
    from hpcshell.track.store import runs as kept

    source = caught_up(talk)
    with source.store as store, store.reading() as connection:
        scope = [] if experiment is None else [experiments.meant(connection, experiment).id]
        keys.require_sorting(connection, chosen["sort"], scope)
        page = gathered(
            lambda part: kept.page(connection, part, source.prices),
            wanted(chosen, scope),
            chosen["limit"],
        )
        doubt = "" if page.rows else _doubt(connection, chosen["filter"], scope)
    if talk.json:
        talk.document({"schema": SCHEMA, "rows": page.rows, "next": page.next})
    elif talk.quiet:
        talk.data(*(row.run_id for row in page.rows))
    elif page.rows:
        talk.data(*table_of_runs(talk, page.rows, time.time()))
        if page.next:
            talk.say("there are more: --limit 0 lists all")
    else:
        talk.say(f"no runs that fit{doubt}")
    return 0


def _doubt(connection: Connection, filter: str, scope: list[int]) -> str:
    """That a filter names something that no run has, if it does so."""
    from hpcshell.track.store import keys

    try:
        keys.require_filter(connection, filter, scope)
    except NotFound as error:
        return f": {error.message}; {error.hint}"
    return ""


@verb("show", "hpc track show 3f2a90c1", "hpc track show 3f2a90c1 --json")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
def show(talk: Talk, runs: tuple[str, ...]) -> int:
    """Show all about runs: what they ran with, what came of it, and which jobs they were.

    RUN is a run's id, so many of its first digits that no other has them, or @ for the latest.
    """
    from hpcshell.track.store import compare, files
    from hpcshell.track.store import runs as kept

    source = caught_up(talk)
    with source.store as store, store.reading() as connection:
        ids = [kept.meant(connection, text) for text in runs]
        found = compare.many(connection, ids, source.prices)
        pages = [files.page(connection, run.run_id, limit=FILES) for run in found]
    if talk.json:
        documents = [{"schema": SCHEMA, **_fields(run)} for run in found]
        talk.document(documents[0] if len(runs) == 1 else documents)
    elif talk.quiet:
        talk.data(*(run.run_id for run in found))
    else:
        for number, (run, page) in enumerate(zip(found, pages, strict=True)):
            lines = [*_lines(talk, run), *_files(talk, run, page.rows, more=page.next is not None)]
            talk.data(*([""] if number else []), *lines)
    return 0


def _fields(run: Run) -> dict[str, Any]:
    return {name: getattr(run, name) for name in run.__struct_fields__}


def _lines(talk: Talk, run: Run) -> list[str]:
    """A run in words."""
    told = {
        "run": run.run_id,
        "name": run.name,
        "experiment": f"{run.experiment} ({run.experiment_id})",
        "status": run.status,
        "reason": run.reason or "",
        "user": run.user,
        "host": run.host,
        "seed": "" if run.seed is None else str(run.seed),
        "parent": run.parent_run_id or "",
        "started": describe.instant(run.started_at),
        "ended": describe.instant(run.ended_at),
        "deleted": "" if run.deleted_at is None else describe.instant(run.deleted_at),
        "job": "" if run.job is None else _job(run.job),
        "note": run.note,
    }
    lines = [
        f"{talk.paint(f'{key:<11}', 'bold')} {safe(text)}" for key, text in told.items() if text
    ]
    for title, values in (("params", run.params), ("tags", run.tags)):
        if values:
            lines.append(talk.paint(title, "bold"))
            lines += [safe(f"  {key} = {text}") for key, text in values.items()]
    if run.metrics:
        lines.append(talk.paint("metrics", "bold"))
    for key, each in run.metrics.items():
        extent = f"min {said(each.min)}, max {said(each.max)}, {each.count:,} points"
        lines.append(safe(f"  {key} = {said(each.last)} at step {each.last_step} ({extent})"))
    return lines


def _files(talk: Talk, run: Run, found: list[File], *, more: bool) -> list[str]:
    if not found:
        return []
    rest = [f"  and more: hpc track files {run.run_id}"] if more else []
    return [talk.paint("files", "bold"), *(f"  {file_line(file)}" for file in found), *rest]


def _job(job: JobRow) -> str:
    parts = [f"{job.cluster}_{job.label} {job.state}"]
    if job.nodes:
        parts.append("on " + ",".join(job.nodes))
    if job.cpu_hours is not None:
        parts.append(f"{job.cpu_hours:.2f} CPU hours")
    if job.cpu_efficiency is not None:
        parts.append(f"{job.cpu_efficiency:.0%} used")
    if job.gpu_hours:
        parts.append(f"{job.gpu_hours:.2f} GPU hours")
    if job.max_rss:
        parts.append(f"peak {short_size(job.max_rss)}")
    if job.cost is not None:
        parts.append(f"cost {job.cost:.2f}")
    return ", ".join(parts)
