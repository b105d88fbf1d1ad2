"""Dependencies: what is known of parents, and from when a child may start.

A verdict is an instant: from then on the term is met; `NOT_YET`: it may still come; None: never.

- after: all the parent's elements began (or ended without beginning); counted from the latest
  start, that of a retry included.
- afterany: all ended. afterok: all ended COMPLETED. afternotok: all ended, at least one not
  COMPLETED. Counted from the last end.
- aftercorr: the child's element i waits for the parent's element i to be COMPLETED (two plain
  jobs: as afterok). An element that the parent does not have is never met once the parent has
  ended.
- singleton: no job of the same user and name with a smaller id is live.

A term with an `index` asks the same of that one element. Terms join by and, or by or (`any`).

What is to be tried again waits for all this as its job does, so that it also waits when a parent
begins once more, or when it is told to wait for others; from element to element it has been let go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import msgspec

from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import Dependencies, Dependency, Job, Outcome, State, Summary, Task
from hpcshell.policy.reasons import span

NOT_YET: Final = float("inf")
KINDS: Final = ("after", "afterok", "afternotok", "afterany", "aftercorr", "singleton")

Verdict = float | None
FactsOf = Callable[[int], "ParentFacts | None"]


class Fact(NamedTuple):
    """What is known of one element: when it last began, when and how it ended."""

    began: float | None = None
    ended: float | None = None
    outcome: Outcome | None = None


class ParentFacts(msgspec.Struct, kw_only=True):
    """What is known of a job as a parent. Counts are of elements.

    `begun` counts those that ended without beginning, too. `last_begin` and `last_end` are the
    latest instants. `elements` holds a `Fact` for each element that began or ended; None: not
    kept.
    """

    total: int
    begun: int = 0
    ended: int = 0
    completed: int = 0
    last_begin: float = 0.0
    last_end: float = 0.0
    elements: dict[int, Fact] | None = None

    @classmethod
    def of_ended(cls, summary: Summary, tasks: Iterable[Task] = ()) -> ParentFacts:
        """A job that has ended; `tasks` are its elements' records, needed where single ones
        count."""
        total = sum(summary.counts.values()) or 1
        completed = summary.counts.get(Outcome.COMPLETED.value, 0)
        if not summary.counts:
            completed = int(summary.outcome is Outcome.COMPLETED)
        facts = cls.of_live(total, tasks)
        began = facts.last_begin or summary.start_time or summary.end_time
        return cls(
            total=total,
            begun=total,
            ended=total,
            completed=completed,
            last_begin=began,
            last_end=summary.end_time,
            elements=facts.elements,
        )

    @classmethod
    def of_live(cls, total: int, tasks: Iterable[Task]) -> ParentFacts:
        """A job of `total` elements, of which `tasks` are those with a record, ended ones
        included."""
        facts = cls(total=total, elements={})
        for task in tasks:
            facts.add(task)
        return facts

    def note_begin(self, index: int, time: float, first: bool) -> None:
        """An element runs, `first`: as never before."""
        self.begun += first
        self.last_begin = max(self.last_begin, time)
        if self.elements is not None:
            self.elements[index] = Fact(time)

    def note_end(self, index: int, outcome: Outcome, time: float, begun: bool) -> None:
        """An element is over; `begun`: it had ever run."""
        self.ended += 1
        self.completed += outcome is Outcome.COMPLETED
        self.last_end = max(self.last_end, time)
        if not begun:
            self.begun += 1
            self.last_begin = max(self.last_begin, time)
        if self.elements is not None:
            before = self.elements.get(index)
            self.elements[index] = Fact(before.began if before else None, time, outcome)

    def note_dropped(self, indices: IndexSet, outcome: Outcome, time: float) -> None:
        """Many elements are over that had never run."""
        if self.elements is not None:
            self.elements.update(dict.fromkeys(indices, Fact(None, time, outcome)))
        self.begun += len(indices)
        self.ended += len(indices)
        self.completed += len(indices) if outcome is Outcome.COMPLETED else 0
        self.last_begin = max(self.last_begin, time)
        self.last_end = max(self.last_end, time)

    def add(self, task: Task) -> None:
        """Count one more element by its record."""
        ended = task.end_time if task.state is State.ENDED else None
        began = task.start_time if task.attempt else ended
        if began is None:
            return
        self.begun += 1
        self.last_begin = max(self.last_begin, began)
        if ended is not None:
            self.ended += 1
            self.completed += task.outcome is Outcome.COMPLETED
            self.last_end = max(self.last_end, ended)
        if self.elements is not None:
            self.elements[task.index] = Fact(task.start_time, ended, task.outcome)


def verdict(term: Dependency, facts: ParentFacts | None, element: int | None = None) -> Verdict:
    """From when `term` is met; `element`: the one of the parent that counts, None all of them."""
    if facts is None:
        return NOT_YET
    if element is not None:
        return _of_element(term, facts, element)
    over = facts.ended == facts.total
    met = _from(facts.last_end, term)
    if term.kind == "after":
        return _from(facts.last_begin, term) if facts.begun == facts.total else NOT_YET
    if term.kind == "afterany":
        return met if over else NOT_YET
    if term.kind == "afternotok":
        return NOT_YET if not over else None if facts.completed == facts.total else met
    return None if facts.ended > facts.completed else met if over else NOT_YET


def _of_element(term: Dependency, facts: ParentFacts, element: int) -> Verdict:
    fact = (facts.elements or {}).get(element)
    if fact is None:
        return None if facts.ended == facts.total else NOT_YET
    if term.kind == "after":
        since = fact.began if fact.began is not None else fact.ended
        return NOT_YET if since is None else _from(since, term)
    if fact.ended is None:
        return NOT_YET
    good = fact.outcome is Outcome.COMPLETED
    if term.kind == "afterany" or good != (term.kind == "afternotok"):
        return _from(fact.ended, term)
    return None


def _from(instant: float, term: Dependency) -> float:
    """Without a delay the clock has no say, so that one which was set back delays nothing."""
    return instant + term.delay if term.delay else 0.0


class Bond:
    """How a child stands to its parents: the verdict of each term, summed up so that one change is
    O(1).

    Terms from element to element are not summed: they are asked for each element.
    """

    __slots__ = ("_met", "_never", "child", "dependencies", "each", "verdicts", "when")

    def __init__(self, child: Job, dependencies: Dependencies) -> None:
        self.child = child
        self.dependencies = dependencies
        self.verdicts: dict[int, Verdict] = {}
        self.each: list[Dependency] = []
        for place, term in enumerate(dependencies.terms):
            if term.kind == "aftercorr" and child.array is not None and term.index is None:
                self.each.append(term)
            else:
                self.verdicts[place] = NOT_YET
        self._met = self._never = 0
        self.when = NOT_YET if dependencies.any else 0.0

    def set(self, place: int, new: Verdict) -> bool:
        """Record the verdict of one term; whether it is news."""
        old = self.verdicts[place]
        if old == new:
            return False
        self.verdicts[place] = new
        self._never += (new is None) - (old is None)
        self._met += _is_met(new) - _is_met(old)
        if _is_met(old):
            self._sum_up()
        elif new is not None and new != NOT_YET:
            self.when = min(self.when, new) if self.dependencies.any else max(self.when, new)
        return True

    def _sum_up(self) -> None:
        met = [value for value in self.verdicts.values() if value is not None and value != NOT_YET]
        self.when = min(met, default=NOT_YET) if self.dependencies.any else max(met, default=0.0)

    def verdict(self) -> Verdict:
        """From when the job as a whole may go; for terms of single elements ask `element`
        besides."""
        if self.dependencies.any:
            if self._met:
                return self.when
            return None if self._never == len(self.verdicts) and not self.each else NOT_YET
        if self._never:
            return None
        return self.when if self._met == len(self.verdicts) else NOT_YET

    def element(self, facts_of: FactsOf, index: int) -> Verdict:
        """From when the child's element `index` may go, by its element-to-element terms."""
        found = [verdict(term, facts_of(term.job), index) for term in self.each]
        hopes = [value for value in found if value is not None]
        if not self.dependencies.any:
            return max(hopes, default=0.0) if len(hopes) == len(found) else None
        if any(value is not None for value in self.verdicts.values()):
            hopes.append(self.when)
        return min(hopes, default=None)

    def heard_of(self, facts_of: FactsOf) -> Iterable[int] | None:
        """The elements of which the element-to-element parents have something to say; None: all."""
        heard: dict[int, None] = {}
        for term in self.each:
            facts = facts_of(term.job)
            if facts is None:
                continue
            if facts.ended == facts.total:
                return None
            heard.update(dict.fromkeys(facts.elements or ()))
        return heard


