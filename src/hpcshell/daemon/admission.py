"""From a submission to a job: checked again (clients are not trusted), completed from the
settings."""

from __future__ import annotations

import hashlib
import os
import pwd
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from hpcshell.core.addresses import check_mail, check_webhook
from hpcshell.core.errors import NotYet, Refused, Wrong
from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import Array, Job, Launch, Notify, Request
from hpcshell.core.settings import PartitionSettings, Settings
from hpcshell.core.submission import Submission
from hpcshell.core.words import LONGEST_NAME, nearest, quote, safe
from hpcshell.daemon.bounds import check_figures, check_texts
from hpcshell.daemon.engine import Engine
from hpcshell.daemon.finding import resolve_dependencies
from hpcshell.daemon.server import Peer
from hpcshell.policy.admit import admit, admit_times
from hpcshell.policy.booking import admit_into
from hpcshell.policy.choice import default_account
from hpcshell.policy.gang import LESS, admit_member, company
from hpcshell.store.change import blob_key
from hpcshell.store.rows import indices_of

ENV_LIMIT: Final = 4 * 1024 * 1024
ARG_LIMIT: Final = 128 * 1024 - 1
ARGS_LIMIT: Final = 6 * 1024 * 1024
ARG_COST: Final = 9
"""Bytes of an argument beyond its text: the NUL and a pointer."""
_encode = msgspec.json.Encoder(order="sorted").encode


class Stored(NamedTuple):
    """A submission's environment and script as they are stored, and their keys."""

    env: bytes
    env_key: str
    script_key: str


def stored_parts(submission: Submission) -> Stored:
    """What of a submission is shared with equal ones."""
    env = _encode(submission.env)
    script = submission.script
    return Stored(env, blob_key(env), "" if script is None else blob_key(script))


def job_of(
    engine: Engine, submission: Submission, parts: Stored, peer: Peer, job_id: int, now: float
) -> Job:
    """The job this submission becomes. Nothing is written. Raises `Wrong`, `NotFound` or
    `Refused`."""
    settings = engine.host.settings
    _check_launch(submission)
    check_figures(submission)
    check_texts(submission)
    if parts.env_key not in engine.store.blobs:  # what is stored has been checked
        _check_environment(submission.env)
    partition = submission.partition or settings.defaults.partition
    request = _in_partition(submission.request, settings.partitions.get(partition))
    admit(request, engine.host.total, settings, partition)
    check_known(settings, submission.account, submission.qos)
    admit_times(submission.begin, submission.deadline, request.time_limit, now)
    _check_notify(submission.notify, settings)
    name = submission.name or _name_of(submission)
    unique = fingerprint(submission) if submission.unique else ""
    if unique and (twins := engine.unique.get((peer.uid, unique))):
        twin = min(twins)
        raise Refused(
            f"job {twin} is the same submission and has not ended",
            f"see: hpc show {twin}; leave out --unique to run it again",
        )
    user = user_name(peer.uid)
    job = Job(
        id=job_id,
        name=name,
        user=user,
        uid=peer.uid,
        submit_time=now,
        request=request,
        launch=_launch(submission, parts),
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
        dependencies=resolve_dependencies(engine, submission, peer.uid, job_id),
        notify=submission.notify,
        unique=unique,
    )
    admit_into(job, engine.view.book, engine.view.room, now)
    return job


def _check_notify(notify: Notify | None, settings: Settings) -> None:
    if notify is not None and notify.mail:
        check_mail(notify.mail)
    if notify is not None and notify.webhook:
        check_webhook(notify.webhook, private=settings.notify.webhook_private)


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


def check_known(settings: Settings, account: str, qos: str) -> None:
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


def check_limits(engine: Engine, jobs: Iterable[Job]) -> None:
    """Raise `Wrong` for a job that can never start for a limit of its user, account, QOS or
    partition, and `NotYet` for one too many beside what waits and runs."""
    bounds = engine.view.bounds
    if bounds is None:
        return
    throttle = bounds.throttle.copy()
    for job in jobs:
        claimant, count = bounds.claimant(job, job.request), len(indices_of(job))
        check_never(engine, job)
        if (now := throttle.admits(claimant, count)) is not None:
            raise NotYet(now.sentence, "submit it once some of them have ended")
        throttle.enter(claimant, count)


