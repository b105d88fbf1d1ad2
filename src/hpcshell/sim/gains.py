"""Two forward runs of one queue beside each other: who gains, who loses, and what it comes to.

compared = compare(before, after)
compared.rows, compared.before.mean_wait
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import inf
from re import Match
from typing import Final, NamedTuple

from hpcshell.core.records import NO_INDEX, Job
from hpcshell.policy.explain import explain, explain_suspended
from hpcshell.policy.view import Unit
from hpcshell.sim.bouts import Span
from hpcshell.sim.fates import Fates, fates_of
from hpcshell.sim.forward import Forward

LEAST: Final = 0.5
"""Seconds: nobody gains or loses less than that."""

JOB: Final = re.compile(r"\bjob (\d+)")
"""How a sentence names a job."""


class Row(NamedTuple):
    """A job that waits, with so many `elements` that do. `before` and `after`: when the first of
    them starts, None: not as far as was looked. `gain`: seconds that they start sooner, on the
    average of those that start in both; None where there are none. `new`: it is there in the second
    run alone; `gone`: it is cancelled there. `why`: of one that never starts there, what keeps it.
    `fates`: it is not about what waits, but about runs that make room; then `gain` is what they
    stand or wait less, `inf` where they do not come back in the first run, `-inf`: in the second.
    """

    job: Job
    elements: int
    before: float | None
    after: float | None
    gain: float | None
    new: bool
    gone: bool
    stands: bool
    why: str
    fates: Fates | None = None

    @property
    def changed(self) -> bool:
        """Whether it starts at another time, or not at all, or only in one of the two; or fares
        otherwise."""
        if self.fates is not None:
            return self.fates.differ(LEAST)
        if self.new or self.gone or (self.before is None) != (self.after is None):
            return True
        return self.gain is not None and abs(self.gain) >= LEAST

    @property
    def gains(self) -> bool:
        """Whether it starts sooner, or only in the second run, or makes room no more."""
        started = self.fates is None and self.before is None
        return started or (self.gain is not None and self.gain > 0)


class Totals(NamedTuple):
    """Of one run: seconds that elements have waited, on the average of those that start in both
    runs (None: there are none); when the last of all runs is over; which part of the cpus is used
    until then; how many elements start."""

    mean_wait: float | None
    makespan: float
    utilization: float
    started: int


class Compared(NamedTuple):
    """`until`: as far as both were played; `cut`: there would have been more."""

    rows: list[Row]
    before: Totals
    after: Totals
    until: float
    cut: bool

    def winners(self) -> tuple[int, int]:
        """How many jobs start sooner, and how many later or never; those that are new or cancelled
        are left out."""
        told = [row for row in self.rows if row.changed and not (row.new or row.gone)]
        lose = {row.job.id for row in told if not row.gains}
        return len({row.job.id for row in told} - lose), len(lose)

    def preempted(self) -> int:
        """How many jobs make room in the second run that do not in the first."""
        told = [(row.job.id, row.fates) for row in self.rows if row.fates is not None]
        return len({job for job, fates in told if fates.after and not fates.before})


def compare(before: Forward, after: Forward) -> Compared:
    """The rows of all that waited or is new: the greatest gain first and the greatest loss last,
    between them those that start in one of the two only; in the order of their starts where nothing
    differs."""
    cut = before.cut or after.cut
    until = min(one.now for one in (before, after) if one.cut) if cut else inf
    first, second = _starts(before, until), _starts(after, until)
    both = [unit for unit in first if unit in second]
    old = _by_job(_within(before.resumed, until) | first)
    new = _by_job(_within(after.resumed, until) | second)
    numbers = {*old, *new, *_left(before), *_left(after)}
    rows = [
        _row(number, old.get(number, {}), new.get(number, {}), before, after)
        for number in sorted(numbers)
    ]
    rows += [
        _of_victims(fates, before, after) for fates in fates_of(before.fates, after.fates, until)
    ]
    rows.sort(key=_place)
    return Compared(
        rows=rows,
        before=_totals(before, first, both, until),
        after=_totals(after, second, both, until),
        until=min(until, max(before.now, after.now)),
        cut=cut,
    )


def _place(row: Row) -> tuple[float, float, int]:
    """The gain first; jobs that start in one of the two runs only stand in the middle."""
    start = row.before if row.before is not None else row.after
    return -(row.gain or 0.0) if row.changed else 0.0, inf if start is None else start, row.job.id


def _starts(one: Forward, until: float) -> dict[Unit, float]:
    """When what waited starts: what has run before is no news."""
    starts = _within(one.starts, until)
    return {unit: start for unit, start in starts.items() if unit not in one.running}


def _within(starts: dict[Unit, float], until: float) -> dict[Unit, float]:
    return {unit: start for unit, start in starts.items() if start <= until}


def _by_job(starts: dict[Unit, float]) -> dict[int, dict[int, float]]:
    found: dict[int, dict[int, float]] = {}
    for (job, index), start in starts.items():
        found.setdefault(job, {})[index] = start
    return found


def _left(one: Forward) -> Iterable[int]:
    """The jobs of which something still waits, or has never gone on, at the end, or ended because
    it could never start."""
    waits = [number for number in one.view.queue.jobs if one.waits(number)]
    waits += [number for number, count in one.forgone.items() if count]
    return waits + [one.view.claims[run].job for run in _standing(one)]


def _standing(one: Forward) -> list[int]:
    """The runs that were found suspended and have not gone on."""
    return [run for run in sorted(one.still) if run in one.view.claims]


def _row(
    number: int, old: dict[int, float], new: dict[int, float], before: Forward, after: Forward
) -> Row:
    job = after.jobs.get(number) or before.jobs[number]
    both = [index for index in old if index in new]
    gone = number in after.cancelled
    gain = sum(old[index] - new[index] for index in both) / len(both) if both else None
    return Row(
        job=job,
        elements=max(len(old) + _waiting(number, before), len(new) + _waiting(number, after)),
        before=min(old.values(), default=None),
        after=min(new.values(), default=None),
        gain=gain,
        new=number not in before.jobs,
        gone=gone,
        stands=number in before.stood,
        why="" if gone or after.cut else _named(_what_keeps(number, after), before, after),
    )


def _of_victims(fates: Fates, before: Forward, after: Forward) -> Row:
    """The row of runs that make room in one of the two."""
    return Row(
        job=after.jobs.get(fates.job) or before.jobs[fates.job],
        elements=fates.elements,
        before=None,
        after=None,
        gain=fates.gain,
        new=fates.job not in before.jobs,
        gone=fates.job in after.cancelled,
        stands=False,
        why="",
        fates=fates,
    )


def _waiting(number: int, one: Forward) -> int:
    """How many elements of the job wait, or stand still, at the end, or can never start."""
    still = sum(one.view.claims[run].job == number for run in _standing(one))
    return still + one.waits(number) + one.forgone.get(number, 0)


def _what_keeps(number: int, one: Forward) -> str:
    """Why the job never starts in a run that was played to its end."""
    if number in one.ended or one.view.entry(number) is None:
        return one.ended.get(number, "")
    for run in _standing(one):
        if one.view.claims[run].job == number:
            return explain_suspended(one.view, one.policy, run, one.now, brief=True).reason.sentence
    return explain(one.view, one.policy, number, NO_INDEX, one.now, brief=True).reason.sentence


def _named(sentence: str, before: Forward, after: Forward) -> str:
    """The sentence, in which a job that is not there is the new one."""

    def name(found: Match[str]) -> str:
        number = int(found[1])
        return "the new job" if number in after.jobs and number not in before.jobs else found[0]

    return JOB.sub(name, sentence)


def _totals(one: Forward, starts: dict[Unit, float], both: list[Unit], until: float) -> Totals:
    waits = [max(0.0, starts[unit] - one.jobs[unit[0]].submit_time) for unit in both]
    spans = one.spans
    end = min(until, max((span.end for span in spans), default=one.began_at))
    return Totals(
        mean_wait=sum(waits) / len(waits) if waits else None,
        makespan=max(0.0, end - one.began_at),
        utilization=_used(spans, end) / capacity(one, end) if end > one.began_at else 0.0,
        started=len(starts),
    )


def _used(spans: Iterable[Span], until: float) -> float:
    return sum(max(0.0, min(span.end, until) - span.start) * span.cpus for span in spans)


def capacity(one: Forward, until: float) -> float:
    """Cpu-seconds that the machine has from the beginning until then."""
    times = [time for time, _ in one.sizes[1:]] + [inf]
    return sum(
        total.cpus * max(0.0, min(later, until) - time)
        for (time, total), later in zip(one.sizes, times, strict=True)
    )


def usage(one: Forward, until: float, slots: int) -> list[float]:
    """Which part of the cpus is used in each of so many equal stretches of time until then."""
    width = (until - one.began_at) / slots
    if width <= 0.0:
        return [0.0] * slots
    used = [0.0] * slots
    for span in one.spans:
        first = max(0.0, (span.start - one.began_at) / width)
        last = min(float(slots), (min(span.end, until) - one.began_at) / width)
        for slot in range(int(first), min(slots, int(last) + 1)):
            part = min(last, slot + 1.0) - max(first, float(slot))
            used[slot] += max(0.0, part) * span.cpus
    most = max(total.cpus for _, total in one.sizes)
    return [min(1.0, cpus / most) if most else 0.0 for cpus in used]
