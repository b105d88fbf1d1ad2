"""Whose job a word means, where several clusters may know it, and where that job is by now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hpcshell.clusters import views
from hpcshell.clusters.leaving import follower
from hpcshell.core.errors import HpcError, NotFound, Refused, Wrong
from hpcshell.core.ids import Last, Named, select
from hpcshell.core.words import quote
from hpcshell.store.ledger.entries import Entry

if TYPE_CHECKING:
    from hpcshell.clusters.desk import Desk

Place = tuple[str, str]
"""A desk, and what it calls a job."""


class Whereabouts:
    """Words to jobs of some desks, which share a ledger."""

    def __init__(self, desks: Mapping[str, Desk]) -> None:
        self.desks = desks
        self.ledger = next(iter(desks.values())).cluster.ledger

    def by_desk(self, ids: Sequence[str]) -> dict[str, list[str]]:
        """The words that name jobs, by desk; those of moved jobs by where they are."""
        found: dict[str, list[str]] = {}
        for word in ids:
            for name, there in self._places(word):
                found.setdefault(name, []).append(there)
        return found

    def _places(self, word: str) -> list[Place]:
        """What a word names: jobs of one desk; of several only if it is a name."""
        before, colon, rest = word.partition(":")
        if colon and before in self.desks:
            return [self._followed(before, rest)]
        chosen = select(word)
        if isinstance(chosen, Last):
            return [self._last(chosen, word)]
        knowing = self._knowing(word)
        if isinstance(chosen, Named):
            return self._named(word, knowing)
        places = [self._followed(name, word) for name in knowing]
        if len({self._job(*place) for place in places}) > 1:
            several = " and on ".join(knowing)
            raise Wrong(f"job {quote(word)} is on {several}", f"write {next(iter(knowing))}:{word}")
        return places[:1]

    def _knowing(self, word: str) -> dict[str, list[dict[str, Any]]]:
        """What each desk that knows a word shows of it."""
        found: dict[str, list[dict[str, Any]]] = {}
        troubles: list[str] = []
        for name, desk in self.desks.items():
            try:
                found[name] = desk.call("show", ids=[word])["jobs"]
            except NotFound:
                continue
            except Wrong:  # it is there, and has no such part: that desk says so
                found[name] = []
            except HpcError as error:
                troubles.append(f"; {name} does not answer: {error.message}")
        if not found:
            raise NotFound(
                f"no cluster has a job {quote(word)}{''.join(troubles)}", "hpc queue --on any"
            )
        return found

    def _named(self, name: str, knowing: Mapping[str, list[dict[str, Any]]]) -> list[Place]:
        """All live jobs of a name, as on one cluster; else the latest."""
        shown = {
            desk: jobs
            for desk, jobs in knowing.items()
            if not self._all_moved(desk, name) or any(not views.is_over(job) for job in jobs)
        } or knowing
        alive = [
            (desk, name)
            for desk, jobs in shown.items()
            if any(not views.is_over(job) for job in jobs)
        ]
        if alive:
            return alive
        latest = max(shown, key=lambda desk: max(_submitted(job) for job in shown[desk] or [{}]))
        return [self._followed(latest, name)]

    def _all_moved(self, desk: str, name: str) -> bool:
        ledger = self.ledger
        entries = ledger.named(desk, name)
        return bool(entries) and all(follower(ledger, entry) is not None for entry in entries)

    def _last(self, chosen: Last, word: str) -> Place:
        """The latest submission to any of them."""
        entry = self.ledger.latest(tuple(self.desks), chosen.back)
        if entry is None:
            raise NotFound(f"there is no job {quote(word)}", "hpc queue --on any")
        rest = "" if chosen.indices is None else f"[{chosen.indices}]"
        return self._followed(entry.cluster, f"w{entry.serial}{rest}")

    def _followed(self, name: str, word: str) -> Place:
        """Where a job is by now that may have been moved."""
        number, bracket, rest = word.partition("[" if "[" in word else "_")
        entry = self._entry(name, number)
        while entry is not None and (after := follower(self.ledger, entry)):
            if after.cluster not in self.desks:
                break
            name, entry = after.cluster, after
            word = f"w{after.serial}{bracket}{rest}"
        return name, word

    def _job(self, name: str, word: str) -> tuple[str, object]:
        """The same for whatever a desk calls a job."""
        entry = self._entry(name, word.partition("[" if "[" in word else "_")[0])
        return name, entry.serial if entry is not None else word

    def _entry(self, name: str, word: str) -> Entry | None:
        """The submission that a desk calls so."""
        ledger = self.ledger
        if word.startswith("w") and word[1:].isdecimal():
            return ledger.entry(int(word[1:]))
        if word.isdecimal():
            return next(iter(ledger.numbered(name, int(word), int(word))), None)
        return None

    def entries(self, ids: Sequence[str]) -> list[Entry]:
        """The submissions that words name, where they are by now."""
        places = [place for word in ids for place in self._places(word)]
        return [self._of_record(name, word) for name, word in places]

    def _of_record(self, name: str, word: str) -> Entry:
        entry = self._entry(name, word)
        if entry is None:
            entry = next(iter(self.ledger.named(name, word)[::-1]), None)
        if entry is None:
            raise Refused(
                f"job {quote(word)} was not submitted here, and cannot be moved",
                "cancel it there, and submit it with --on any",
            )
        return entry


def _submitted(job: Mapping[str, Any]) -> float:
    return float(job.get("submit_time") or 0.0)