def check_never(engine: Engine, job: Job) -> None:
    """Raise `Wrong` for a job that can never start for a limit."""
    view = engine.view
    if view.bounds is not None and (never := view.bounds.never(view.room, job)) is not None:
        raise Wrong(never.sentence, "ask for no more than that")


def check_gangs(engine: Engine, jobs: Iterable[Job]) -> None:
    """Raise `Wrong` for one of these new jobs that can never start together with its gang."""
    before: dict[tuple[int, str], list[Job]] = {}
    for job in jobs:
        if job.gang is not None:
            mine = before.setdefault((job.uid, job.gang.name), [])
            check_gang(engine, job, [*engine.view.queue.gates.gangs.members(job), *mine])
            mine.append(job)


def check_gang(engine: Engine, job: Job, waiting: Sequence[Job]) -> None:
    """Raise `Wrong` for a member of a gang that can never start together with those of it that
    wait, in their order."""
    view = engine.view
    admit_member(job, waiting, view.room)
    if view.bounds is None:
        return
    if (never := view.bounds.never(view.room, *company(job, waiting))) is not None:
        raise Wrong(never.sentence, LESS)


@lru_cache(maxsize=256)
def user_name(uid: int) -> str:
    """The login name, or the number of a user who has been removed."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def is_user(name: str) -> bool:
    """Whether somebody has that login name."""
    try:
        pwd.getpwnam(name)
    except (KeyError, UnicodeEncodeError):
        return False
    return True


def fingerprint(submission: Submission) -> str:
    """What makes two submissions the same: script, arguments, directory and request."""
    same = (
        submission.argv,
        submission.script,
        submission.cwd,
        submission.request,
        submission.array,
    )
    return hashlib.blake2b(_encode(same), digest_size=16).hexdigest()


def _name_of(submission: Submission) -> str:
    """A file's name may be what no job's may: control bytes are written out."""
    word = safe(os.path.basename(submission.argv[0])).encode()[:LONGEST_NAME]
    return word.decode(errors="ignore").strip() or "job"


def _check_launch(submission: Submission) -> None:
    if not submission.argv or not submission.argv[0]:
        raise Wrong("nothing to run", "give a script, or a command after --")
    if not os.path.isabs(submission.cwd):
        raise Wrong(
            f"working directory {quote(submission.cwd)} is not an absolute path",
            "begin it with a slash",
        )
    texts = (
        *submission.argv,
        submission.cwd,
        submission.stdout,
        submission.stderr,
        submission.stdin,
    )
    if any("\0" in text for text in texts):
        raise Wrong("a NUL byte cannot be part of a command or path", "leave it out")
    if max(map(len, submission.argv)) > ARG_LIMIT:
        raise Wrong("an argument is longer than the kernel's 128 KiB", "pass it in a file")
    if sum(map(len, submission.argv)) + len(submission.argv) * ARG_COST > ARGS_LIMIT:
        raise Wrong("the arguments are longer than the kernel's 6 MiB", "pass them in a file")


def _check_environment(env: dict[str, str]) -> None:
    size = 0
    for key, value in env.items():
        if not key or "=" in key or "\0" in key or "\0" in value:
            raise Wrong(
                f"environment variable {quote(key)} cannot exist", "unset it before submitting"
            )
        if len(key) + len(value) >= ARG_LIMIT:
            raise Wrong(
                f"environment variable {quote(key)} is longer than the kernel's 128 KiB",
                "unset it, or submit with --export=NONE",
            )
        size += len(key) + len(value) + 2
    if size > ENV_LIMIT:
        raise Wrong(
            f"the environment has {size:,} bytes", "submit with --export=NONE or name variables"
        )


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


def _launch(submission: Submission, parts: Stored) -> Launch:
    return Launch(
        argv=submission.argv,
        cwd=submission.cwd,
        env=parts.env_key,
        script=parts.script_key,
        umask=submission.umask,
        stdin=submission.stdin,
        stdout=submission.stdout,
        stderr=submission.stderr,
        append=submission.append,
    )
