"""All clusters behind one desk: a job goes to the one that has it done first, and the lists are
those of all of them.

An id that several clusters know is asked back; a job that was moved is followed to where it is.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.desk import Desk
from hpcshell.clusters.federation import choose, why
from hpcshell.clusters.moving import Moving, moved_key
from hpcshell.core.errors import HpcError, NotFound, Refused, Unreachable, Wrong
from hpcshell.core.ids import Last, select
from hpcshell.core.jobspec import JobSpec
from hpcshell.core.records import Record
from hpcshell.core.words import quote
from hpcshell.machine import clock
from hpcshell.store.ledger.entries import Entry

LISTS: Final = ("jobs", "unchanged", "outputs", "done", "pending", "files")
"""Lists in answers, which are put together."""
EVERY: Final = 2.0


class Choice(Record, frozen=True, kw_only=True):
    """A job as it is said for each of several clusters. `notes`: why others could not even be
    asked. `movable`: it may be moved while it waits."""

    specs: Mapping[str, JobSpec]
    notes: tuple[str, ...] = ()
    movable: bool = False


class AnyDesk:
    """The verbs of jobs on all of some desks, by name."""

    def __init__(self, desks: Mapping[str, Desk], pause: Callable[[float], None] = time.sleep):
        self.desks = desks
        self.pause = pause

    def call(self, verb: str, **args: Any) -> Any:
        """Do one thing; raises the `HpcError` that says why not."""
        match verb:
            case "submit":
                return self._submit(**args)
            case "estimate":
                return self._estimate(**args)
            case "queue" | "history":
                return self._list(verb, **args)
            case "size" | "read":
                return self.desks[args["cluster"]].call(verb, **args)
            case "wait":
                return self._wait(**args)
            case "rebalance":
                return self._rebalance(**args)
        if not args.get("ids"):
            raise Wrong("which jobs?", "name ids, or one cluster with --on")
        return self._each(verb, **args)

    def opened(self, name: str) -> Cluster:
        """The cluster of a name."""
        return self.desks[name].cluster

    # ----------------------------------------------------------------------------------- submitting

    def _submit(self, submissions: Sequence[Choice], dry_run: bool = False) -> dict[str, Any]:
        return {"jobs": [self._one(each, dry_run) for each in submissions]}

    def _estimate(self, submission: Choice) -> dict[str, Any]:
        made, best = choose(submission.specs, self.opened)
        chosen = None if best is None else best.cluster
        return {"offers": [each.document() for each in made], "chosen": chosen}

    def _one(self, choice: Choice, dry_run: bool) -> dict[str, Any]:
        made, best = choose(choice.specs, self.opened)
        if best is None:
            told = "; ".join([*(each.sentence for each in made), *choice.notes])
            raise Refused(f"no cluster can run it: {told}", "hpc cluster status")
        reason = "; ".join([why(made, best), *choice.notes])
        desk, spec = self.desks[best.cluster], choice.specs[best.cluster]
        if dry_run:
            answer: dict[str, Any] = desk.submit([spec], dry_run=True)["jobs"][0]
        else:
            elsewhere = {name: each for name, each in choice.specs.items() if name != best.cluster}
            answer = desk.submit_chosen(spec, reason, elsewhere, choice.movable)
        answer["notes"] = [f"on {best.cluster}: {reason}", *answer["notes"]]
        return answer | {"cluster": best.cluster}

    # -------------------------------------------------------------------------------------- looking

    def _list(self, verb: str, limit: int, offset: int = 0, **filters: Any) -> dict[str, Any]:
        """The rows of all; who does not answer is said, and the others are listed."""

        def ask(desk: Desk) -> dict[str, Any] | HpcError:
            try:
                answer: dict[str, Any] = desk.call(verb, limit=0, offset=0, **filters)
            except HpcError as error:
                return error
            return answer

        with ThreadPoolExecutor(max_workers=max(1, len(self.desks))) as pool:
            answers = dict(zip(self.desks, pool.map(ask, self.desks.values()), strict=True))
        heard = [each for each in answers.values() if not isinstance(each, HpcError)]
        silent = {name: each for name, each in answers.items() if isinstance(each, HpcError)}
        if silent and not heard:
            name, error = next(iter(silent.items()))
            raise Unreachable(f"{name}: {error.message}", error.hint)
        rows = [row for answer in heard for row in answer["rows"]]
        counts: Counter[str] = Counter()
        for answer in heard:
            counts.update(answer.get("counts") or {})
        trouble = next((answer["trouble"] for answer in heard if answer.get("trouble")), None)
        for name, error in silent.items():
            trouble = {"cluster": name, "message": error.message, "since": None}
        whole = {"rows": rows[offset : offset + limit] if limit else rows, "total": len(rows)}
        return whole | {"counts": dict(counts)} | ({"trouble": trouble} if trouble else {})

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
        while True:
            answer = self._each("wait", ids, any=any, timeout=0.0)
            if not answer["pending"] or (any and answer["done"]):
                return answer | {"timed_out": False}
            left = None if deadline is None else deadline - clock.monotonic()
            if left is not None and left <= 0:
                return answer | {"timed_out": True}
            self.pause(EVERY if left is None else min(EVERY, left))

    # ------------------------------------------------------------------------------ whose job it is

    def _by_desk(self, ids: Sequence[str]) -> dict[str, list[str]]:
        """The words that name jobs, by desk; those of moved jobs by where they are."""
        found: dict[str, list[str]] = {}
        for word in ids:
            name, there = self._followed(*self._whose(word))
            found.setdefault(name, []).append(there)
        return found

    def _whose(self, word: str) -> tuple[str, str]:
        """The desk that knows a job, and what it is called there."""
        before, colon, rest = word.partition(":")
        if colon and before in self.desks:
            return before, rest
        chosen = select(word)
        if isinstance(chosen, Last):
            return self._last(chosen, word)
        knows = []
        for name, desk in self.desks.items():
            try:
                desk.call("show", ids=[word])
            except NotFound:
                continue
            knows.append(name)
        if not knows:
            raise NotFound(f"no cluster has a job {quote(word)}", "hpc queue --on any")
        if len(knows) > 1:
            raise Wrong(
                f"job {quote(word)} is on {' and on '.join(knows)}", f"write {knows[0]}:{word}"
            )
        return knows[0], word

    def _last(self, chosen: Last, word: str) -> tuple[str, str]:
        """The latest submission to any of them."""
        ledger = next(iter(self.desks.values())).cluster.ledger
        entries = ledger.latest(tuple(self.desks), chosen.back + 1)
        if len(entries) <= chosen.back:
            raise NotFound(f"there is no job {quote(word)}", "hpc queue --on any")
        rest = "" if chosen.indices is None else f"[{chosen.indices}]"
        entry = entries[chosen.back]
        return entry.cluster, f"w{entry.serial}{rest}"

    def _followed(self, name: str, word: str) -> tuple[str, str]:
        """Where a job is by now that may have been moved."""
        entry = self._entry(name, word)
        while entry is not None and entry.moved:
            after = self.opened(name).ledger.keyed(moved_key(entry))
            if after is None or after.cluster not in self.desks:
                break
            name, word, entry = after.cluster, f"w{after.serial}", after
        return name, word

    def _entry(self, name: str, word: str) -> Entry | None:
        ledger = self.opened(name).ledger
        if word.startswith("w") and word[1:].isdecimal():
            return ledger.entry(int(word[1:]))
        if word.isdecimal():
            return next(iter(ledger.numbered(name, int(word), int(word))), None)
        return None

    # -------------------------------------------------------------------------------- better places

    def _rebalance(self, ids: Sequence[str] = ()) -> dict[str, Any]:
        """Move what waits to where it is done sooner; without ids all that may be moved."""
        moving = Moving(self.opened, self.pause)
        entries = [
            entry
            for name, desk in self.desks.items()
            for entry in desk.cluster.ledger.open_entries(name)
            if (entry.movable or entry.moved) and not ids
        ]
        for name, words in self._by_desk(ids).items():
            entries += [one for word in words if (one := self._entry(name, word)) is not None]
        return {"jobs": [self._rebalanced(moving, entry) for entry in entries]}

    def _rebalanced(self, moving: Moving, entry: Entry) -> dict[str, Any]:
        if entry.moved:
            moved = moving.finish(entry.serial, self.opened(entry.cluster))
            told = f"moved to {moved.cluster}" if moved else "its end there is waited for"
        else:
            told = moving.rebalance(entry)
        return {"id": entry.number or f"w{entry.serial}", "cluster": entry.cluster, "told": told}
