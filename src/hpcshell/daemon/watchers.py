"""Those who wait: for jobs to end, and for events. They are told after the commit, never asked to
poll."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hpcshell.core.errors import NotFound
from hpcshell.core.lifecycle import word
from hpcshell.core.records import NO_INDEX, State, Task
from hpcshell.daemon.engine import Engine
from hpcshell.daemon.server import Peer

Target = tuple[int, int | None]
"""A job, or one of its elements."""


def done_line(task: Task) -> dict[str, Any]:
    """How one element ended, as `wait` reports it."""
    return {
        "id": task.job,
        "element": None if task.index < 0 else task.index,
        "state": word(task),
        "exit_code": task.exit_code,
        "signal": task.signal,
        "reason": task.cause or None,
    }


class Wait:
    """One pending `wait`: what it still waits for, and what has ended already."""

    __slots__ = ("any", "ask", "done", "jobs", "over", "peer", "pending")

    def __init__(self, peer: Peer, ask: int, *, any_one: bool) -> None:
        self.peer = peer
        self.ask = ask
        self.any = any_one
        self.pending: set[Target] = set()
        self.jobs: frozenset[int] = frozenset()
        """Of whose events it is to be told."""
        self.done: list[dict[str, Any]] = []
        self.over = False

    def answer(self, *, timed_out: bool = False) -> None:
        """Tell the client, once."""
        if self.over or self.peer.closed:
            return
        self.over = True
        self.peer.answer(self.ask, self.report(timed_out=timed_out))

    def report(self, *, timed_out: bool = False) -> dict[str, Any]:
        pending = [{"id": job, "element": index} for job, index in sorted(self.pending, key=str)]
        return {"done": self.done, "pending": pending, "timed_out": timed_out}

    @property
    def satisfied(self) -> bool:
        return not self.pending or (self.any and bool(self.done))


class Follower:
    """One listener of the event stream, for some jobs or all."""

    __slots__ = ("ask", "cursor", "jobs", "peer")

    def __init__(self, peer: Peer, ask: int, jobs: frozenset[int] | None, cursor: int) -> None:
        self.peer = peer
        self.ask = ask
        self.jobs = jobs
        self.cursor = cursor
        """What it has been told of up to here already."""

    def wants(self, line: dict[str, Any]) -> bool:
        return line["seq"] > self.cursor and (self.jobs is None or line["job"] in self.jobs)


class Watchers:
    """Everybody who waits, found by the job they wait for."""

    def __init__(self, alarm: Callable[[float, Callable[[], None]], None]) -> None:
        self.alarm = alarm
        self.waits: dict[int, list[Wait]] = {}
        self.followers: list[Follower] = []

    def wait(self, wait: Wait, timeout: float | None) -> None:
        """Keep a wait until it is satisfied, times out, or its client leaves."""
        wait.jobs = frozenset(job for job, _ in wait.pending)
        for job in wait.jobs:
            self.waits.setdefault(job, []).append(wait)
        if timeout is not None:
            self.alarm(timeout, lambda: self._time_out(wait))
        wait.peer.gone[wait.ask] = lambda: self._forget(wait)

    def follow(self, follower: Follower) -> None:
        """Keep a listener until it leaves."""
        self.followers.append(follower)
        follower.peer.gone[follower.ask] = lambda: self.followers.remove(follower)

    def look(self, engine: Engine) -> None:
        """After a commit: tell the news to those who listen, and ends to those who wait."""
        news, engine.news = engine.news, []
        for follower in self.followers:
            for line in news:
                if follower.wants(line):
                    follower.peer.tell(follower.ask, line)
        if not self.waits:
            return
        for job in {line["job"] for line in news if line["job"] in self.waits}:
            for wait in list(self.waits.get(job, ())):
                self._look_at(engine, job, wait)

    def _look_at(self, engine: Engine, job: int, wait: Wait) -> None:
        for target in [target for target in wait.pending if target[0] == job]:
            line = end_of(engine, target)
            if line is not None:
                wait.pending.discard(target)
                wait.done.append(line)
        if wait.satisfied:
            wait.answer()
            self._forget(wait)

    def _time_out(self, wait: Wait) -> None:
        if not wait.over:
            wait.answer(timed_out=True)
            self._forget(wait)

    def _forget(self, wait: Wait) -> None:
        wait.over = True
        wait.peer.gone.pop(wait.ask, None)
        for job in wait.jobs:
            waits = self.waits.get(job)
            if waits is not None and wait in waits:
                waits.remove(wait)
                if not waits:
                    del self.waits[job]


def end_of(engine: Engine, target: Target) -> dict[str, Any] | None:
    """How a job or element has ended, or None while it has not. Raises `NotFound` for strangers."""
    job_id, index = target
    live = engine.live.get(job_id)
    if live is not None:
        if index is None or index in live.waiting or index in live.tasks:
            return None
    elif index is None:
        return _end_of_job(engine, job_id)
    task = engine.store.task(job_id, NO_INDEX if index is None else index)
    return done_line(task) if task is not None and task.state is State.ENDED else None


def _end_of_job(engine: Engine, job_id: int) -> dict[str, Any]:
    stored = engine.store.job(job_id)
    if stored is None or stored.summary is None:
        raise NotFound(f"there is no job {job_id} any more", "it was purged from the history")
    summary = stored.summary
    return {
        "id": job_id,
        "element": None,
        "state": summary.outcome.value,
        "exit_code": summary.exit_code,
        "signal": summary.signal,
        "reason": summary.cause or None,
        "counts": summary.counts,
    }
