"""Verbs that change jobs on a cluster: each is said of many jobs at once, and answered for each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from hpcshell.backends.contract import Change, Edit, Trouble, Words
from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.finding import Found
from hpcshell.clusters.known import Element, Known, elements_of
from hpcshell.clusters.leaving import follower, may_leave, moved, staying
from hpcshell.clusters.submitting import CANCELLED
from hpcshell.clusters.troubles import UNANSWERED, raised
from hpcshell.clusters.views import label_of, number
from hpcshell.core.errors import Refused, Wrong
from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import Record
from hpcshell.core.sightings import UNKNOWN, Sighting
from hpcshell.machine import clock
from hpcshell.store.ledger.entries import Part
from hpcshell.store.ledger.failures import UNWRITABLE
from hpcshell.store.ledger.writing import Change as Writing

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
_NEAREST: Final = re.compile("[:;] ")
"""What stands between what is lacking and the nearest thing to it."""
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


def change(
    cluster: Cluster,
    verb: str,
    found: Sequence[Found],
    states: set[str],
    say: Say,
    *,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Do one thing to what was found (of elements only to those in some states). The answer is that
    of the daemon's verb. Raises `NotYet` for what is being moved, but not for its end."""
    if any(_is_there(one) for one in found):
        cluster.confirm()
    if dry_run:
        return Changing(cluster, verb, found, states).carry_out(say, dry_run=True)
    whole = verb == "cancel" and not states and all(one.elements is None for one in found)
    several = [one.known.entry for one in found if one.known is not None and not whole]
    with staying(cluster, several):
        wished = found if states else record_wish(cluster, verb, found)
        return Changing(cluster, verb, wished, states).carry_out(say)


def _is_there(found: Found) -> bool:
    """Whether the site has it, so that something is said to the site."""
    return found.known is None or any(part.state == "known" for part in found.known.parts)


class Target(Record, frozen=True, kw_only=True):
    """What one id of the site's stands for: a job, a part of an array, or one element. `part`: the
    part that it is of (None: it was not submitted here); `whole`: it is all of that."""

    native: str
    id: int | str
    part: Part | None = None
    whole: bool = False
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
            self._done(targets, dry_run=dry_run)
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
        sentence, *nearest = _NEAREST.split(told, maxsplit=1)
        return Refused(f"{self.cluster.name}: {sentence}", nearest[0] if nearest else None)

    def _answered(self, targets: Sequence[Target], change: Change) -> None:
        done = [target for target in targets if target.native not in change.troubles]
        if self.verb == "cancel":
            self._agreed(done)
        if not done and self.verb in self.cluster.backend.lacks and _all_denied(change):
            raise self._lacking()
        self._done(done)
        for target in targets:
            if (trouble := change.troubles.get(target.native)) is None:
                continue
            if trouble.kind in UNANSWERED and not self.changed and not self.unchanged:
                raise raised(trouble, self.cluster.name)
            self.unchanged.append(_refusal(target, trouble))

    def _agreed(self, targets: Iterable[Target]) -> None:
        """Take down what the site agreed to end: not all tell of an end whose wish it was."""
        whole: list[Part] = []
        elements: dict[int, tuple[Part, list[int]]] = {}
        for target in targets:
            if target.part is None:
                continue
            if target.whole or target.element is None:
                whole.append(target.part)
            else:
                _, several = elements.setdefault(id(target.part), (target.part, []))
                several.append(target.element)

        def agreed(record: Writing) -> None:
            record.cancelled(whole, clock.now())
            for part, several in elements.values():
                record.unwanted(part, several)

        if whole or elements:
            self.cluster.ledger.learn(agreed)

    def _done(self, targets: Iterable[Target], *, dry_run: bool = False) -> None:
        """A line for each job, and for each element that was named; the parts of one are one."""
        lines: dict[tuple[object, ...], tuple[dict[str, Any], int]] = {}
        for target in targets:
            now = None if dry_run else RESULT.get(self.verb, target.was)
            line = {"id": target.id, "element": target.element, "was": target.was, "now": now}
            which = (*line.values(), target.whole)
            count = lines.setdefault(which, (line, 0))[1] + target.elements
            lines[which] = line, count
        for line, count in lines.values():
            self.changed.append(line | ({"elements": count} if count > 1 else {}))

    # -------------------------------------------------------------------------------- what is meant

    def _targets(self, found: Found, dry_run: bool) -> list[Target]:
        if found.known is None:
            return [self._stranger(one) for one in found.strangers if self._fits(one)]
        known = found.known
        targets: list[Target] = []
        self._unsent(found, dry_run)
        if found.elements is None and not self.states:
            targets += [
                target for part in known.parts if (target := self._whole(known, part)) is not None
            ]
        else:
            if self.verb == "cancel":
                self._take_out(found, dry_run)
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
        was = Counter(one.state for one in fitting).most_common(1)[0][0]
        return Target(
            native=part.native,
            id=number(label_of(known)),
            part=part,
            whole=True,
            was=was,
            elements=len(fitting),
        )

    def _elements(self, found: Found) -> list[Target]:
        known = found.known
        assert known is not None
        element_id = self.cluster.backend.element_id
        of, label = parts_of(known), number(label_of(known))
        targets = []
        for element in found.members():
            part, one = of[element], known.elements[element]
            if part.state != "known" or not self._fits(one):
                continue
            native = part.native
            if element is not None:
                native = element_id(part.native, element - part.offset)
            targets.append(
                Target(native=native, id=label, part=part, element=element, was=one.state)
            )
        return targets

    def _unsent(self, found: Found, dry_run: bool) -> None:
        """What waits here: it can be cancelled, held and released without asking the site. What the
        site may have is ended once it is found there."""
        known = found.known
        assert known is not None
        whole = found.elements is None and not self.states
        states = ("planned", "asking") if self.verb == "cancel" else ("planned",)
        parts = [part for part in known.parts if part.state in states]
        if not parts or not whole or self.verb not in ("cancel", "hold", "release"):
            return
        label = number(label_of(known))
        line = {"id": label, "element": None, "was": known.elements[_first(parts[0])].state}
        line["now"] = RESULT.get(self.verb, line["was"]) if not dry_run else None
        if not dry_run and self.verb == "cancel":
            with self.cluster.ledger.change() as change:
                change.withdraw(known.entry.serial, clock.now(), CANCELLED)
        self.changed.append(line)

    def _take_out(self, found: Found, dry_run: bool) -> None:
        """Elements that wait here are not sent with the others."""
        known = found.known
        assert known is not None
        of, label, now = parts_of(known), number(label_of(known)), clock.now()
        waiting: dict[int, tuple[Part, dict[int, str]]] = {}
        for element in found.members():
            part, one = of[element], known.elements[element]
            if element is not None and part.state == "planned" and self._fits(one):
                waiting.setdefault(part.number, (part, {}))[1][element] = one.state
        for part, elements in waiting.values():
            if not dry_run:
                with self.cluster.ledger.change() as change:
                    if not change.take_out(part, elements, now, CANCELLED):
                        continue
            result = None if dry_run else RESULT["cancel"]
            self.changed += [
                {"id": label, "element": element, "was": was, "now": result}
                for element, was in elements.items()
            ]

    def _say_why(self, known: Known) -> None:
        label, ended = label_of(known), known.over
        why = f"job {label} has ended" if ended else f"nothing of job {label} {NOTHING[self.verb]}"
        if any(one.state == UNKNOWN for one in known.elements.values()):
            why = f"what job {label} does is not known now: try again when it is"
        self.unchanged.append({"id": number(label), "why": why, "ended": ended})


