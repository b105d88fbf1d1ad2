"""The question and the answer of a decision: the policy, and the plan."""

from __future__ import annotations

from msgspec import field
from msgspec.structs import replace

from hpcshell.core.records import Claim, Job, Reason, Record, Share
from hpcshell.policy.holdings import Unit
from hpcshell.policy.room import Vector


class Policy(Record, frozen=True, kw_only=True):
    """How to decide. `promises`: how many are kept, None all; `depth`: how many elements one
    decision looks at that it cannot start.

    Not `backfill`: nobody passes the first in line that cannot start. `max_backfill_jobs`: how many
    elements behind that one a decision looks at that it cannot start either (what is called
    bf_max_job_test in Slurm, BACKFILLDEPTH in Maui); None: as many as `depth` allows. `window`: a
    start further away than so many seconds is not promised (bf_window). `resolution`: expected ends
    are rounded up to whole multiples of so many seconds (bf_resolution); 0: they are not.
    """

    promises: int | None = 1
    depth: int = 1000
    backfill: bool = True
    max_backfill_jobs: int | None = None
    window: float | None = None
    resolution: float = 0.0


class Start(Record, frozen=True, kw_only=True):
    """An element that is to start now, with what it is to hold; `end` is the latest instant it may
    run to. `reservation`: it runs in what that sets apart. `cores`, `nodes`, `shared`: as in
    `Claim`."""

    job: int
    index: int
    cpus: int
    memory: int = 0
    gpus: tuple[int, ...] = ()
    others: dict[str, int] = field(default_factory=dict)
    exclusive: bool = False
    end: float | None = None
    reservation: str = ""
    cores: tuple[int, ...] = ()
    nodes: tuple[Share, ...] = ()
    shared: tuple[tuple[int, int], ...] = ()

    def claim(self, run: int, now: float) -> Claim:
        """What the run `run` of it holds."""
        return Claim(
            run=run,
            job=self.job,
            index=self.index,
            cpus=self.cpus,
            memory=self.memory,
            gpus=self.gpus,
            others=self.others,
            exclusive=self.exclusive,
            start=now,
            end=self.end,
            reservation=self.reservation,
            cores=self.cores,
            nodes=self.nodes,
            shared=self.shared,
        )


def held_to(job: Job, claim: Claim) -> Claim:
    """The claim, over by the job's deadline."""
    if job.deadline is None or (claim.end is not None and claim.end <= job.deadline):
        return claim
    return replace(claim, end=job.deadline)


class Preempt(Record, frozen=True, kw_only=True):
    """A run that is to make room for an element, and how."""

    run: int
    mode: str
    job: int
    index: int
    cause: str


class Plan(Record, frozen=True, kw_only=True):
    """The answer. `promises`: no later than then (`inf`: once runs without a time limit have
    ended), and on several nodes `spots`: what of them. `resumes`: the suspended runs that go on
    now. `preempts`: runs that are to make room; once they have, ask again.

    `reasons` is filled by `forecast` alone. Not `complete`: `depth` was reached and what comes
    later in the order was not looked at; the same question would get the same answer until the
    view changes. `next_wake`: when time alone may change the answer, None never.
    """

    starts: list[Start]
    resumes: list[int] = field(default_factory=list)
    preempts: list[Preempt] = field(default_factory=list)
    promises: dict[Unit, float] = field(default_factory=dict)
    spots: dict[Unit, Vector] = field(default_factory=dict)
    reasons: dict[Unit, Reason] = field(default_factory=dict)
    complete: bool = True
    next_wake: float | None = None
