"""Verbs that change jobs on a cluster: each is said of many jobs at once, and answered for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from hpcshell.backends.contract import Change, Edit, Trouble, Words
from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.finding import Found
from hpcshell.clusters.known import Element, Known, elements_of
from hpcshell.clusters.troubles import raised
from hpcshell.clusters.views import number
from hpcshell.core.errors import Refused, Wrong
from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import Record
from hpcshell.core.sightings import ENDED, GONE, UNKNOWN, Sighting
from hpcshell.machine import clock
from hpcshell.store.ledger.entries import Part

Say = Callable[[Sequence[str]], "Sequence[Words] | None"]

FITS: Final[dict[str, frozenset[str]]] = {
    "cancel": frozenset({"PENDING", "RUNNING", "SUSPENDED", "COMPLETING", UNKNOWN}),
    "signal": frozenset({"RUNNING", "SUSPENDED"}),
    "hold": frozenset({"PENDING"}),
    "release": frozenset({"PENDING"}),
    "requeue": frozenset({"RUNNING", "SUSPENDED", "COMPLETING"}),
    "suspend": frozenset({"RUNNING"}),
    "resume": frozenset({"SUSPENDED"}),
    "edit": frozenset({"PENDING", "RUNNING", "SUSPENDED"}),
}
"""The states in which a verb means something."""
NOTHING: Final = {
    "signal": "runs, and only what runs gets a signal",
    "hold": "waits: what runs cannot be held",
    "release": "waits: there is nothing to let go",
    "requeue": "runs, and only what runs can be put back into the queue",
    "suspend": "runs, and only what runs can be suspended",
    "resume": "is suspended: there is nothing to resume",
    "edit": "can be changed",
    "cancel": "can be cancelled",
}
RESULT: Final = {
    "cancel": "CANCELLED",
    "requeue": "PENDING",
    "suspend": "SUSPENDED",
    "resume": "RUNNING",
}


class Target(Record, frozen=True, kw_only=True):
    """What one id of the site's stands for: a job, a part of an array, or one element."""

    native: str
    id: int | str
    element: Element = None
    was: str = ""
    elements: int = 0


