"""Who waits for whom among the live jobs."""

from __future__ import annotations

import heapq
from collections.abc import Callable

from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import Dependencies, Dependency, Job, Outcome
from hpcshell.policy.depend import NOT_YET, Bond, ParentFacts, Verdict, verdict, waits_for

Touched = tuple[int, int | None]
"""(child, None): its terms have changed; (child, i): only its element i may have."""


class Namesakes:
    """Live jobs by user and name, for singletons: the smallest id of each may go."""

    __slots__ = ("_heaps", "_ids", "_names")

    def __init__(self) -> None:
        self._names: dict[int, tuple[str, str]] = {}
        self._ids: dict[tuple[str, str], set[int]] = {}
        self._heaps: dict[tuple[str, str], list[int]] = {}

    def __contains__(self, job: int) -> bool:
        return job in self._names

    def add(self, job: Job) -> list[int]:
        """`job` is live by this name; whose turn that may have changed."""
        name = (job.user, job.name)
        if self._names.get(job.id) == name:
            return []
        turned = self.drop(job.id)
        before = self._first(name)
        self._names[job.id] = name
        self._ids.setdefault(name, set()).add(job.id)
        heapq.heappush(self._heaps.setdefault(name, []), job.id)
        return turned if before is None else [*turned, before]

    def drop(self, job: int) -> list[int]:
        """`job` is live no more; whose turn that may have changed."""
        name = self._names.pop(job, None)
        if name is None:
            return []
        self._ids[name].remove(job)
        if (first := self._first(name)) is not None:
            return [first]
        del self._ids[name], self._heaps[name]
        return []

    def is_first(self, job: int) -> bool:
        return self._first(self._names[job]) == job

    def _first(self, name: tuple[str, str]) -> int | None:
        heap, ids = self._heaps.get(name, []), self._ids.get(name, ())
        while heap and heap[0] not in ids:
            heapq.heappop(heap)
        return heap[0] if heap else None


class Ties:
    """Who waits for whom. Every change names the children whose terms it has changed."""

    def __init__(self, elements_of: Callable[[int], int | None]) -> None:
        """`elements_of` tells how many elements a job has; None when it is not live, or had begun
        before the view met it."""
        self._elements_of = elements_of
        self._names = Namesakes()
        self._facts: dict[int, ParentFacts] = {}
        self._bonds: dict[int, Bond] = {}
        self._children: dict[tuple[int, int | None], dict[int, list[int]]] = {}
        self._pairs: dict[int, dict[int, None]] = {}
        self._wanted: dict[int, int] = {}

    # -- asking ----------------------------------------------------------------------------------

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
        terms = dependencies.terms if dependencies else ()
        return list(dict.fromkeys(term.job for term in terms if term.job and self._untold(term)))

    def _untold(self, term: Dependency) -> bool:
        known = self.facts(term.job)
        if known is None:
            return True
        return _is_single(term) and known.elements is None and known.begun + known.ended > 0

    # -- being told ------------------------------------------------------------------------------

    def know(self, job: int, facts: ParentFacts) -> list[Touched]:
        """All that is known of `job` from now on."""
        self._facts[job] = facts
        indices = [index for parent, index in self._children if parent == job]
        touched = [told for index in indices for told in self._tell(job, index)]
        return touched + [(child, None) for child in self._pairs.get(job, ())]

    def join(self, job: Job) -> list[Touched]:
        """`job` is live (again, perhaps amended)."""
        touched = [told for child in self._names.add(job) for told in self._tell_singleton(child)]
        bond = self._bonds.get(job.id)
        if (bond.dependencies if bond else None) != job.dependencies:
            self._retie(job)
        elif bond is not None:
            self._tell_singleton(job.id)
        return touched

    def leave(self, job: int) -> list[Touched]:
        """`job` is not live any more; what children of it still need to know is kept."""
        self._untie(job)
        if not self._wanted.get(job):
            self._facts.pop(job, None)
        return [told for child in self._names.drop(job) for told in self._tell_singleton(child)]

    def began(self, job: int, index: int, time: float, first: bool) -> list[Touched]:
        """An element runs; `first`: for the first time."""
        facts = self.facts(job)
        if facts is None:
            return []
        facts.note_begin(index, time, first)
        return self._tell_of(job, index, facts, turning=facts.begun == facts.total)

    def ended(
        self, job: int, index: int, outcome: Outcome, time: float, begun: bool
    ) -> list[Touched]:
        """An element is over; `begun`: it had ever run."""
        facts = self.facts(job)
        if facts is None:
            return []
        facts.note_end(index, outcome, time, begun)
        turning = outcome is not Outcome.COMPLETED or facts.ended == facts.total or not begun
        return self._tell_of(job, index, facts, turning=turning)

    def dropped(self, job: int, indices: IndexSet, outcome: Outcome, time: float) -> list[Touched]:
        """Many elements that never ran are over at once."""
        facts = self.facts(job)
        if facts is None or not indices:
            return []
        facts.note_dropped(indices, outcome, time)
        return self.know(job, facts)

    # -- telling children ------------------------------------------------------------------------

    def _tell_of(self, job: int, index: int, facts: ParentFacts, *, turning: bool) -> list[Touched]:
        """One element has changed; `turning`: terms on the whole job may have, too."""
        if not self._wanted.get(job):
            return []
        touched = self._tell(job, None) if turning else []
        touched += self._tell(job, index)
        single = None if facts.ended == facts.total else index
        return touched + [(child, single) for child in self._pairs.get(job, ())]

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

    def _verdict(self, child: int, term: Dependency) -> Verdict:
        if term.kind == "singleton":
            return 0.0 if self._names.is_first(child) else NOT_YET
        return verdict(term, self.facts(term.job), term.index)

    # -- tying -----------------------------------------------------------------------------------

    def _retie(self, job: Job) -> None:
        terms = job.dependencies.terms if job.dependencies else ()
        for term in terms:  # first of all, so that what is known of a common parent is not dropped
            self._wanted[term.job] = self._wanted.get(term.job, 0) + 1
        self._untie(job.id)
        if job.dependencies is not None:
            self._tie(job, job.dependencies)

    def _tie(self, job: Job, dependencies: Dependencies) -> None:
        bond = self._bonds[job.id] = Bond(dependencies, plain=job.array is None)
        for place, term in enumerate(dependencies.terms):
            facts = self.facts(term.job)
            if _is_single(term) and facts is not None and facts.elements is None:
                facts.elements = {}
            if place not in bond.verdicts:
                self._pairs.setdefault(term.job, {})[job.id] = None
                continue
            tied = self._children.setdefault((term.job, term.index), {})
            tied.setdefault(job.id, []).append(place)
            bond.set(place, self._verdict(job.id, term))

    def _untie(self, child: int) -> None:
        bond = self._bonds.pop(child, None)
        for term in bond.dependencies.terms if bond else ():
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
        if parent not in self._names:
            self._facts.pop(parent, None)


def _is_single(term: Dependency) -> bool:
    return term.index is not None or term.kind == "aftercorr"


def sentences(ties: Ties, child: int, index: int | None, now: float, never: bool) -> list[str]:
    """Why the child (or its element `index`) may not go yet, or never: a sentence for each term."""
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
