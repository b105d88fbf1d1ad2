"""Who waits for whom among the live jobs."""

from __future__ import annotations

from collections.abc import Callable

from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import Dependencies, Dependency, Job, Outcome
from hpcshell.policy.depend import NOT_YET, Bond, ParentFacts, Verdict, verdict, waits_for
from hpcshell.policy.order import Sorted

Touched = tuple[int, int | None]
"""(child, None): its terms have changed; (child, i): only its element i may have."""


class Namesakes:
    """Live jobs by user and name, for singletons: the smallest id of each may go.

    Most names are had by one job, which is kept as its bare id.
    """

    __slots__ = ("_users",)

    def __init__(self) -> None:
        self._users: dict[str, dict[str, int | Sorted[int]]] = {}

    def add(self, job: Job) -> int | None:
        """`job` is live; the one that went first by its name until now."""
        names = self._users.setdefault(job.user, {})
        others = names.get(job.name)
        if others is None:
            names[job.name] = job.id
            return None
        if isinstance(others, int):
            first = others
            others = names[job.name] = Sorted()
            others.add(first)
        first = others.first
        others.add(job.id)
        return first

    def drop(self, job: Job) -> int | None:
        """`job` is live no more; the one that goes first by its name from now on."""
        names = self._users[job.user]
        others = names[job.name]
        if isinstance(others, Sorted):
            others.remove(job.id)
            if others:
                return others.first
        del names[job.name]
        return None

    def is_first(self, job: Job) -> bool:
        others = self._users[job.user][job.name]
        return (others if isinstance(others, int) else others.first) == job.id


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
        self.wanted: dict[int, int] = {}
        """How many terms of live jobs name each parent."""

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

    def join(self, job: Job, before: Job | None) -> list[Touched]:
        """`job` is live; `before`: as it was, if it was live already."""
        touched: list[Touched] = []
        if before is None or (before.user, before.name) != (job.user, job.name):
            touched += self._tell_singleton(None if before is None else self._names.drop(before))
            touched += self._tell_singleton(self._names.add(job))
        bond = self._bonds.get(job.id)
        if (bond.dependencies if bond else None) != job.dependencies:
            self._retie(job)
        elif bond is not None:
            bond.child = job
            self._tell_singleton(job.id)
        return touched

    def leave(self, job: Job) -> list[Touched]:
        """`job` is not live any more; what children of it still need to know is kept."""
        self._untie(job.id)
        if not self.wanted.get(job.id):
            self._facts.pop(job.id, None)
        return self._tell_singleton(self._names.drop(job))

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
        if not self.wanted.get(job):
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
            news = [bond.set(place, self._verdict(bond, terms[place])) for place in places]
            if any(news):
                touched.append((child, None))
        return touched

    def _tell_singleton(self, child: int | None) -> list[Touched]:
        bond = None if child is None else self._bonds.get(child)
        if bond is None or child is None:
            return []
        for place, term in enumerate(bond.dependencies.terms):
            if term.kind == "singleton":
                bond.set(place, self._verdict(bond, term))
        return [(child, None)]

    def _verdict(self, bond: Bond, term: Dependency) -> Verdict:
        if term.kind == "singleton":
            return 0.0 if self._names.is_first(bond.child) else NOT_YET
        return verdict(term, self.facts(term.job), term.index)

    # -- tying -----------------------------------------------------------------------------------

    def _retie(self, job: Job) -> None:
        terms = job.dependencies.terms if job.dependencies else ()
        for term in terms:  # first of all, so that what is known of a common parent is not dropped
            self.wanted[term.job] = self.wanted.get(term.job, 0) + 1
        self._untie(job.id)
        if job.dependencies is not None:
            self._tie(job, job.dependencies)

    def _tie(self, job: Job, dependencies: Dependencies) -> None:
        bond = self._bonds[job.id] = Bond(job, dependencies)
        for place, term in enumerate(dependencies.terms):
            facts = self.facts(term.job)
            if _is_single(term) and facts is not None and facts.elements is None:
                facts.elements = {}
            if place not in bond.verdicts:
                self._pairs.setdefault(term.job, {})[job.id] = None
                continue
            tied = self._children.setdefault((term.job, term.index), {})
            tied.setdefault(job.id, []).append(place)
            bond.set(place, self._verdict(bond, term))

    def _untie(self, child: int) -> None:
        bond = self._bonds.pop(child, None)
        for term in bond.dependencies.terms if bond else ():
            self._pairs.get(term.job, {}).pop(child, None)
            tied = self._children.get((term.job, term.index), {})
            tied.pop(child, None)
            if not tied:
                self._children.pop((term.job, term.index), None)
            self.wanted[term.job] -= 1
            if not self.wanted[term.job]:
                self._unwanted(term.job)

    def _unwanted(self, parent: int) -> None:
        del self.wanted[parent]
        self._pairs.pop(parent, None)
        if self._elements_of(parent) is None:  # ended, or its owner can be asked again
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
