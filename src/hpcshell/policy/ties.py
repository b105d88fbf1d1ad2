"""Who waits for whom among the live jobs."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable

from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import Dependencies, Dependency, Job, Outcome
from hpcshell.policy.depend import NOT_YET, Bond, Fact, ParentFacts, Verdict, verdict, waits_for

Touched = tuple[int, int | None]
"""(child, None): its terms have changed; (child, i): only its element i may have."""


class Namesakes:
    """The live jobs of one user and name, for singletons; the smallest id is the one that may
    go."""

    __slots__ = ("_heap", "ids")

    def __init__(self) -> None:
        self.ids: set[int] = set()
        self._heap: list[int] = []

    def add(self, job: int) -> None:
        if job not in self.ids:
            self.ids.add(job)
            heapq.heappush(self._heap, job)

    def first(self) -> int | None:
        while self._heap and self._heap[0] not in self.ids:
            heapq.heappop(self._heap)
        return self._heap[0] if self._heap else None


class Ties:
    """Who waits for whom among the live jobs. Every change names the children it may have freed."""

    def __init__(self, elements_of: Callable[[int], int | None]) -> None:
        """`elements_of` tells how many elements a live job has; None when it is not live."""
        self._elements_of = elements_of
        self._facts: dict[int, ParentFacts] = {}
        self._bonds: dict[int, Bond] = {}
        self._children: dict[tuple[int, int | None], dict[int, list[int]]] = {}
        self._pairs: dict[int, dict[int, None]] = {}
        self._wanted: dict[int, int] = {}
        self._names: dict[tuple[str, str], Namesakes] = {}
        self._name_of: dict[int, tuple[str, str]] = {}

    def bond(self, child: int) -> Bond | None:
        return self._bonds.get(child)

    def gate(self, child: int) -> Verdict:
        """From when the child as a whole may go."""
        bond = self._bonds.get(child)
        return 0.0 if bond is None else bond.verdict()

    def facts(self, job: int) -> ParentFacts | None:
        """What is known of `job`, begun afresh when it is live and nothing has happened to it."""
        known = self._facts.get(job)
        if known is None and (total := self._elements_of(job)) is not None:
            known = self._facts[job] = ParentFacts(total=total)
        return known

    def needs(self, dependencies: Dependencies | None) -> list[int]:
        """The parents the owner has to tell of with `know` before it puts such a child."""
        missing: dict[int, None] = {}
        for term in dependencies.terms if dependencies else ():
            known = self.facts(term.job) if term.job else None
            untold = known is None or (
                _is_single(term) and known.elements is None and known.begun + known.ended > 0
            )
            if term.job and untold:
                missing[term.job] = None
        return list(missing)

    def know(self, job: int, facts: ParentFacts) -> list[Touched]:
        self._facts[job] = facts
        touched = self._tell(job, None)
        for parent, index in [
            key for key in self._children if key[0] == job and key[1] is not None
        ]:
            touched += self._tell_one(parent, index)
        return touched + [(child, None) for child in self._pairs.get(job, ())]

    def join(self, job: Job) -> list[Touched]:
        """`job` is live (again, perhaps amended)."""
        name = (job.user, job.name)
        touched = self._drop_name(job.id) if self._name_of.get(job.id, name) != name else []
        group = self._names.setdefault(name, Namesakes())
        before = group.first()
        group.add(job.id)
        self._name_of[job.id] = name
        if before is not None and group.first() != before:
            touched += self._tell_singleton(before)
        bond = self._bonds.get(job.id)
        if (bond.dependencies if bond else None) != job.dependencies:
            self._retie(job)
        elif bond is not None:
            self._tell_singleton(job.id)
        return touched

    def leave(self, job: int) -> list[Touched]:
        """`job` is not live any more; what children of it still need to know is kept."""
        self.untie(job)
        if not self._wanted.get(job):
            self._facts.pop(job, None)
        return self._drop_name(job)

    def _drop_name(self, job: int) -> list[Touched]:
        name = self._name_of.pop(job, None)
        group = self._names.get(name) if name is not None else None
        if group is None or name is None:
            return []
        group.ids.discard(job)
        first = group.first()
        if first is None:
            del self._names[name]
            return []
        return self._tell_singleton(first)

    def began(self, job: int, index: int, time: float, first: bool) -> list[Touched]:
        """An element runs; `first`: for the first time."""
        facts = self.facts(job)
        if facts is None:
            return []
        facts.begun += first
        facts.last_begin = max(facts.last_begin, time)
        if facts.elements is not None:
            facts.elements[index] = Fact(time)
        elif facts.begun < facts.total:
            return []
        return self._tell_of(job, index, facts.begun == facts.total)

    def ended(
        self, job: int, index: int, outcome: Outcome, time: float, begun: bool
    ) -> list[Touched]:
        facts = self.facts(job)
        if facts is None:
            return []
        good = outcome is Outcome.COMPLETED
        facts.ended += 1
        facts.completed += good
        facts.last_end = max(facts.last_end, time)
        if not begun:
            facts.begun += 1
            facts.last_begin = max(facts.last_begin, time)
        if facts.elements is not None:
            before = facts.elements.get(index)
            facts.elements[index] = Fact(before.began if before else None, time, outcome)
        elif good and facts.ended < facts.total:
            return []
        return self._tell_of(job, index, not good or facts.ended == facts.total or not begun)

    def ended_unbegun(
        self, job: int, indices: IndexSet, outcome: Outcome, time: float
    ) -> list[Touched]:
        """Many elements that never began ended at once."""
        facts = self.facts(job)
        if facts is None or not indices:
            return []
        facts.begun += len(indices)
        facts.ended += len(indices)
        facts.completed += len(indices) if outcome is Outcome.COMPLETED else 0
        facts.last_begin = max(facts.last_begin, time)
        facts.last_end = max(facts.last_end, time)
        if facts.elements is None:
            return self._tell(job, None)
        facts.elements.update(dict.fromkeys(indices, Fact(None, time, outcome)))
        return self.know(job, facts)

    def element(self, child: int, index: int) -> Verdict:
        """From when the child's own element may go, by its element-to-element terms."""
        bond = self._bonds[child]
        found = [verdict(term, self.facts(term.job), index) for term in bond.each]
        hopes = [value for value in found if value is not None]
        if not bond.dependencies.any:
            return max(hopes, default=0.0) if len(hopes) == len(found) else None
        if bond.verdicts and not all(value is None for value in bond.verdicts.values()):
            hopes.append(bond.when)
        return min(hopes, default=None)

    def ended_elements(self, child: int) -> Iterable[int]:
        """The elements of which the child's element-to-element parents have something to say."""
        found: dict[int, None] = {}
        for term in self._bonds[child].each:
            facts = self.facts(term.job)
            if facts is not None and facts.elements:
                found.update(dict.fromkeys(facts.elements))
        return found

    def over(self, child: int) -> bool:
        """Whether an element-to-element parent has ended altogether."""
        known = (self.facts(term.job) for term in self._bonds[child].each)
        return any(facts is not None and facts.ended == facts.total for facts in known)

    def untie(self, child: int) -> None:
        bond = self._bonds.pop(child, None)
        for term in bond.dependencies.terms if bond else ():
            if not term.job:
                continue
            self._pairs.get(term.job, {}).pop(child, None)
            tied = self._children.get((term.job, term.index), {})
            tied.pop(child, None)
            if not tied:
                self._children.pop((term.job, term.index), None)
            self._wanted[term.job] -= 1
            if not self._wanted[term.job]:
                self._unwanted(term.job)

    def _unwanted(self, parent: int) -> None:
        del self._wanted[parent]
        self._pairs.pop(parent, None)
        if parent not in self._name_of:
            self._facts.pop(parent, None)

    def _retie(self, job: Job) -> None:
        terms = job.dependencies.terms if job.dependencies else ()
        for term in terms:  # first of all, so that what is known of a common parent is not dropped
            if term.job:
                self._wanted[term.job] = self._wanted.get(term.job, 0) + 1
        self.untie(job.id)
        if job.dependencies is not None:
            self._tie(job, job.dependencies)

    def _tie(self, job: Job, dependencies: Dependencies) -> None:
        bond = self._bonds[job.id] = Bond(dependencies, plain=job.array is None)
        for place, term in enumerate(dependencies.terms):
            if term.job:
                facts = self.facts(term.job)
                if _is_single(term) and facts is not None and facts.elements is None:
                    facts.elements = {}
            if place not in bond.verdicts:
                self._pairs.setdefault(term.job, {})[job.id] = None
                continue
            if term.job:
                tied = self._children.setdefault((term.job, term.index), {})
                tied.setdefault(job.id, []).append(place)
            bond.set(place, self._verdict(job.id, term))

    def _verdict(self, child: int, term: Dependency) -> Verdict:
        if term.kind == "singleton":
            return 0.0 if self._names[self._name_of[child]].first() == child else NOT_YET
        return verdict(term, self.facts(term.job), term.index)

    def _tell_of(self, job: int, index: int, turning: bool) -> list[Touched]:
        touched = self._tell(job, None) if turning else []
        touched += self._tell_one(job, index)
        pairs = self._pairs.get(job)
        if not pairs:
            return touched
        facts = self._facts[job]
        single = None if facts.ended == facts.total else index
        return touched + [(child, single) for child in pairs]

    def _tell_one(self, job: int, index: int | None) -> list[Touched]:
        return self._tell(job, index) if (job, index) in self._children else []

    def _tell(self, parent: int, index: int | None) -> list[Touched]:
        touched: list[Touched] = []
        for child, places in self._children.get((parent, index), {}).items():
            bond = self._bonds[child]
            terms = bond.dependencies.terms
            news = [bond.set(place, self._verdict(child, terms[place])) for place in places]
            if any(news):
                touched.append((child, None))
        return touched

    def _tell_singleton(self, child: int) -> list[Touched]:
        bond = self._bonds.get(child)
        if bond is None:
            return []
        for place, term in enumerate(bond.dependencies.terms):
            if term.kind == "singleton":
                bond.set(place, self._verdict(child, term))
        return [(child, None)]


def _is_single(term: Dependency) -> bool:
    return term.index is not None or term.kind == "aftercorr"


def sentences(ties: Ties, child: int, index: int | None, now: float, never: bool) -> list[str]:
    """Why the child (or its element `index`) may not go yet, or never: one sentence for each
    term."""
    bond = ties.bond(child)
    found: list[str] = []
    for place, term in enumerate(bond.dependencies.terms if bond is not None else ()):
        facts = ties.facts(term.job) if term.job else None
        if bond is not None and place in bond.verdicts:
            when, element = bond.verdicts[place], term.index
        elif index is None:
            continue
        else:
            when, element = verdict(term, facts, index), index
        if when is None if never else when is None or when > now:
            found.append(waits_for(term, facts, element, when))
    return found
