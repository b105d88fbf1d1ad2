"""Between when and when an element starts, and the smallest change that would start it sooner.

Both are worked out by the loop of `decide` on a small copy of what is before the element in line
(`rehearsal`), with a budget: what is far back is not worked out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import ceil, inf
from typing import Final, NamedTuple

from msgspec.structs import replace

from hpcshell.core.records import WHOLE, Claim, Job, Request
from hpcshell.core.units import format_gpus, format_size
from hpcshell.policy.advice import SHORTEST
from hpcshell.policy.ahead import AT_WORST, Ahead
from hpcshell.policy.certain import certain
from hpcshell.policy.explanation import Bound, Sooner
from hpcshell.policy.plan import Policy
from hpcshell.policy.reasons import span
from hpcshell.policy.regime import Foresight, Requested
from hpcshell.policy.rehearsal import NOW, Ends, Stage
from hpcshell.policy.view import Unit, View
from hpcshell.policy.waking import LONG

AT_BEST: Final = "if all that runs or goes before it were to end at once"
MOST: Final = 100
"""Lines before the element at most."""
EFFORT: Final = 2000
"""Lines looked at in all of a search, each trial counting those before the element."""
LEVELS: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""By which part less is asked for, tried in this order."""
LEAST_GAIN: Final = 60.0
"""Seconds; and a tenth of the wait: less than that is not called sooner."""
LIMITS: Final = (*(3600.0 * hours for hours in (24, 12, 6, 3, 2, 1)), 2700.0, 1800.0, 900.0, 600.0)
"""Time limits that are tried for what has none."""
GRAIN: Final = 1 << 26
"""Memory is asked for in multiples of so many bytes."""


class Variant(NamedTuple):
    """The job as it would be asked for with `options`; `change`: by which part that is less."""

    options: str
    job: Job
    change: float = 0.0


def interval(
    view: View, policy: Policy, unit: Unit, start: float | None, now: float
) -> tuple[Bound | None, Bound | None]:
    """The earliest and the latest start of what `explain` expects to start at `start`.

    The earliest is that with which whatever runs or goes before it ends at once: nobody knows that
    it does not. The latest is that with which everything runs to its time limit.
    """
    exact = replace(policy, resolution=0.0)
    earliest = _rehearsed(view, exact, unit, now, _at_once, _Brief(unit[0]))
    latest = start if certain(view) else _rehearsed(view, policy, unit, now, _limit, Requested())
    return _bound(earliest, AT_BEST, start), _bound(latest, AT_WORST, None)


class _Brief(Requested):
    """Expects all jobs but one to end as soon as they start."""

    def __init__(self, job: int) -> None:
        self._job = job

    def length(self, job: Job, request: Request) -> float | None:
        return request.time_limit if job.id == self._job else 0.0


def _bound(start: float | None, why: str, most: float | None) -> Bound | None:
    if start is None or start >= LONG:
        return None
    return Bound(start=start if most is None else min(start, most), why=why)


def _limit(claim: Claim) -> float | None:
    return claim.end


def _at_once(claim: Claim) -> float:
    return NOW


def _rehearsed(
    view: View, policy: Policy, unit: Unit, now: float, ends: Ends, foresight: Foresight
) -> float | None:
    stage = Stage.of(view, unit, now, most=MOST, ends=ends, foresight=foresight)
    return None if stage is None else stage.start(policy, now)


# -- what would be sooner --------------------------------------------------------------------------


def sooner(
    view: View,
    policy: Policy,
    unit: Unit,
    start: float | None,
    now: float,
    others: Iterable[Variant] = (),
    ahead: Ahead | None = None,
) -> Sooner | None:
    """The smallest change with which the element starts noticeably before `start`.

    `others` are ways to ask for the same elsewhere (another partition, another QOS): they are tried
    first. What may be it is played forward once more, if there is an `ahead`. None: there is no
    such change, or it was not found within the budget.
    """
    entry = view.entry(unit[0])
    stage = Stage.of(view, unit, now, most=MOST)
    if entry is None or stage is None:
        return None
    wanted = inf if start is None else start - max(LEAST_GAIN, (start - now) / 10)
    trials = EFFORT // (len(stage.view.queue.jobs) + 20)
    for variant in _first([*others, *variants(entry.job)], trials):
        then = stage.start(policy, now) if stage.amend(variant.job) else None
        if then is not None and then <= wanted and ahead is not None:
            then = ahead.starts_as(variant.job, unit).start
        if then is not None and then < inf and then <= wanted:
            known = None if start in (None, inf) else start
            return Sooner(options=variant.options, start=then, now=known)
    return None


def _first(variants: list[Variant], trials: int) -> Iterator[Variant]:
    """So many of them, the smallest change first."""
    return iter(sorted(variants, key=lambda one: one.change)[:trials])


def variants(job: Job) -> list[Variant]:
    """The job asking for less of one thing, by more and more."""
    request = job.request
    found: dict[str, Variant] = {}
    for level in LEVELS:
        for options, less in _less(request, 1.0 - level):
            if options not in found:
                change = 1.0 - _part(request, less)
                found[options] = Variant(options, replace(job, request=less), change)
    if request.time_limit is None:
        for limit in LIMITS:
            less = replace(request, time_limit=limit)
            told = f"--time={span(limit, '')}"
            found[told] = Variant(told, replace(job, request=less), 1.0)
    return list(found.values())


def _less(request: Request, part: float) -> Iterator[tuple[str, Request]]:
    if request.time_limit is not None:
        limit = _rounded(request.time_limit * part)
        if SHORTEST <= limit < request.time_limit:
            yield f"--time={span(limit, '')}", replace(request, time_limit=limit)
    if 0 < (cpus := max(1, ceil(request.cpus * part))) < request.cpus:
        yield f"--cpus={cpus}", replace(request, cpus=cpus)
    step = 1 if request.gpu_share else WHOLE
    gpus = max(1, ceil(request.gpu_hundredths // step * part)) * step
    if gpus < request.gpu_hundredths:
        fewer = replace(request, gpus=gpus // WHOLE, gpu_share=gpus % WHOLE)
        yield f"--gpus={format_gpus(gpus)}", fewer
    memory = int(request.memory * part) // GRAIN * GRAIN
    if 0 < memory < request.memory:
        yield f"--memory={format_size(memory)}", replace(request, memory=memory)


def _rounded(seconds: float) -> float:
    """Down to what a person would write."""
    grain = 60.0 if seconds < 7200 else 300.0 if seconds < 86400 else 3600.0
    return seconds // grain * grain


def _part(request: Request, less: Request) -> float:
    """Which part of what was asked for is asked for now, of what has changed."""
    for name in ("cpus", "memory", "gpu_hundredths", "time_limit"):
        asked, now = getattr(request, name), getattr(less, name)
        if asked != now:
            return float(now / asked)
    return 1.0
