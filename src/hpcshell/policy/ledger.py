"""What users have used and hold: the shares, charged while runs go on and when they end.

The view tells it of runs, so that daemon and simulator charge alike. What a run uses counts from
its start, less the time it stood still; `settle` charges what runs have used by now, so that a
long one counts before it ends.

    ledger = Ledger(FairShare(associations, half_life))
    ledger.began(claim, user, account)      also of one found running: counts from `settled` on
    ledger.changed(claim)                   suspended, resumed, or with other amounts
    ledger.ended(run, at)
    ledger.settle(now)                      then `shares`, `factor` and `held` are as of now
"""

from __future__ import annotations

from collections.abc import Mapping

from hpcshell.core.records import Claim
from hpcshell.policy.fairshare import INSTANT, FairShare, Key


class Held:
    """A run that goes on. `charged`: for so many seconds of it its user has been charged."""

    __slots__ = ("account", "charged", "claim", "user")

    def __init__(self, claim: Claim, user: str, account: str, charged: float) -> None:
        self.claim = claim
        self.user = user
        self.account = account
        self.charged = charged


class Ledger:
    """See the module. `tree`: factors by the Fair Tree algorithm instead of the classic one, as of
    the last `settle`. `settled`: up to then everything is charged."""

    def __init__(self, shares: FairShare, *, tree: bool = False) -> None:
        self.shares = shares
        self.settled = shares.now
        self._tree = tree
        self._ranked: dict[Key, float] = {}
        self._runs: dict[int, Held] = {}
        self._holds: dict[str, tuple[int, int]] = {}

    def restore(self, state: Mapping[str, float]) -> None:
        """Take back what `state` gave. Raises `Broken` for what it never gives."""
        self.shares.restore(state)
        self.settled = self.shares.now
        self._rank()

    def state(self, now: float) -> dict[str, float]:
        """What is charged by now, to be kept: however little is left of it, as factors go by what
        all have used of all that was used. Who has used nothing is left out."""
        self.settle(now)
        kept = self.shares.state().items()
        return {name: value for name, value in kept if value > 0 or name == INSTANT}

    # -- runs --------------------------------------------------------------------------------------

    def began(self, claim: Claim, user: str, account: str) -> None:
        """The run holds this."""
        self._runs[claim.run] = Held(claim, user, account, used(claim, self.settled))
        self._count(user, claim, 1)

    def changed(self, claim: Claim) -> None:
        """It holds this instead."""
        held = self._runs.get(claim.run)
        if held is not None:
            self._count(held.user, held.claim, -1)
            held.claim = claim
            self._count(held.user, claim, 1)

    def ended(self, run: int, at: float) -> None:
        """It is over."""
        held = self._runs.pop(run, None)
        if held is not None:
            self._charge(held, at)
            self._count(held.user, held.claim, -1)

    def settle(self, now: float) -> None:
        """Charge what all runs have used by now."""
        self.shares.advance(now)
        self.settled = max(self.settled, now)
        for held in self._runs.values():
            self._charge(held, now)
        self._rank()

    def _charge(self, held: Held, at: float) -> None:
        seconds = used(held.claim, at)
        if seconds > held.charged:
            amount = (seconds - held.charged) * held.claim.cpus
            self.shares.charge(held.user, held.account, amount, at)
            held.charged = seconds

    # -- standing ----------------------------------------------------------------------------------

    def factor(self, user: str, account: str) -> float:
        """From 1 (has used nothing) down to 0."""
        if self._tree:
            return self._ranked.get(self.shares.key(user, account), 1.0)
        return self.shares.factor(user, account)

    def held(self, user: str) -> tuple[int, int]:
        """The cpus and the bytes that the user's runs hold."""
        return self._holds.get(user, (0, 0))

    def _rank(self) -> None:
        if self._tree:
            self._ranked = self.shares.fair_tree()

    def _count(self, user: str, claim: Claim, sign: int) -> None:
        cpus, memory = self._holds.get(user, (0, 0))
        cpus += sign * (claim.cpus if claim.suspended is None else 0)
        memory += sign * claim.memory
        if cpus or memory:
            self._holds[user] = (cpus, memory)
        else:
            self._holds.pop(user, None)


def used(claim: Claim, at: float) -> float:
    """For how many seconds the run has used its cpus by that instant."""
    stop = at if claim.suspended is None else min(at, claim.suspended)
    return max(0.0, stop - claim.start - claim.paused)