def _members(known: Known, part: Part) -> Mapping[Element, Sighting]:
    if len(known.parts) == 1:
        return known.elements
    return {element: known.elements[element] for element in elements_of(part.indices)}


def parts_of(known: Known) -> Mapping[Element, Part]:
    """The part that each element belongs to."""
    return {element: part for part in known.parts for element in elements_of(part.indices)}


def _first(part: Part) -> Element:
    return IndexSet.parse(part.indices).first if part.indices else None


def _all_denied(change: Change) -> bool:
    """Whether only others than this user may do that there."""
    return all(trouble.kind == "denied" for trouble in change.troubles.values())


def _refusal(target: Target, trouble: Trouble) -> dict[str, Any]:
    name = str(target.id) if target.element is None else f"{target.id}_{target.element}"
    gone = trouble.kind == "gone"
    why = f"job {name}: {trouble.message}" + (f" ({trouble.hint})" if trouble.hint else "")
    return {"id": target.id, "why": why, "ended": gone}


# -------------------------------------------------------------------------------- what is recorded


def record_wish(cluster: Cluster, verb: str, found: Sequence[Found]) -> list[Found]:
    """Keep what somebody wants of whole submissions that the site does not have, may not have, or
    may not keep: their end, or to be held. Returns what was found with its parts as they are after
    that."""
    wishes: dict[str, dict[str, Any]] = {
        "cancel": {"cancelled": clock.now()},
        "hold": {"held": True},
        "release": {"held": False},
    }
    return [_kept(cluster, one, wishes[verb]) if verb in wishes else one for one in found]


def _kept(cluster: Cluster, found: Found, wish: Mapping[str, Any]) -> Found:
    """What the site has it can be asked for, whether that can be recorded or not."""
    try:
        return _wished(cluster, found, wish)
    except UNWRITABLE as error:
        if found.known and any(part.state in ("planned", "asking") for part in found.known.parts):
            raise
        cluster.ledger.unkept = error.message
        return found


def _wished(cluster: Cluster, found: Found, wish: Mapping[str, Any]) -> Found:
    known = found.known
    if known is None or found.elements is not None:
        return found
    if all(part.state == "known" for part in known.parts) and not may_leave(known.entry):
        return found
    if "held" in wish and any(part.state == "asking" for part in known.parts):
        return found  # it may be there, and run: nobody can hold it now
    serial = known.entry.serial
    with cluster.ledger.change() as change:
        entry = cluster.ledger.entry(serial)
        if entry is None or not entry.open:
            return found
        if follower(cluster.ledger, entry) is not None:
            raise moved(entry)
        entry = replace(entry, **wish)
        change.rewrite(entry)
        parts = tuple(cluster.ledger.parts(serial))
    return replace(found, known=replace(known, entry=entry, parts=parts))


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
