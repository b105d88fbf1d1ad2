"""Who has to make room for whom: the cheapest runs that, together, let the first in line start.

Only the first in line may preempt, and only if it then starts: all that it lacks must come free,
for as long as it is expected to run, beside whatever is set apart. What is being ended for it
already counts as coming free, so nobody is ended twice for the same. As in Slurm, a right comes
from the QOS, from the tier of the partition, or from the difference in priority, and a run is safe
until it has run for `exempt` seconds.

Nobody makes room for what goes after it in the line: it would only take its place again. So a right
is worth something where the line puts those who have it first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hpcshell.core.errors import Wrong
from hpcshell.core.records import Claim, Job, Record
from hpcshell.policy.holdings import Unit
from hpcshell.policy.line import Entry, Shape
from hpcshell.policy.plan import Preempt
from hpcshell.policy.profile import Profile, rounded
from hpcshell.policy.room import Vector, fits, minus, plus
from hpcshell.policy.setapart import coming, stock_of
from hpcshell.policy.spots import spot_for
from hpcshell.policy.view import View, safe_until, turn_ends

MODES: Final = ("suspend", "requeue", "cancel")
"""What is done to whoever has to make room, gentlest first."""


class Rights(Record, frozen=True, kw_only=True):
    """Who may preempt whom. `qos` and `partitions`: name -> names of those it preempts; `tiers`:
    partition -> tier, of which the higher preempts the lower; `gap`: how much higher a priority
    must be, None: priority gives no right. `modes`: of a QOS or `partition/NAME`, how its own runs
    make room; else `mode`. `exempt`: seconds for which a run is safe, `exempts`: of a QOS.

    Raises `Wrong` for a mode that does not exist.
    """

    qos: Mapping[str, tuple[str, ...]] = {}
    tiers: Mapping[str, int] = {}
    gap: int | None = None
    mode: str = "requeue"
    modes: Mapping[str, str] = {}
    exempt: float = 0.0
    exempts: Mapping[str, float] = {}

    def __post_init__(self) -> None:
        for mode in (self.mode, *self.modes.values()):
            if mode not in (*MODES, "off"):
                raise Wrong(f"preemption mode {mode!r}", f"there are {', '.join(MODES)} and off")

    def mode_of(self, maker: Job, victim: Job) -> str:
        """How `victim` makes room for `maker`; "" when it need not."""
        if maker.id == victim.id or not self._outranks(maker, victim):
            return ""
        mode = self._mode_for(victim)
        return "cancel" if mode == "requeue" and not victim.requeue else mode

    def reach(self, victim: Job) -> bool:
        """Whether there is any that could preempt it, by what is told of QOS, tiers and gap."""
        if not self._mode_for(victim):
            return False
        tier = self.tiers.get(victim.partition)
        above = tier is not None and tier < max(self.tiers.values())
        below = any(victim.qos in names for names in self.qos.values())
        return above or below or self.gap is not None

    def _mode_for(self, victim: Job) -> str:
        mode = self.modes.get(victim.qos) or self.modes.get(f"partition/{victim.partition}")
        mode = mode or self.mode
        return "" if mode == "off" else mode

    def _outranks(self, maker: Job, victim: Job) -> bool:
        if victim.qos in self.qos.get(maker.qos, ()):
            return True
        above, below = self.tiers.get(maker.partition), self.tiers.get(victim.partition)
        if above is not None and below is not None and above > below:
            return True
        return self.gap is not None and maker.priority - victim.priority >= self.gap


class Candidate(Record, frozen=True, kw_only=True):
    """A run that could make room: what comes free, and what that costs in cpu-seconds of work."""

    claim: Claim
    mode: str
    frees: Vector
    cost: float


def preempts(view: View, unit: Unit, shape: Shape, profile: Profile, now: float) -> list[Preempt]:
    """What has to make room now for the first in line; nothing if that would not let it start, or
    if enough is coming free for it already. `profile`: in which it has to fit, of what nothing is
    set apart of; what runs in a reservation would make room for others there."""
    entry, need = view.entry(unit[0]), shape.need
    if entry is None or need is None:
        return []
    free = plus(stock_of(view, shape, now).free, coming(view))
    if shape.taken(free) is not None:
        return []
    candidates = _candidates(view, entry, now)
    chosen = _cheapest(candidates, shape, need, free)
    if not chosen or not _starts_then(view, chosen, shape, profile, now):
        return []
    cause = f"makes room for job {unit[0]}" + ("" if unit[1] < 0 else f"_{unit[1]}")
    return [
        Preempt(run=one.claim.run, mode=one.mode, job=unit[0], index=unit[1], cause=cause)
        for one in _with_their_gangs(view, chosen, candidates)
    ]


def _candidates(view: View, entry: Entry, now: float) -> list[Candidate]:
    """All runs that the job may preempt, cheapest first."""
    found = []
    for run, claim in view.claims.items():
        victim = view.entry(claim.job)
        if victim is None or run in view.leaving or claim.suspended is not None:
            continue
        if view.set_apart(run):
            continue
        mode = _mode(view, entry, victim, claim, now)
        if mode == "suspend":
            frees, cost = view.room.to_give(run), view.on_since(claim) - now
        elif mode:
            frees, cost = view.room.held[run], _lost(view, claim, now)
        else:
            continue
        found.append(Candidate(claim=claim, mode=mode, frees=frees, cost=cost))
    return sorted(found, key=lambda one: (MODES.index(one.mode), one.cost, -one.claim.run))


def _mode(view: View, first: Entry, runs: Entry, claim: Claim, now: float) -> str:
    """How a run is to make room for the first in line; "" if it need not.

    None makes room by right that goes before it: back in the line, it would be first to have it.
    """
    rights, sharing = view.queue.regime.rights, view.queue.regime.sharing
    maker, victim = first.job, runs.job
    before = (first.rank, maker.id) < (runs.rank, victim.id)
    if rights is not None and before and now >= safe_until(view, claim):
        mode = rights.mode_of(maker, victim)
        if mode:
            return mode
    if sharing is not None and sharing.shares(maker):
        over = now >= turn_ends(view, claim)
        behind = first.rank < sharing.later(victim, runs.rank, now)  # else it would go on at once
        return "suspend" if over and behind and victim.priority <= maker.priority else ""
    return ""


def _with_their_gangs(
    view: View, chosen: list[Candidate], candidates: list[Candidate]
) -> list[Candidate]:
    """Who is to stand still, with all others of its gang: they run together or not at all."""
    gangs = {_gang(view, one) for one in chosen if one.mode == "suspend"} - {None}
    others = (one for one in candidates if one not in chosen and _gang(view, one) in gangs)
    return [*chosen, *others]


def _gang(view: View, one: Candidate) -> tuple[int, str] | None:
    job = view.queue.jobs[one.claim.job].job
    return None if job.gang is None else (job.uid, job.gang.name)


def _lost(view: View, claim: Claim, now: float) -> float:
    """The work that ending the run throws away: all since its last checkpoint."""
    since = max(claim.start + claim.paused, view.checkpoints.get(claim.run, 0.0))
    return claim.cpus * max(0.0, now - since)


def _cheapest(
    candidates: list[Candidate], shape: Shape, need: Vector, free: Vector
) -> list[Candidate]:
    """The first that together free enough, less those that are not needed; none if all do not."""
    chosen: list[Candidate] = []
    for one in candidates:
        if shape.taken(free) is not None:
            break
        helps = any(n > max(0, f) and g for n, f, g in zip(need, free, one.frees, strict=False))
        if helps or fits(need, free):  # else it is not all in one place yet
            chosen.append(one)
            free = plus(free, one.frees)
    if shape.taken(free) is None:
        return []
    for one in reversed(chosen[:]):
        if shape.taken(minus(free, one.frees)) is not None:
            chosen.remove(one)
            free = minus(free, one.frees)
    return chosen


def _starts_then(
    view: View, chosen: list[Candidate], shape: Shape, profile: Profile, now: float
) -> bool:
    """Whether what waits fits for as long as it is expected to run, whenever they have made room:
    in their grace, something that is set apart or promised to others may begin."""
    then, last = profile.copy(), now
    for one in chosen:
        then.let_go(view.end_of(one.claim), one.frees)
        if one.mode != "suspend":
            last = max(last, now + room_after(view.queue.jobs[one.claim.job].job))
    taken = rounded(last, then.resolution) - now if last > now else 0.0
    length = None if shape.length is None else taken + shape.length
    return spot_for(then, now, shape, length) is not None


def room_after(job: Job, grace: float | None = None) -> float:
    """Within how many seconds a run of the job has made room, once it is told to. `grace` replaces
    the job's own; its checkpoint signal comes before that."""
    ahead = 0.0 if job.checkpoint is None else job.checkpoint.before
    return ahead + (job.grace if grace is None else grace)