class Changing:
    """One verb on what was found."""

    def __init__(self, cluster: Cluster, verb: str, found: Sequence[Found], states: set[str]):
        self.cluster = cluster
        self.verb = verb
        self.found = found
        self.states = states
        self.changed: list[dict[str, Any]] = []
        self.unchanged: list[dict[str, Any]] = []

    def carry_out(self, say: Say, *, dry_run: bool = False) -> dict[str, Any]:
        """Say it of all that it fits. The answer is that of the daemon's verb."""
        targets = [target for one in self.found for target in self._targets(one, dry_run)]
        if dry_run or not targets:
            self.changed += [self._line(target, None) for target in targets]
            return {"jobs": self.changed, "unchanged": self.unchanged}
        natives = list(dict.fromkeys(target.native for target in targets))
        words = say(natives)
        if words is None:
            raise self._lacking()
        change = self.cluster.backend.read_change(natives, self.cluster.say_all(words))
        self._answered(targets, change)
        return {"jobs": self.changed, "unchanged": self.unchanged}

    def _lacking(self) -> Refused:
        backend = self.cluster.backend
        told = backend.lacks.get(self.verb, f"{backend.title} has no such thing")
        sentence, _, nearest = told.partition("; ")
        return Refused(f"{self.cluster.name}: {sentence}", nearest or None)

    def _answered(self, targets: Iterable[Target], change: Change) -> None:
        for target in targets:
            trouble = change.troubles.get(target.native)
            if trouble is None:
                self.changed.append(self._line(target, RESULT.get(self.verb, target.was)))
            elif trouble.kind in ("busy", "broken") and not self.changed and not self.unchanged:
                raise raised(trouble, self.cluster.name)
            else:
                self.unchanged.append(_refusal(target, trouble))

    def _line(self, target: Target, now: str | None) -> dict[str, Any]:
        line = {"id": target.id, "element": target.element, "was": target.was, "now": now}
        return line | ({"elements": target.elements} if target.elements > 1 else {})

    # -------------------------------------------------------------------------------- what is meant

    def _targets(self, found: Found, dry_run: bool) -> list[Target]:
        if found.known is None:
            return [self._stranger(one) for one in found.strangers if self._fits(one)]
        known = found.known
        targets = self._unsent(found, dry_run)
        if found.elements is None and not self.states:
            targets += [
                target for part in known.parts if (target := self._whole(known, part)) is not None
            ]
        else:
            targets += self._elements(found)
        if not targets and not self.changed:
            self._say_why(known)
        return targets

    def _fits(self, sighting: Sighting) -> bool:
        return sighting.state in FITS[self.verb] and (
            not self.states or sighting.state in self.states
        )

    def _stranger(self, one: Sighting) -> Target:
        return Target(native=one.native, id=number(one.number), element=one.element, was=one.state)

    def _whole(self, known: Known, part: Part) -> Target | None:
        """All of a part that the site has, by the id of the whole."""
        if part.state != "known":
            return None
        members = _members(known, part)
        fitting = [one for one in members.values() if self._fits(one)]
        if not fitting:
            return None
        was = max({one.state for one in fitting}, key=[one.state for one in fitting].count)
        return Target(native=part.native, id=number(part.site), was=was, elements=len(fitting))

    def _elements(self, found: Found) -> list[Target]:
        known = found.known
        assert known is not None
        targets = []
        for element in found.members():
            part = part_of(known, element)
            one = known.elements[element]
            if part is None or part.state != "known" or not self._fits(one):
                continue
            native = part.native
            if element is not None:
                native = self.cluster.backend.element_id(part.native, element - part.offset)
            targets.append(
                Target(native=native, id=number(part.site), element=element, was=one.state)
            )
        return targets

    def _unsent(self, found: Found, dry_run: bool) -> list[Target]:
        """What waits here: it can be cancelled, held and released without asking the site."""
        known = found.known
        assert known is not None
        planned = [part for part in known.parts if part.state == "planned"]
        if (
            not planned
            or found.elements is not None
            or self.verb not in ("cancel", "hold", "release")
        ):
            return []
        label = known.entry.number or f"w{known.entry.serial}"
        line = {"id": number(label), "element": None, "was": "PENDING", "now": "PENDING"}
        if not dry_run and self.verb == "cancel":
            line["now"] = "CANCELLED"
            with self.cluster.ledger.change() as change:
                for part in planned:
                    change.mark(part, "withdrawn", clock.now(), "it was cancelled")
        self.changed.append(line)
        return []

    def _say_why(self, known: Known) -> None:
        label = known.entry.number or f"w{known.entry.serial}"
        over = all(one.state in ENDED or one.state == GONE for one in known.elements.values())
        why = f"job {label} has ended" if over else f"nothing of job {label} {NOTHING[self.verb]}"
        self.unchanged.append({"id": number(label), "why": why, "ended": over})


def _members(known: Known, part: Part) -> Mapping[Element, Sighting]:
    if len(known.parts) == 1:
        return known.elements
    return {element: known.elements[element] for element in elements_of(part.indices)}


def part_of(known: Known, element: Element) -> Part | None:
    """The part that an element belongs to."""
    if element is None or len(known.parts) == 1:
        return known.parts[0]
    return next((each for each in known.parts if element in IndexSet.parse(each.indices)), None)


def _refusal(target: Target, trouble: Trouble) -> dict[str, Any]:
    name = str(target.id) if target.element is None else f"{target.id}_{target.element}"
    gone = trouble.kind == "gone"
    why = f"job {name}: {trouble.message}" + (f" ({trouble.hint})" if trouble.hint else "")
    return {"id": target.id, "why": why, "ended": gone}


# -------------------------------------------------------------------------------- what is recorded


def record_wish(cluster: Cluster, verb: str, found: Sequence[Found]) -> None:
    """Keep what somebody wants of whole submissions: its end, or to be held."""
    wishes: dict[str, dict[str, Any]] = {
        "cancel": {"cancelled": clock.now()},
        "hold": {"held": True},
        "release": {"held": False},
    }
    whole = [one.known.entry for one in found if one.known and one.elements is None]
    for entry in whole if verb in wishes else ():
        if entry.open:
            with cluster.ledger.change() as change:
                change.rewrite(replace(entry, **wishes[verb]))


EDITS: Final[dict[str, Edit]] = {
    "time_limit": "time_limit",
    "priority": "priority",
    "nice": "nice",
    "partition": "partition",
    "qos": "qos",
    "account": "account",
    "name": "name",
    "throttle": "throttle",
}


def check_edit(cluster: Cluster, changes: Mapping[str, Any]) -> None:
    """Refuse what no site can change of a job that it has."""
    unknown = [field for field in changes if field not in EDITS]
    if unknown:
        raise Wrong(
            f"{cluster.name}: {unknown[0].replace('_', ' ')} of a job there cannot be changed",
            "what can: " + ", ".join(EDITS),
        )
