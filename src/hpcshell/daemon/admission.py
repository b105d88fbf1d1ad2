"""From a submission to a job: checked again (clients are not trusted), completed from the
settings."""

from __future__ import annotations

import hashlib
import os
import pwd
from functools import lru_cache
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from hpcshell.core.addresses import check_mail, check_webhook
from hpcshell.core.errors import Refused, Wrong
from hpcshell.core.handed import check_arguments, check_variables
from hpcshell.core.records import Job, Launch, Notify
from hpcshell.core.settings import Settings
from hpcshell.core.submission import Submission
from hpcshell.core.words import name_from, quote
from hpcshell.daemon.allowing import check_script
from hpcshell.daemon.bounds import check_figures, check_texts
from hpcshell.daemon.engine import Engine
from hpcshell.daemon.finding import resolve_dependencies
from hpcshell.daemon.server import Peer
from hpcshell.machine.session.words import PROGRAMS, installed
from hpcshell.policy.admit import admit, admit_times
from hpcshell.policy.booking import admit_into
from hpcshell.policy.cards import settled
from hpcshell.policy.entrance import admit_known, job_from
from hpcshell.store.change import blob_key

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
        check_variables(submission.env)
    check_script(submission, settings.security.allowed_script_paths)
    user = user_name(peer.uid)
    job = job_from(submission, settings, number=job_id, user=user, uid=peer.uid, now=now)
    host = engine.host
    job = replace(job, request=settled(job.request, host.node))
    admit(job.request, host.total, settings, job.partition, host.node)
    admit_known(settings, submission.account, submission.qos)
    admit_times(job.begin, job.deadline, job.request.time_limit, now)
    _check_notify(submission.notify, settings)
    job = replace(
        job,
        name=job.name or _name_of(submission),
        launch=_launch(submission, parts),
        dependencies=resolve_dependencies(engine, submission, peer.uid, job_id),
        unique=_unique(engine, submission, peer),
    )
    admit_into(job, engine.view.book, engine.view.room, now)
    return job


def _unique(engine: Engine, submission: Submission, peer: Peer) -> str:
    """The fingerprint of a submission that is to be the only one of its kind. Raises `Refused`
    where it is not."""
    unique = fingerprint(submission) if submission.unique else ""
    if unique and (twins := engine.unique.get((peer.uid, unique))):
        twin = min(twins)
        raise Refused(
            f"job {twin} is the same submission and has not ended",
            f"see: hpc show {twin}; leave out --unique to run it again",
        )
    return unique


def _check_notify(notify: Notify | None, settings: Settings) -> None:
    if notify is not None and notify.mail:
        check_mail(notify.mail)
    if notify is not None and notify.webhook:
        check_webhook(notify.webhook, private=settings.notify.webhook_private)


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
    return name_from(os.path.basename(submission.argv[0])) or "job"


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
        submission.guarded,
    )
    if any("\0" in text for text in texts):
        raise Wrong("a NUL byte cannot be part of a command or path", "leave it out")
    check_arguments(submission.argv)


def _session(submission: Submission) -> str:
    """The program that is to show it. Raises `Refused` where there is none."""
    asked, env = submission.session, submission.env
    if not asked:
        return ""
    found = next((each for each in PROGRAMS if asked in (each, "any") and installed(each, env)), "")
    if found:
        return found
    if asked not in (*PROGRAMS, "any"):
        raise Wrong(f"{quote(asked)} shows no sessions", "there are screen and tmux")
    lacking = "neither GNU screen nor tmux is" if asked == "any" else f"{asked} is not"
    package = "screen" if asked == "any" else asked
    raise Refused(
        f"{lacking} installed, or not in the job's PATH",
        f"install the package {package} (apt-get install {package}), or leave out --screen",
    )


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
        session=_session(submission),
        guarded=submission.guarded,
        rewrite_cuda=submission.rewrite_cuda,
    )
