"""The documents people and programs read: one JSON object a job, the same from every door.

`SCHEMA` counts the versions of these documents; a field is never removed or given another meaning
under the same number. Instants are Unix seconds, sizes bytes, unknown is null.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, Final

from msgspec.structs import asdict

from hpcshell.core.dependencies import format_dependencies
from hpcshell.core.lifecycle import label, suspended_for, word
from hpcshell.core.records import NO_INDEX, Job, Outcome, Resources, State, Summary, Task, Usage
from hpcshell.core.units import number_of_gpus
from hpcshell.daemon.host import Host
from hpcshell.daemon.live import LiveJob
from hpcshell.daemon.orders import output_paths, session_name
from hpcshell.machine import clock
from hpcshell.machine.session.words import Session, words_to_join
from hpcshell.store.rows import Entry

SCHEMA: Final = 1
FAILED_LISTED: Final = 1000
RUNNING_LISTED: Final = 100


def _submission(job: Job) -> dict[str, Any]:
    """The part of the document that stands since the submission."""
    request = job.request
    return {
        "schema": SCHEMA,
        "id": job.id,
        "label": str(job.id),
        "name": job.name,
        "user": job.user,
        "submit_time": job.submit_time,
        "cpus": request.cpus,
        "memory": request.memory,
        "gpus": number_of_gpus(request.gpu_hundredths),
        "gpu_type": request.gpu_type or None,
        "gpu_mem": request.gpu_mem or None,
        "gpus_allowed": list(request.gpus_allowed) or None,
        "gpu_cards": None,
        "gpu_enforcement": None,
        "others": request.others,
        "exclusive": request.exclusive,
        "time_limit": request.time_limit,
        "begin": job.begin or None,
        "deadline": job.deadline,
        "partition": job.partition,
        "account": job.account or None,
        "qos": job.qos or None,
        "reservation": job.reservation or None,
        "gang": None if job.gang is None else job.gang.name,
        "priority": job.priority,
        "nice": job.nice,
        "profile": job.profile or None,
        "model": None if job.model is None else asdict(job.model),
        "tags": list(job.tags),
        "comment": job.comment or None,
        "held": bool(job.held),
        "retries": job.retry.limit,
        "array": job.array.indices if job.array else None,
        "throttle": job.array.throttle or None if job.array else None,
        "element": None,
        "elements": None,
        "dependency": format_dependencies(job.dependencies) if job.dependencies else None,
        "command": list(job.launch.argv),
        "script": job.launch.argv[0] if job.launch.script else None,
        "cwd": job.launch.cwd,
        "session": None,
    }


def _usage(usage: Usage | None) -> dict[str, Any] | None:
    if usage is None:
        return None
    return {
        "cpu_time": usage.cpu_user + usage.cpu_system,
        "cpu_user": usage.cpu_user,
        "cpu_system": usage.cpu_system,
        "max_rss": usage.max_rss,
        "max_rss_at_most": usage.max_rss_at_most,
        "gpu_memory": usage.gpu_memory,
    }


def element_view(job: Job, task: Task, host: Host, *, pid: int | None = None) -> dict[str, Any]:
    """The document of one element, or of a plain job, which is its only element."""
    view = _submission(job)
    stdout, stderr = output_paths(job, task, host)
    request = task.request or job.request
    view.update(
        label=label(task),
        element=None if task.index == NO_INDEX else task.index,
        cpus=request.cpus,
        memory=request.memory,
        gpus=number_of_gpus(request.gpu_hundredths),
        time_limit=request.time_limit,
        state=word(task),
        exit_code=task.exit_code,
        signal=task.signal,
        reason=task.cause or None,
        reason_code=None,
        start_time=task.start_time,
        end_time=task.end_time,
        nodes=[host.hostname] if task.start_time else [],
        attempt=task.attempt,
        held=bool(job.held) or task.held,
        suspended=suspended_for(task, clock.now()),
        preempted=task.preempted,
        run=task.run or None,
        pid=pid,
        stdout=stdout,
        stderr=stderr or stdout,
        usage=_usage(task.usage),
        session=_session(job, task, host),
    )
    return view


def _session(job: Job, task: Task, host: Host) -> dict[str, Any] | None:
    """The session of an element, and the words that join it, once it is open."""
    program = job.launch.session
    if not program:
        return None
    session = Session(program, session_name(task), host.places.session(task.run))
    live = task.state in (State.RUNNING, State.SUSPENDED, State.STOPPING)
    join = words_to_join(session) if live else None
    return {"program": program, "name": session.name, "join": join}


def array_view(job: Job, live: LiveJob, host: Host, failed: Iterable[Task]) -> dict[str, Any]:
    """The document of an array that has not ended."""
    view = _submission(job)
    tally = live.tally
    counts = {outcome.value: count for outcome, count in tally.counts.items()}
    running: list[int] = []
    pending = len(live.waiting)
    for task in live.tasks.values():
        counts[word(task)] = counts.get(word(task), 0) + 1
        if task.state is not State.PENDING and len(running) < RUNNING_LISTED:
            running.append(task.index)
    if pending:
        counts["PENDING"] = counts.get("PENDING", 0) + pending
    state = live.state()
    begun = state is not State.PENDING or live.start_time is not None
    view.update(
        state=_begun_state(state) if begun else "PENDING",
        exit_code=None,
        signal=None,
        reason=None,
        reason_code=None,
        start_time=live.start_time,
        end_time=None,
        elements={
            "total": sum(counts.values()),
            "counts": counts,
            "failed": _failed(failed),
            "running": running,
        },
        **_array_common(job, host, tally.usage(), begun=begun),
    )
    return view


def _begun_state(state: State) -> str:
    """An array runs on though nothing of it may run just now, unless all that has begun is
    suspended."""
    return State.SUSPENDED.value if state is State.SUSPENDED else State.RUNNING.value


def ended_array_view(
    job: Job, summary: Summary, host: Host, failed: Iterable[Task] | None
) -> dict[str, Any]:
    """The document of an array that has ended; `failed` None: they were not looked up."""
    view = _submission(job)
    view.update(
        state=summary.outcome.value,
        exit_code=summary.exit_code,
        signal=summary.signal,
        reason=summary.cause or None,
        reason_code=None,
        start_time=summary.start_time,
        end_time=summary.end_time,
        elements={
            "total": sum(summary.counts.values()),
            "counts": summary.counts,
            "failed": None if failed is None else _failed(failed),
            "running": [],
        },
        **_array_common(job, host, summary.usage, begun=summary.start_time is not None),
    )
    return view


def _array_common(job: Job, host: Host, usage: Usage | None, *, begun: bool) -> dict[str, Any]:
    return {
        "nodes": [host.hostname] if begun else [],
        "attempt": None,
        "suspended": None,
        "preempted": None,
        "run": None,
        "pid": None,
        "stdout": os.path.join(job.launch.cwd, job.launch.stdout or "hpc-%A_%a.out"),
        "stderr": os.path.join(
            job.launch.cwd, job.launch.stderr or job.launch.stdout or "hpc-%A_%a.out"
        ),
        "usage": _usage(usage),
    }


def _failed(tasks: Iterable[Task]) -> list[dict[str, Any]]:
    return [
        {
            "element": task.index,
            "state": word(task),
            "exit_code": task.exit_code,
            "signal": task.signal,
            "reason": task.cause or None,
        }
        for task in tasks
    ]


def resources_view(resources: Resources) -> dict[str, Any]:
    """Countable things as a document."""
    return {
        "cpus": resources.cpus,
        "memory": resources.memory,
        "gpus": number_of_gpus(resources.gpu_hundredths),
        "others": resources.others,
    }


def entry_document(entry: Entry) -> dict[str, Any]:
    """One event of the story as a document."""
    return {
        "seq": entry.seq,
        "time": entry.time,
        "job": entry.job,
        "element": entry.index,
        "kind": entry.kind,
        "state": entry.state,
        "cause": entry.cause,
        "detail": entry.detail,
    }


BAD: Final = tuple(outcome.value for outcome in Outcome if outcome is not Outcome.COMPLETED)
"""The outcomes an array's document lists element by element."""
