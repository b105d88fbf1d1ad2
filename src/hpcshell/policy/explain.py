"""Why an element waits, until when, for whom, and what would start it sooner.

    told = explain(view, policy, job, index, now)
    told.reason.code, told.reason.sentence, told.start, told.advice

Nothing is guessed: readiness is what the view itself goes by, and the start is the one that the
loop of `decide`, run to its end, gives it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from math import inf
from typing import Final, NamedTuple

from msgspec.structs import replace

from hpcshell.core.records import NO_INDEX, Claim, Reason
from hpcshell.policy.advice import at_once, missing_members
from hpcshell.policy.ahead import AT_WORST, Ahead, played, reached
from hpcshell.policy.bounds import Allowance
from hpcshell.policy.certain import certain, stands
from hpcshell.policy.codes import LIMIT_REASONS
from hpcshell.policy.explanation import Blocker, Bound, Explanation
from hpcshell.policy.gang import Together
from hpcshell.policy.line import Entry, Line, Shape
from hpcshell.policy.plan import Plan, Policy
from hpcshell.policy.profile import NEVER, Profile
from hpcshell.policy.reasons import blocked, element_name
from hpcshell.policy.room import fits
from hpcshell.policy.round import Round
from hpcshell.policy.setapart import no_reservation, set_apart, stock_of
from hpcshell.policy.sooner import Variant, interval, sooner
from hpcshell.policy.standing import not_ready
from hpcshell.policy.view import Unit, View
from hpcshell.policy.waking import Sleeper, sleepers

MOST_BLOCKERS: Final = 20
LOOKED_AT: Final = 1000
"""Kinds of work that may all be kept by limits, before it is given up to look for the first in
line: every row of `hpc queue` asks."""
_UNTIMED: Final = {
    "JobHeldUser": "it starts some time after it is let go",
    "JobHeldAdmin": "it starts some time after it is let go",
    "DependencyNeverSatisfied": "it never starts, unless its dependency is changed",
    "Deadline": "it never starts, unless its deadline is changed",
    "Drained": "it starts some time after: hpc node resume",
    "GpusClosed": "it starts some time after its cards take work again",
    "ReservationDeleted": "it never starts, unless its reservation is changed",
}
_NOWHERE: Final = ("TooLarge", "GpusClosed")
"""There is no room for it, were nobody else there."""
BARRED: Final = "it never starts, unless the limit is raised, or less is asked for"
_UNTIMED_ELSE: Final = "its start depends on what it waits for"


class Foreseen(NamedTuple):
    """A decision run to its end, with the profile it left behind."""

    plan: Plan
    profile: Profile


def explain(
    view: View,
    policy: Policy,
    job: int,
    index: int,
    now: float,
    *,
    brief: bool = False,
    others: Iterable[Variant] | None = None,
    ahead: Ahead | None = None,
) -> Explanation:
    """Why `index` of `job` (of an array, `NO_INDEX`: its next element) waits. The view is not
    changed.

    `brief` gives the reasons alone, at a cost that does not depend on what waits. With `others`,
    further ways to ask for the same (there may be none), also between when and when it starts, and
    what would start it sooner. Whatever is not promised is played forward, if there is an `ahead`.
    """
    entry = view.entry(job)
    if entry is None:
        return _reasons_only([Reason(code="None", sentence=f"job {job} does not wait")])
    unit = (job, next_of(entry) if index == NO_INDEX else index)
    reasons = not_ready(view.queue, entry, unit[1], now)
    if view.closed:
        told = f"nothing new starts on this machine: {view.closed}"
        reasons.append(Reason(code="Drained", sentence=told))
    pool = entry.job.reservation
    if pool and pool not in view.book.known:
        reasons.append(no_reservation(pool))
    line = view.queue.standing(*unit)
    if reasons or line is None:
        idle = Reason(code="None", sentence=f"{element_name(unit)} does not wait")
        known = _unready(view, entry, unit, reasons or [idle])
        if ahead is None or any(reason.code in _UNTIMED for reason in known.reasons):
            return known
        return played(known, ahead, unit, now, certain(view))
    if isinstance(line, Together):  # the first of a gang stands for all
        unit = (line.entry.job.id, NO_INDEX)
    if brief:
        return _reasons_only([_in_line(view, line, unit, now)])
    seen = _foreseen(view, policy, line, unit, now)
    if seen.reason.code == "None":
        return seen
    reachable = seen.reasons[-1].code != "Depth" and seen.reason.code not in _NOWHERE
    if others is not None and reachable:
        earliest, latest = interval(view, policy, unit, seen.start, now)
        seen = replace(seen, earliest=earliest, latest=latest)
    if ahead is not None and seen.promised:
        seen = reached(seen, ahead, unit)
    elif ahead is not None and seen.reason.code not in _NOWHERE:
        seen = played(seen, ahead, unit, now, certain(view))
    if others is None or seen.reasons[-1].code == "Depth" or isinstance(line, Together):
        return seen  # it would take a change of all of its members
    return replace(seen, change=sooner(view, policy, unit, seen.start, now, others, ahead))


def bind(view: View, policy: Policy, unit: Unit, told: Explanation, now: float) -> None:
    """Hold on to a promise that was told, though no decision has had to give it so far.

    It fits beside all that is promised already, so later decisions keep it, too. With one promise
    at most there is nothing to hold on to: that of the first in line is kept by how all decide.
    """
    if policy.promises in (0, 1) or not told.promised or told.start is None:
        return
    if told.start > now and unit not in view.promised:
        view.keep({**view.promised, unit: told.start})


def explain_suspended(
    view: View,
    policy: Policy,
    run: int,
    now: float,
    *,
    brief: bool = False,
    ahead: Ahead | None = None,
) -> Explanation:
    """Why a suspended run does not go on, and when it is to. `brief` and `ahead` as in
    `explain`."""
    sleeper = next((one for one in sleepers(view) if run in one.runs), None)
    if sleeper is None:
        claim = view.claims[run]
        name = element_name((claim.job, claim.index))
        said = Reason(code="Suspended", sentence=f"it is suspended until: hpc resume {name[4:]}")
        return replace(_reasons_only([said]), why="it goes on some time after it is resumed")
    unit, shape = sleeper.unit, sleeper.shape
    seen = None if brief else _run(view, policy, unit, shape, now)
    if view.may_resume(run) and (seen is None or run in seen.plan.resumes):
        soon = Reason(code="None", sentence="it goes on with the next decision")
        return replace(_reasons_only([soon]), start=now, promised=True, why="everything is free")
    if seen is None or unit not in seen.plan.reasons:
        return _reasons_only([blocked(shape, view.room, view.room.free, None)])
    start = seen.plan.promises.get(unit)
    promised = start not in (None, inf) and stands(view, sleeper[:2])
    told = Explanation(
        reason=seen.plan.reasons[unit],
        reasons=(seen.plan.reasons[unit],),
        start=None if start == inf else start,
        promised=promised,
        why=_where_from(start, promised, seen.plan.reasons[unit].code, certain=certain(view)),
        latest=Bound(start=start, why=AT_WORST) if promised and start is not None else None,
    )
    return told if promised or ahead is None else played(told, ahead, unit, now, certain(view))


def _reasons_only(reasons: list[Reason]) -> Explanation:
    return Explanation(reason=reasons[0], reasons=tuple(reasons))


def next_of(entry: Entry) -> int:
    """The element that goes first: a ready one, else a new one, else one with a record."""
    for source in (entry.elements(), iter(entry.waiting), iter(sorted(entry.tasks))):
        if (index := next(source, None)) is not None:
            return index
    return NO_INDEX


def _in_line(view: View, line: Line, unit: Unit, now: float) -> Reason:
    """The reason of ready work, as a whole round gives it once all that can start has started."""
    if (limited := _limited(view, line)) is not None:
        return limited
    first, free = _first_of(view, line.shape.pool), view.room.free
    ahead = None if first == unit else first
    if view.book.known:
        stock = stock_of(view, line.shape, now)
        if (kept := set_apart(view, line.shape, stock, now, ahead)) is not None:
            return kept
        free = stock.free
    if ahead is None and line.shape.taken(free) is not None:
        return Reason(code="None", sentence="it starts with the next decision")
    return blocked(line.shape, view.room, free, ahead)


def _first_of(view: View, pool: str) -> Unit | None:
    """The first in line of those that are met from the same part of the machine, and that no limit
    keeps."""
    for key, shape in islice(view.queue.turn.heads, LOOKED_AT):
        possible = shape.pool == pool and shape.possible(view.room)
        if possible and _limited(view, key[3]) is None:
            return (key[1], next(key[3].elements()))
    return None


def _limited(view: View, line: Line) -> Reason | None:
    """The limit of a user, account, QOS or partition that keeps the line."""
    limits = Allowance(view.bounds)
    if isinstance(line, Together):
        return limits.allow_all([one.shape.claimant for one in line.parts])
    return limits.allows(line.shape.claimant)


def _barred(view: View, line: Line) -> bool:
    """Whether a limit keeps the line whatever else ends: it may have been lowered since."""
    lines = line.parts if isinstance(line, Together) else (line,)
    asked = [one.shape.claimant for one in lines if one.shape.claimant is not None]
    return view.bounds is not None and view.bounds.throttle.never(*asked) is not None


def _unready(view: View, entry: Entry, unit: Unit, reasons: list[Reason]) -> Explanation:
    """What is kept out of the order altogether."""
    code, job = reasons[0].code, entry.job
    blockers: list[Blocker] = []
    advice, why = "", _UNTIMED.get(code, _UNTIMED_ELSE)
    if code in ("JobHeldUser", "JobHeldAdmin"):
        held = str(job.id) if job.held else element_name(unit)[4:]
        advice = f"let it go with: hpc release {held}"
    elif code == "ArrayTaskLimit" and job.array is not None:
        advice = f"let more run at once with: hpc edit {job.id} --throttle={job.array.throttle + 1}"
        mine = (claim for claim in view.claims.values() if claim.job == job.id)
        blockers = [_running(claim.run, view) for claim in mine][:MOST_BLOCKERS]
    elif code == "DependencyNeverSatisfied":
        advice = f"change it with: hpc edit {job.id} --dependency=..., or: hpc cancel {job.id}"
    elif code == "ReservationDeleted":
        advice = f"take it out with: hpc edit {job.id} --reservation none, or: hpc cancel {job.id}"
    elif code == "Gang" and (missing := missing_members(view, entry)):
        advice, why = missing
    elif code == "Dependency":
        terms = job.dependencies.terms if job.dependencies else ()
        blockers = [
            Blocker(id=term.job, element=term.index, why=term.kind) for term in terms if term.job
        ][:MOST_BLOCKERS]
    starts = [entry.gate if NEVER > entry.gate > view.queue.gates.clock else 0.0]
    if unit[1] in entry.tasks:
        starts.append(entry.tasks[unit[1]][0].not_before)
    timed = {"BeginTime", "BackOff"}
    if entry.freed is None and view.queue.gates.clock < entry.gate < NEVER:
        timed.add("Dependency")  # what it waits for has come about, but for a delay
    known = all(reason.code in timed for reason in reasons)
    start = max(starts) or None
    return Explanation(
        reason=reasons[0],
        reasons=tuple(reasons),
        earliest=Bound(start=start, why="not before that") if known and start else None,
        start=start if known else None,
        why="not before that" if known and start else why,
        blockers=tuple(blockers),
        advice=advice,
    )


def _run(view: View, policy: Policy, unit: Unit, shape: Shape, now: float) -> Foreseen:
    round_ = Round(view, policy, now, thorough=True, until=unit)
    plan = round_.decide()
    return Foreseen(plan, round_.profile(shape))


def _foreseen(view: View, policy: Policy, line: Line, unit: Unit, now: float) -> Explanation:
    seen = _run(view, policy, unit, line.shape, now)
    if any((start.job, start.index) == unit for start in seen.plan.starts):
        soon = Reason(code="None", sentence="it starts with the next decision")
        return replace(_reasons_only([soon]), start=now, promised=True, why="everything is free")
    if unit in seen.plan.reasons:
        reasons = [seen.plan.reasons[unit]]
    elif (known := _in_line(view, line, unit, now)).code in LIMIT_REASONS:
        reasons = [known]
    else:
        reasons = [*([known] if known.code != "None" else []), _too_deep(policy)]
    foreseen = unit in seen.plan.promises
    promised = foreseen and stands(view, (line.entry.rank, line.entry.job.id))
    plan = seen.plan
    if not foreseen and reasons[0].code not in _NOWHERE and reasons[0].code not in LIMIT_REASONS:
        plan = _run(view, replace(policy, promises=None), unit, line.shape, now).plan
    start = plan.promises.get(unit)
    if (late := _too_late(line, start)) is not None:
        reasons.append(late)
        promised = False
    return Explanation(
        reason=reasons[0],
        reasons=tuple(reasons),
        start=None if start == inf else start,
        promised=promised and start != inf,
        why=BARRED
        if _barred(view, line)
        else _where_from(start, promised, reasons[-1].code, certain=certain(view)),
        blockers=_blockers(view, line, plan, unit),
        advice=_advice(view, line, seen, unit, now),
    )


def _too_deep(policy: Policy) -> Reason:
    """A decision does not look as far as the element."""
    told = f"more than {policy.depth:,} elements are before it in line"
    if (most := policy.max_backfill_jobs) is not None:
        told = f"decisions look at no more than {most:,} elements behind the first in line"
    return Reason(code="Depth", sentence=told)


def _too_late(line: Line, start: float | None) -> Reason | None:
    deadline = line.entry.job.deadline
    if deadline is None or start is None:
        return None
    if start != inf and start + (line.shape.length or 0.0) <= deadline:
        return None
    return Reason(code="Deadline", sentence="as things stand it would not end by its deadline")


def _where_from(start: float | None, promised: bool, code: str, *, certain: bool = True) -> str:
    if start is None:
        causes = {
            **dict.fromkeys(LIMIT_REASONS, "it starts some time after others of them have ended"),
            "Reservation": "its reservation is over before it could start, as things stand",
            "TooLarge": "it cannot start while the machine is as it is",
            "GpusClosed": _UNTIMED["GpusClosed"],
            "Depth": "so far ahead nothing is worked out",
        }
        return causes.get(code, "what runs and waits before it has no time limit")
    if start == inf:
        return "when runs without a time limit have ended, and nobody knows when that is"
    if promised:
        return "promised: no later, as long as nothing comes in that goes before it"
    if not certain:
        return "estimated from the run times that are expected of all that runs or goes before it"
    return "estimated from the time limits of all that runs or goes before it"


def _blockers(view: View, line: Line, plan: Plan, unit: Unit) -> tuple[Blocker, ...]:
    """The runs that hold what is lacking, first to end first, then what is before it in line."""
    need, free = line.shape.need, view.room.free
    found: list[Blocker] = []
    if need is None or not fits(need, view.room.size):
        return ()
    ends = sorted(view.claims.values(), key=_latest_end)
    for claim in ends:
        held = view.room.held[claim.run]
        scattered = line.shape.taken(free) is None and fits(need, free)
        in_part = scattered and (view.room.several or held[3] > 0)
        if in_part or any(n > max(0, f) and h for n, f, h in zip(need, free, held, strict=False)):
            found.append(_running(claim.run, view))
            free = tuple(f + h for f, h in zip(free, held, strict=True))
    asleep = {one.unit: one for one in sleepers(view)}
    for other in plan.promises:
        if other == unit or len(found) >= MOST_BLOCKERS:
            break
        if _goes_before(view, other, asleep.get(other), line, unit):
            element = None if other[1] < 0 else other[1]
            found.append(Blocker(id=other[0], element=element, why="before it in line"))
    return tuple(found[:MOST_BLOCKERS])


def _goes_before(view: View, other: Unit, sleeper: Sleeper | None, line: Line, unit: Unit) -> bool:
    """Whether what is promised to the other, or to it as a `sleeper`, comes first, of the same part
    of the machine."""
    turn = line.turn_of(unit[1])
    if sleeper is not None:
        return sleeper[:2] <= turn[:2] and sleeper.shape.pool == line.shape.pool
    ahead = view.queue.standing(*other)
    first = ahead is not None and ahead.turn_of(other[1]) < turn
    return first and ahead is not None and ahead.shape.pool == line.shape.pool


def _latest_end(claim: Claim) -> float:
    return inf if claim.end is None or claim.suspended is not None else claim.end


def _running(run: int, view: View) -> Blocker:
    claim = view.claims[run]
    why = "runs without a time limit" if claim.end is None else "runs"
    until = claim.end
    if claim.suspended is not None:
        why, until = "is suspended", None
    element = None if claim.index < 0 else claim.index
    return Blocker(id=claim.job, element=element, why=why, until=until)


def _advice(view: View, line: Line, seen: Foreseen, unit: Unit, now: float) -> str:
    if isinstance(line, Together):  # it would take a change of all of its members
        return ""
    if _limited(view, line) is not None:  # asking for less would not help
        return ""
    return at_once(view, line.shape, seen.profile, seen.plan.promises.get(unit), now)
