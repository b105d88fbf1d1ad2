"""All clusters behind one desk: a job goes to the one that has it done first, and the lists are
those of all of them.

An id that several clusters know is asked back; a job that was moved is followed to where it is.
Whoever looks goes on with moves that were begun.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from hpcshell.clusters import together, views
from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.desk import LONGEST, Desk
from hpcshell.clusters.federation import Offer, Open, all_offers, best, cannot, limit_of, why
from hpcshell.clusters.leaving import follower
from hpcshell.clusters.rebalancing import Rebalancing
from hpcshell.clusters.submitting import check_unique
from hpcshell.core.errors import HpcError, NotFound, Refused, Unreachable, Wrong
from hpcshell.core.ids import Last, Named, select
from hpcshell.core.jobspec import JobSpec
from hpcshell.core.records import Record
from hpcshell.core.words import quote
from hpcshell.machine import clock
from hpcshell.store.ledger.entries import Entry

LISTS: Final = ("jobs", "unchanged", "outputs", "done", "pending", "files")
"""Lists in answers, which are put together."""
SOONEST: Final = 2.0
"""Seconds between two looks of somebody who waits, at the least."""

Place = tuple[str, str]
"""A desk, and what it calls a job."""


class Choice(Record, frozen=True, kw_only=True):
    """A job as it is said for each of several clusters. `notes`: why others could not even be
    asked. `movable`: it may be moved while it waits."""

    specs: Mapping[str, JobSpec]
    notes: tuple[str, ...] = ()
    movable: bool = False


def _estimate(opened: Open, submission: Choice) -> dict[str, Any]:
    """When each would start a job that is not submitted, and which is chosen."""
    made = all_offers(submission.specs, opened)
    chosen = best(made, limit_of(submission.specs))
    return {
        "offers": [each.document() for each in made],
        "chosen": None if chosen is None else chosen.cluster,
    }


class AnyDesk:
    """The verbs of jobs on all of some desks, by name. `missing`: why others could not be opened."""

    def __init__(
        self,
        desks: Mapping[str, Desk],
        pause: Callable[[float], None] = time.sleep,
        missing: Mapping[str, HpcError] | None = None,
    ) -> None:
        self.desks = desks
        self.missing = missing or {}
        self.pause = pause
        self.moves = Rebalancing(desks, pause)

    def call(self, verb: str, **args: Any) -> Any:
        """Do one thing; raises the `HpcError` that says why not."""
        match verb:
            case "submit":
                return self._submit(**args)
            case "estimate":
                return _estimate(self.opened, **args)
            case "size" | "read":
                return self.desks[args["cluster"]].call(verb, **args)
            case "rebalance":
                return self._rebalance(**args)
        self.moves.finish()
        match verb:
            case "queue" | "history":
                return self._list(verb, **args)
            case "wait":
                return self._wait(**args)
        if not args.get("ids"):
            raise Wrong("which jobs?", "name ids, or one cluster with --on")
        return self._each(verb, **args)

    def opened(self, name: str) -> Cluster:
        """The cluster of a name."""
        return self.moves.opened(name)

    # ----------------------------------------------------------------------------------- submitting

    def _submit(self, submissions: Sequence[Choice], dry_run: bool = False) -> dict[str, Any]:
        return {"jobs": [self._one(each, dry_run) for each in submissions]}

    def _one(self, choice: Choice, dry_run: bool) -> dict[str, Any]:
        """To the best; if that does not take it after all, to the next."""
        away = [f"{name} cannot be asked: {each.message}" for name, each in self.missing.items()]
        notes = [*choice.notes, *away]
        for name, spec in choice.specs.items():
            check_unique(spec, self.opened(name))
        made = all_offers(choice.specs, self.opened)
        while (chosen := best(made, limit_of(choice.specs))) is not None:
            reason = "; ".join([why(made, chosen), *notes])
            try:
                answer = self._hand_over(choice, chosen, reason, dry_run)
            except (Wrong, Refused) as error:
                refused = cannot(self.opened(chosen.cluster), error)
                made = [refused if each is chosen else each for each in made]
                continue
            answer["notes"] = [f"on {chosen.cluster}: {reason}", *answer["notes"]]
            return answer | {"cluster": chosen.cluster}
        told = "; ".join([*(each.sentence for each in made), *notes])
        raise Refused(f"no cluster can run it: {told}", "how they answer: hpc cluster status")

    def _hand_over(
        self, choice: Choice, chosen: Offer, reason: str, dry_run: bool
    ) -> dict[str, Any]:
        desk, spec = self.desks[chosen.cluster], choice.specs[chosen.cluster]
        if dry_run:
            answer: dict[str, Any] = desk.submit([spec], dry_run=True)["jobs"][0]
            return answer
        others = {name: each for name, each in choice.specs.items() if name != chosen.cluster}
        return desk.submit_chosen(spec, reason, others, choice.movable)

    # -------------------------------------------------------------------------------------- looking

    def _list(self, verb: str, limit: int, offset: int = 0, **filters: Any) -> dict[str, Any]:
        """The rows of all; who does not answer is said, and the others are listed."""
        asks = [
            partial(desk.call, verb, limit=0, offset=0, **filters) for desk in self.desks.values()
        ]
        answers = dict(zip(self.desks, together.at_once(asks, together.PATIENCE), strict=True))
        heard = [each for each in answers.values() if not isinstance(each, HpcError)]
        silent = {name: each for name, each in answers.items() if isinstance(each, HpcError)}
        silent |= self.missing
        if not heard:
            name, error = next(iter(silent.items()))
            raise Unreachable(f"{name}: {error.message}", error.hint)
        rows = [row for answer in heard for row in answer["rows"]]
        if verb == "history":
            rows.sort(key=lambda row: -(row["end_time"] or 0.0))
        counts: Counter[str] = Counter()
        for answer in heard:
            counts.update(answer.get("counts") or {})
        page = rows[offset : offset + limit] if limit else rows[offset:]
        whole = {"rows": page, "total": len(rows), "counts": dict(counts)}
        troubles = [each["trouble"] for each in heard if each.get("trouble")]
        troubles += [_silence(name, error) for name, error in silent.items()]
        return whole | ({"trouble": _as_one(troubles)} if troubles else {})

    def _each(self, verb: str, ids: Sequence[str], **args: Any) -> dict[str, Any]:
        """Ask each desk about those of the jobs that are its own."""
        together: dict[str, Any] = {}
        for name, words in self._by_desk(ids).items():
            answer = self.desks[name].call(verb, ids=words, **args)
            for field, value in answer.items():
                if field in LISTS:
                    together.setdefault(field, []).extend(value)
                else:
                    together[field] = value
        return together

    def _wait(
        self, ids: Sequence[str], any: bool = False, timeout: float | None = None
    ) -> dict[str, Any]:
        deadline = None if timeout is None else clock.monotonic() + timeout
        interval = SOONEST
        while True:
            answer = self._each("wait", ids, any=any, timeout=0.0)
            if not answer["pending"] or (any and answer["done"]):
                return answer | {"timed_out": False}
            left = None if deadline is None else deadline - clock.monotonic()
            if left is not None and left <= 0:
                return answer | {"timed_out": True}
            self.pause(interval if left is None else min(interval, left))
            interval = min(interval * 1.5, LONGEST)
            self.moves.finish()

    # ------------------------------------------------------------------------------ whose job it is

    def _by_desk(self, ids: Sequence[str]) -> dict[str, list[str]]:
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
        ledger = self.opened(desk).ledger
        entries = ledger.named(desk, name)
        return bool(entries) and all(follower(ledger, entry) is not None for entry in entries)

    def _last(self, chosen: Last, word: str) -> Place:
        """The latest submission to any of them."""
        ledger = next(iter(self.desks.values())).cluster.ledger
        entry = ledger.latest(tuple(self.desks), chosen.back)
        if entry is None:
            raise NotFound(f"there is no job {quote(word)}", "hpc queue --on any")
        rest = "" if chosen.indices is None else f"[{chosen.indices}]"
        return self._followed(entry.cluster, f"w{entry.serial}{rest}")

    def _followed(self, name: str, word: str) -> Place:
        """Where a job is by now that may have been moved."""
        number, bracket, rest = word.partition("[" if "[" in word else "_")
        entry = self._entry(name, number)
        while entry is not None and (after := follower(self.opened(name).ledger, entry)):
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
        ledger = self.opened(name).ledger
        if word.startswith("w") and word[1:].isdecimal():
            return ledger.entry(int(word[1:]))
        if word.isdecimal():
            return next(iter(ledger.numbered(name, int(word), int(word))), None)
        return None

    # -------------------------------------------------------------------------------- better places

    def _rebalance(self, ids: Sequence[str] = ()) -> dict[str, Any]:
        """Move what waits to where it is done sooner; without ids all that may be moved."""
        entries = [*self.moves.unfinished(), *self.moves.movable()]
        if ids:
            places = [place for word in ids for place in self._places(word)]
            entries = [self._of_record(name, word) for name, word in places]
        return {"jobs": self.moves.rebalance(entries)}

    def _of_record(self, name: str, word: str) -> Entry:
        entry = self._entry(name, word)
        if entry is None:
            entry = next(iter(self.opened(name).ledger.named(name, word)[::-1]), None)
        if entry is None:
            raise Refused(f"job {quote(word)} was not submitted here, and cannot be moved")
        return entry


def _submitted(job: Mapping[str, Any]) -> float:
    return float(job.get("submit_time") or 0.0)


def _silence(name: str, error: HpcError) -> dict[str, Any]:
    return {"cluster": name, "message": error.message, "since": None}


def _as_one(troubles: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One trouble that tells of all."""
    if len(troubles) == 1:
        return troubles[0]
    names = ", ".join(each["cluster"] for each in troubles)
    messages = "; ".join(f"{each['cluster']}: {each['message']}" for each in troubles)
    return {"cluster": names, "message": messages, "since": None}
