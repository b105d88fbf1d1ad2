"""What runs hold of the machine: the part of the view that knows no queue."""

from __future__ import annotations

from hpcshell.core.records import Claim, Resources
from hpcshell.policy.cluster import Cluster
from hpcshell.policy.ledger import Ledger
from hpcshell.policy.outlook import Outlook
from hpcshell.policy.place.nodes import NodeState
from hpcshell.policy.regime import Foresight
from hpcshell.policy.reserve import Book, Inside
from hpcshell.policy.room import Room, Vector, fits, minus

Unit = tuple[int, int]
"""(job id, index): one element."""


class Holdings:
    """`promised`: when elements are to begin, or to go on, at the latest; `spots`: and
    what of several nodes they are to take. `waking`: suspended runs
    that are to go on as soon as it is their turn and there is room. `book`: the reservations;
    `pools`: in which of them a run is. `since`: when a run that was suspended last
    went on; `leaving`: runs that are being ended, and until when;
    `checkpoints`: until when the work of a run is safe. `closed`: why nothing new starts ("": it
    does)."""

    def __init__(self, room: Room, foresight: Foresight, ledger: Ledger | None = None) -> None:
        self.room = room
        self.ledger = ledger
        self.outlook = Outlook(foresight)
        self.book = Book(self.room)
        self.pools: dict[int, str] = {}
        self.promised: dict[Unit, float] = {}
        self.spots: dict[Unit, Vector] = {}
        self.waking: set[int] = set()
        self.since: dict[int, float] = {}
        self.leaving: dict[int, float] = {}
        self.checkpoints: dict[int, float] = {}
        self.closed = ""

    @property
    def total(self) -> Resources:
        return self.room.total

    @property
    def free(self) -> Resources:
        """What is not held; nothing below zero, even when the machine shrank under its runs."""
        return self.room.resources(self.room.free)

    @property
    def used(self) -> Resources:
        """What is held."""
        return self.room.resources(minus(self.room.size, self.room.free))

    @property
    def claims(self) -> dict[int, Claim]:
        """What each run holds, by run id."""
        return self.room.claims

    def ends(self) -> list[tuple[float | None, Vector]]:
        """When each run is expected to end, and what will be free then; of one that is suspended
        nobody knows."""
        held = self.room.held
        return [(self.end_of(claim), held[run]) for run, claim in self.claims.items()]

    def end_of(self, claim: Claim) -> float | None:
        """When a run is expected to have ended; None: nobody knows."""
        until = self.leaving.get(claim.run)
        return self.outlook.end_of(claim) if until is None else until

    def inside(self) -> list[Inside]:
        """Every run with the reservation that it is in."""
        held, pools = self.room.held, self.pools
        return [
            Inside(pools.get(run, ""), held[run], self.end_of(claim))
            for run, claim in self.claims.items()
        ]

    def change(self, claim: Claim) -> None:
        """A run that holds something already holds this instead, on the same gpus."""
        self.room.change(claim)
        self._noted(claim)

    def _noted(self, claim: Claim) -> None:
        """Tell those who count what runs hold."""
        self.outlook.changed(claim)
        if self.ledger is not None:
            self.ledger.changed(claim)

    def set_node(self, name: str, state: NodeState) -> None:
        """One of several nodes takes new work, or none any more; what it runs runs on."""
        assert isinstance(self.room, Cluster), "there are several nodes"
        self.room.set_state(name, state)
        self.room.reshaped()
        self.promised = {}

    def on_since(self, claim: Claim) -> float:
        """Since when a run has been running without a break."""
        return self.since.get(claim.run, claim.start)

    def leave(self, run: int, until: float) -> None:
        """The run is being ended, and will have by then."""
        self.leaving[run] = until

    def set_apart(self, run: int) -> bool:
        """Whether it runs in what a reservation sets apart."""
        return self.pools.get(run) in self.book.known

    def checkpointed(self, run: int, time: float) -> None:
        """What the run has done until then is safe."""
        self.checkpoints[run] = time

    def suspend(self, run: int, now: float) -> Claim:
        """The run stands still: its cpus are free, the rest stays held. What it holds now."""
        self.waking.discard(run)
        claim = self.room.suspend(run, now)
        self._noted(claim)
        return claim

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
        self.since[run] = now
        self._noted(claim)
        self.promised.pop((claim.job, claim.index), None)
        return claim


def close_cards(
    view: Holdings, cards: dict[int, str], burdens: dict[int, int] | None = None
) -> None:
    """These cards take no new work, each for its reason, and all others do; what runs on them runs
    on. `burdens`: hundredths of cards that strangers hold."""
    burdens = burdens or {}
    if cards.keys() != view.room.closed.keys() or burdens != view.room.burdens:
        view.promised = {}
    view.room.close(cards, burdens)