def _is_met(value: Verdict) -> bool:
    return value is not None and value != NOT_YET


def waits_for(
    term: Dependency, facts: ParentFacts | None, element: int | None, when: Verdict
) -> str:
    """Why a term is not met, in words; `when` is its verdict."""
    parent = f"job {term.job}" if element is None else f"element {term.job}_{element}"
    if term.kind == "singleton":
        return "an earlier job of the same name and user has not ended"
    if when is None:
        return _never_words(term, facts, element, parent)
    if when != NOT_YET:
        return f"{span(term.delay)} have to pass after {parent}"
    wanted = {"after": "begin", "afterok": "complete", "aftercorr": "complete"}.get(
        term.kind, "end"
    )
    if term.kind == "afternotok":
        wanted = "fail"
    done = 0 if facts is None else facts.begun if term.kind == "after" else facts.ended
    if element is None and facts is not None and facts.total > 1:
        left = f"{facts.total - done:,} of {facts.total:,} elements to go"
        return f"it waits for {parent} to {wanted}: {left}"
    return f"it waits for {parent} to {wanted}"


def _never_words(
    term: Dependency, facts: ParentFacts | None, element: int | None, parent: str
) -> str:
    asked = f"{term.kind}:{term.job}" + ("" if element is None else f"_{element}")
    if element is not None and facts is not None and element not in (facts.elements or {}):
        return f"{asked} can never be met: no element {element} of job {term.job} completed"
    if term.kind == "afternotok":
        return f"{asked} can never be met: {parent} completed"
    if element is None and facts is not None and facts.total > 1:
        bad = facts.ended - facts.completed
        return f"{asked} can never be met: {bad:,} of {facts.total:,} elements did not complete"
    return f"{asked} can never be met: {parent} did not complete"


def would_cycle(
    job: int, parents: Iterable[int], lookup: Callable[[int], Iterable[int]]
) -> list[int] | None:
    """The chain that would lead from `job` over `parents` back to it; None when there is none.

    `lookup` names the parents of a job.
    """
    came_from: dict[int, int] = {}
    queue = [job]
    first = True
    while queue:
        child = queue.pop()
        for parent in parents if first else lookup(child):
            if parent == job:
                return _chain(job, child, came_from)
            if parent and parent not in came_from:
                came_from[parent] = child
                queue.append(parent)
        first = False
    return None


def _chain(job: int, last: int, came_from: dict[int, int]) -> list[int]:
    between: list[int] = []
    while last != job:
        between.append(last)
        last = came_from[last]
    return [job, *reversed(between), job]
