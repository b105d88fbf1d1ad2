"""What runs hold of the machine: the part of the view that knows no queue."""

from __future__ import annotations

from hpcshell.core.records import Claim, Resources
from hpcshell.policy.room import Room, fits

Unit = tuple[int, int]
"""(job id, index): one element."""


class Holdings:
    """`promised`: when elements are to begin, or to go on, at the latest. `waking`: suspended runs
    that are to go on as soon as it is their turn and there is room."""

    def __init__(self, total: Resources) -> None:
        self.room = Room(total)
        self.promised: dict[Unit, float] = {}
        self.waking: set[int] = set()

    @property
    def total(self) -> Resources:
        return self.room.total

    @property
    def free(self) -> Resources:
        """What is not held; nothing below zero, even when the machine shrank under its runs."""
        return self.room.resources(self.room.free)

    @property
    def claims(self) -> dict[int, Claim]:
        """What each run holds, by run id."""
        return self.room.claims

    def change(self, claim: Claim) -> None:
        """A run that holds something already holds this instead, on the same gpus."""
        self.room.change(claim)

    def suspend(self, run: int, now: float) -> Claim:
        """The run stands still: its cpus are free, the rest stays held. What it holds now."""
        self.waking.discard(run)
        return self.room.suspend(run, now)

    def wake(self, run: int) -> None:
        """A suspended run is to go on as soon as it is its turn."""
        self.waking.add(run)

    def sleep(self, run: int) -> None:
        """It is to stay suspended after all."""
        self.waking.discard(run)

    def may_resume(self, run: int) -> bool:
        """Whether everything that a suspended run needs to go on is free."""
        return fits(self.room.to_go_on(run), self.room.free)

    def resume(self, run: int, now: float) -> Claim:
        """The suspended run goes on, for as long as it might have when it was suspended. What it
        holds now."""
        self.waking.discard(run)
        claim = self.room.resume(run, now)
        self.promised.pop((claim.job, claim.index), None)
        return claim
