"""`submit` and `rerun`: how jobs come into being."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from hpcshell.core.errors import Refused, Wrong
from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import NO_INDEX, Array, Job, Outcome
from hpcshell.core.submission import Submission
from hpcshell.daemon.admission import job_of, stored_parts
from hpcshell.daemon.finding import Found, find, visible
from hpcshell.daemon.parents import parent_facts
from hpcshell.daemon.verbs.look import job_document
from hpcshell.daemon.views import BAD
from hpcshell.machine import clock
from hpcshell.policy.booking import admit_into
from hpcshell.policy.entrance import admit_gangs, admit_limits
from hpcshell.policy.explain import explain
from hpcshell.store.rows import indices_of, share

if TYPE_CHECKING:
    from hpcshell.daemon.engine import Engine
    from hpcshell.daemon.face import Daemon
    from hpcshell.daemon.server import Ask, Peer


class SubmitArgs(msgspec.Struct, forbid_unknown_fields=True):
    """What `submit` takes: all of the submissions are accepted, or none."""

    submissions: list[Submission]
    dry_run: bool = False


def submit(daemon: Daemon, peer: Peer, ask: Ask) -> dict[str, Any]:
    """Accept submissions. The answer leaves after they are on disk."""
    try:
        args = msgspec.convert(ask.args, SubmitArgs)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Wrong(
            f"not a submission: {error}", "client and daemon may differ: hpc daemon restart"
        ) from None
    if not args.submissions:
        raise Wrong("nothing was submitted", "give at least one submission")
    engine, now = daemon.engine, clock.now()
    first = engine.change.ids.job + 1
    parts = [stored_parts(submission) for submission in args.submissions]
    jobs = [
        job_of(engine, submission, part, peer, first + place, now)
        for place, (submission, part) in enumerate(zip(args.submissions, parts, strict=True))
    ]
    _no_twins(jobs)
    admit_limits(engine.view, jobs)
    admit_gangs(engine.view, jobs)
    if args.dry_run:
        return {"jobs": [_answer(daemon, job, dry_run=True) for job in jobs]}
    for job, submission in zip(jobs, args.submissions, strict=True):
        if submission.script is not None:
            engine.host.keep_script(job.launch.script, submission.script)
    for job, submission, part in zip(jobs, args.submissions, parts, strict=True):
        taken = engine.change.next_job_id()
        assert taken == job.id, "ids are given out in order"
        engine.change.add_blob(part.env)
        if submission.script is not None:
            engine.change.add_blob(submission.script)
        if engine.newest is not None:
            share(job, engine.newest)
        engine.add(job)
    return {"jobs": [_answer(daemon, job) for job in jobs]}


def _no_twins(jobs: list[Job]) -> None:
    unique = [job.unique for job in jobs if job.unique]
    if len(set(unique)) != len(unique):
        raise Refused("two of the submissions are the same", "leave out --unique to run both")


def _answer(daemon: Daemon, job: Job, *, dry_run: bool = False) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "id": None if dry_run else job.id,
        "name": job.name,
        "elements": len(indices_of(job)),
        "notes": [],
    }
    if dry_run:
        answer |= _foreseen(daemon.engine, job)
    return answer


def _foreseen(engine: Engine, job: Job) -> dict[str, Any]:
    """What would become of it: the view has the job for as long as it takes to ask."""
    for parent in engine.view.needs(job):
        engine.view.know(parent, parent_facts(engine.store, parent))
    engine.view.put_job(job, indices_of(job))
    try:
        told = explain(engine.view, engine.policy, job.id, NO_INDEX, clock.now())
        return {"job": job_document(engine, job.id, job=job), "start": told.start}
    finally:
        engine.view.job_finished(job.id)


def rerun(daemon: Daemon, peer: Peer, ask: Ask) -> dict[str, Any]:
    """Submit ended jobs again as new jobs; of arrays all elements, those named, or those that
    failed."""
    failed = bool(ask.args.get("failed"))
    dry_run = bool(ask.args.get("dry_run"))
    named = find(daemon.engine, ask.args, peer.uid)
    for found in named:
        visible(found.job, peer.uid, "rerun")
    plans = [(found, _elements_to_rerun(daemon, found, failed=failed)) for found in named]
    again = [_again(found.job, wanted, 0, clock.now()) for found, wanted in plans]
    admit_limits(daemon.engine.view, again)
    admit_gangs(daemon.engine.view, again)
    made = []
    for found, wanted in plans:
        new_id = 0 if dry_run else daemon.engine.change.next_job_id()
        job = _again(found.job, wanted, new_id, clock.now())
        admit_into(job, daemon.engine.view.book, daemon.engine.view.room, clock.now())
        if not dry_run:
            daemon.engine.add(job)
        made.append({"id": new_id or None, "of": found.job.id, "elements": len(indices_of(job))})
    return {"jobs": made}


def _elements_to_rerun(daemon: Daemon, found: Found, *, failed: bool) -> IndexSet | None:
    """The indices to run again, None for a plain job. Raises `Refused` while the job is alive."""
    job = found.job
    if job.id in daemon.engine.live and not failed:
        raise Refused(f"job {job.id} has not ended", "wait for it, or hpc requeue it")
    store = daemon.engine.store
    if job.array is None:
        ended = store.task(job.id)
        if failed and (ended is None or ended.outcome in (None, Outcome.COMPLETED)):
            raise Refused(f"job {job.id} has not failed", "leave out --failed to run it again")
        return None
    wanted = found.elements or indices_of(job)
    if failed:
        bad = IndexSet.of(task.index for task in store.tasks(job.id, BAD))
        if job.dropped is not None:
            begun = [task.index for task in store.tasks(job.id)]
            bad = IndexSet.of([*bad, *indices_of(job).minus(begun)])
        wanted = bad.within(wanted)
    if not wanted:
        raise Refused(
            f"no element of job {job.id} has failed", "leave out --failed to run all again"
        )
    return wanted


def _again(job: Job, wanted: IndexSet | None, new_id: int, now: float) -> Job:
    array = None
    if job.array is not None and wanted is not None:
        array = Array(indices=str(wanted), throttle=job.array.throttle)
    return replace(
        job,
        id=new_id,
        submit_time=now,
        array=array,
        held="",
        begin=0.0,
        dependencies=None,
        dropped=None,
        deadline=job.deadline if job.deadline is not None and job.deadline > now else None,
    )
