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

from hpcshell.clusters import together
from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.desk import Desk
from hpcshell.clusters.federation import Offer, all_offers, best, cannot, limit_of, why
from hpcshell.clusters.rebalancing import Rebalancing
from hpcshell.clusters.submitting import check_unique
from hpcshell.clusters.verbs.submit import submit, submit_chosen
from hpcshell.clusters.verbs.wait import LONGEST
from hpcshell.clusters.whereabouts import Whereabouts
from hpcshell.core.errors import HpcError, Refused, Unreachable, Wrong
from hpcshell.core.jobspec import JobSpec
from hpcshell.core.records import Record
from hpcshell.machine import clock

LISTS: Final = ("jobs", "unchanged", "outputs", "done", "pending", "files")
"""Lists in answers, which are put together."""
SOONEST: Final = 2.0
"""Seconds between two looks of somebody who waits, at the least."""


class Choice(Record, frozen=True, kw_only=True):
    """A job as it is said for each of several clusters. `notes`: why others could not even be
    asked. `movable`: it may be moved while it waits."""

    specs: Mapping[str, JobSpec]
    notes: tuple[str, ...] = ()
    movable: bool = False


class AnyDesk:
    """The verbs of jobs on all of some desks. `missing`: why others could not be opened."""

    page = 0

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
        self.whereabouts = Whereabouts(desks)

    def call(self, verb: str, **args: Any) -> Any:
        """Do one thing; raises the `HpcError` that says why not."""
        match verb:
            case "submit":
                return self._submit(**args)
            case "estimate":
                return self._estimate(**args)
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

    @property
    def unkept(self) -> str:
        """Why something that was learned is not kept; "": all of it is."""
        return next((each.unkept for each in self.desks.values() if each.unkept), "")

    def opened(self, name: str) -> Cluster:
        """The cluster of a name."""
        return self.moves.opened(name)

    # ----------------------------------------------------------------------------------- submitting

    def _submit(self, submissions: Sequence[Choice], dry_run: bool = False) -> dict[str, Any]:
        return {"jobs": [self._one(each, dry_run) for each in submissions]}

    def _estimate(self, submission: Choice) -> dict[str, Any]:
        made = all_offers(submission.specs, self.opened)
        chosen = best(made, limit_of(submission.specs))
        return {
            "offers": [each.document() for each in made],
            "chosen": None if chosen is None else chosen.cluster,
        }

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
        if made and all(each.silent for each in made):
            raise Unreachable(f"no cluster answers: {told}", "hpc cluster status")
        never = all(each.never for each in made) and not self.missing
        kind = Wrong if never else Refused
        raise kind(f"no cluster can run it: {told}", "how they answer: hpc cluster status")

    def _hand_over(
        self, choice: Choice, chosen: Offer, reason: str, dry_run: bool
    ) -> dict[str, Any]:
        desk, spec = self.desks[chosen.cluster], choice.specs[chosen.cluster]
        if dry_run:
            answer: dict[str, Any] = submit(desk, [spec], dry_run=True)["jobs"][0]
            return answer
        others = {name: each for name, each in choice.specs.items() if name != chosen.cluster}
        return submit_chosen(desk, spec, reason, others, choice.movable)

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
        for name, words in self.whereabouts.by_desk(ids).items():
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

    # -------------------------------------------------------------------------------- better places

    def _rebalance(self, ids: Sequence[str] = ()) -> dict[str, Any]:
        """Move what waits to where it is done sooner; without ids all that may be moved."""
        entries = [*self.moves.unfinished(), *self.moves.movable()]
        if ids:
            entries = self.whereabouts.entries(ids)
        return {"jobs": self.moves.rebalance(entries, named=bool(ids))}


def _silence(name: str, error: HpcError) -> dict[str, Any]:
    return {"cluster": name, "message": error.message, "since": None}


def _as_one(troubles: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One trouble that tells of all."""
    if len(troubles) == 1:
        return troubles[0]
    names = ", ".join(each["cluster"] for each in troubles)
    messages = "; ".join(f"{each['cluster']}: {each['message']}" for each in troubles)
    return {"cluster": names, "message": messages, "since": None}
