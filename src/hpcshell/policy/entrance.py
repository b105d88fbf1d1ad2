"""What a submission becomes by the settings, and whether it may come in: for the daemon, and for
whoever asks what would be if."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from hpcshell.core.errors import NotYet, Wrong
from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import Array, Job, Launch, Request
from hpcshell.core.settings import PartitionSettings, Settings
from hpcshell.core.submission import Submission
from hpcshell.core.words import nearest, quote
from hpcshell.policy.choice import default_account
from hpcshell.policy.gang import LESS, admit_member, company
from hpcshell.policy.snapshot import elements_of
from hpcshell.policy.view import View


def job_from(
    submission: Submission, settings: Settings, *, number: int, user: str, uid: int, now: float
) -> Job:
    """The job of a submission, completed from the settings. It has no launch, no dependencies and
    no fingerprint: those are the daemon's affair."""
    partition = submission.partition or settings.defaults.partition
    return Job(
        id=number,
        name=submission.name,
        user=user,
        uid=uid,
        submit_time=now,
        request=_in_partition(submission.request, settings.partitions.get(partition)),
        launch=Launch(argv=submission.argv, cwd=submission.cwd),
        array=_array(submission.array),
        priority=_priority(submission, settings, partition),
        nice=submission.nice,
        partition=partition,
        account=submission.account or default_account(settings, user),
        qos=submission.qos,
        reservation=submission.reservation,
        gang=submission.gang,
        profile=submission.profile,
        tags=submission.tags,
        comment=submission.comment,
        held="user" if submission.hold else "",
        begin=submission.begin,
        deadline=submission.deadline,
        grace=settings.defaults.grace if submission.grace is None else submission.grace,
        warn=submission.warn,
        checkpoint=submission.checkpoint,
        requeue=submission.requeue,
        retry=submission.retry,
        notify=submission.notify,
        model=submission.model,
    )


def _in_partition(request: Request, partition: PartitionSettings | None) -> Request:
    """The request with the time limit its partition gives to those that name none."""
    if partition is None or partition.default_time is None or request.time_limit is not None:
        return request
    return replace(request, time_limit=partition.default_time)


def _priority(submission: Submission, settings: Settings, partition: str) -> int:
    own = settings.defaults.priority if submission.priority is None else submission.priority
    return own + added_priority(settings, partition, submission.qos)


def added_priority(settings: Settings, partition: str, qos: str) -> int:
    """What a partition and a QOS add to the priority of a job of its own."""
    both = (settings.partitions.get(partition), settings.qos.get(qos))
    return sum(one.priority for one in both if one is not None)


def _array(text: str) -> Array | None:
    if not text:
        return None
    spec, percent, limit = text.partition("%")
    if percent and not (limit.isascii() and limit.isdigit() and 0 < int(limit) < 10**9):
        raise Wrong(
            f"array {quote(text)}: {quote(limit)} is no number of elements that may run at once",
            "after the % stands a number from 1 up",
        )
    return Array(indices=str(IndexSet.parse(spec)), throttle=int(limit) if percent else 0)


def admit_known(settings: Settings, account: str, qos: str) -> None:
    """Raise `Wrong` for an account or a QOS that there is not, where there are any."""
    for what, name, known in (
        ("account", account, settings.accounts),
        ("QOS", qos, settings.qos),
    ):
        if name and known and name not in known:
            near = nearest(name, known)
            hint = f"did you mean {near}? " if near else ""
            there = ", ".join(sorted(known))
            raise Wrong(f"there is no {what} {quote(name)}", f"{hint}there are: {there}"[:199])


def admit_limits(view: View, jobs: Iterable[Job]) -> None:
    """Raise `Wrong` for a job that can never start for a limit of its user, account, QOS or
    partition, and `NotYet` for one too many beside what waits and runs."""
    bounds = view.bounds
    if bounds is None:
        return
    throttle = bounds.throttle.copy()
    for job in jobs:
        claimant, count = bounds.claimant(job, job.request), len(elements_of(job))
        admit_never(view, job)
        if (now := throttle.admits(claimant, count)) is not None:
            raise NotYet(now.sentence, "submit it once some of them have ended")
        throttle.enter(claimant, count)


def admit_never(view: View, job: Job) -> None:
    """Raise `Wrong` for a job that can never start for a limit."""
    if view.bounds is not None and (never := view.bounds.never(view.room, job)) is not None:
        raise Wrong(never.sentence, "ask for no more than that")


def admit_gangs(view: View, jobs: Iterable[Job]) -> None:
    """Raise `Wrong` for one of these new jobs that can never start together with its gang."""
    before: dict[tuple[int, str], list[Job]] = {}
    for job in jobs:
        if job.gang is not None:
            mine = before.setdefault((job.uid, job.gang.name), [])
            admit_gang(view, job, [*view.queue.gates.gangs.members(job), *mine])
            mine.append(job)


def admit_gang(view: View, job: Job, waiting: Sequence[Job]) -> None:
    """Raise `Wrong` for a member of a gang that can never start together with those of it that
    wait, in their order."""
    admit_member(job, waiting, view.room)
    if view.bounds is None:
        return
    if (never := view.bounds.never(view.room, *company(job, waiting))) is not None:
        raise Wrong(never.sentence, LESS)
