"""What goes along with a job to a cluster behind ssh, and the directory it works in there."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from msgspec.structs import replace

from hpcshell.clusters.cluster import Cluster
from hpcshell.core.commands import Words
from hpcshell.core.errors import HpcError, NotYet, Wrong
from hpcshell.core.jobspec import JobSpec
from hpcshell.core.staging import target
from hpcshell.core.words import quote
from hpcshell.machine.link import LinkDown
from hpcshell.store.ledger.entries import Entry

WORK: Final = "work"
"""The directory within a job's own in which it works, where it has one."""
INPUT: Final = "input"
"""The file there with what it reads, where that came along."""
PAUSES: Final = (1.0, 4.0, 10.0)
"""Pauses before a transfer is gone on with whose connection broke."""

_ENTER: Final = 'cd -- "$1"'
_MAKE: Final = 'mkdir -p -- "$1"'

Pause = Callable[[float], None]
Made = TypeVar("Made")


def placed(spec: JobSpec, directory: str) -> JobSpec:
    """The job with what is its own below its directory on the cluster: the one it works in, and
    the file that it reads."""
    if not (spec.own or spec.input):
        return spec
    asked = spec.submission
    cwd = f"{directory}/{WORK}" if spec.own else asked.cwd
    stdin = f"{directory.replace('%', '%%')}/{INPUT}" if spec.input else asked.stdin
    return replace(spec, submission=replace(asked, cwd=cwd, stdin=stdin))


def send_along(cluster: Cluster, entry: Entry, pause: Pause) -> None:
    """See that there is a directory to work in, and put into it what goes along. Nothing of the
    job is left there if that fails."""
    if cluster.here:
        return
    try:
        _prepare(cluster, entry)
        for path in entry.spec.stage_in:
            local = os.path.join(entry.origin, path)
            remote = f"{entry.spec.submission.cwd}/{target(path)}"
            going_on(partial(cluster.link.put, local, remote), pause)
    except HpcError:
        _leave_nothing(cluster, entry)
        raise


def going_on(copy: Callable[[], Made], pause: Pause) -> Made:
    """Copies, and goes on with it a few times when the connection breaks."""
    for seconds in PAUSES:
        try:
            return copy()
        except LinkDown:
            pause(seconds)
    return copy()


def _prepare(cluster: Cluster, entry: Entry) -> None:
    cwd = entry.spec.submission.cwd
    if cwd == cluster.link.home():
        return
    script = _MAKE if entry.spec.own else _ENTER
    answer = cluster.say(Words(argv=("sh", "-c", script, "sh", cwd)))
    if answer.code is None:
        raise NotYet(f"{cluster.name} does not answer: {answer.said}", "try again later")
    if answer.code:
        raise Wrong(
            f"{cluster.name}: there is no directory {quote(cwd)} to run in, or it is closed to you",
            "make it there, or name another: --chdir DIR (see clusters.NAME.workdir)",
        )


def _leave_nothing(cluster: Cluster, entry: Entry) -> None:
    try:
        cluster.link.remove(entry.directory)
    except HpcError:
        return
