"""Limits of QOS, partitions, accounts and users: how much may run, wait, and be held at once.

A `Rule` says whose limits they are and for whom each counts; `Throttle` counts what is in use and
says, with a word of Slurm's and a sentence with figures, which limit keeps a job from starting or
from being submitted. All rules that apply must hold. Every call costs as much as there are rules
for the claimant, however much runs.

    throttle = Throttle([Rule(kind="qos", name="short", each="user",
                              limits=Limits(max_running_jobs=2))])
    throttle.never(claimant)         can it ever start? else why not (several: all together)
    throttle.admits(claimant)        may it be submitted now? then enter(claimant)
    throttle.allows(claimant)        may it start now? then add(claimant)
    throttle.remove(claimant)        it runs no more
    throttle.leave(claimant)         it is over, or was cancelled while it waited

How Slurm says the same: MaxTRESPerUser, MaxJobsPerUser and MaxSubmitJobsPerUser of a QOS are `qos`
with `each="user"`, its GrpTRES and GrpJobs `qos` as a whole, its MaxTRESPerJob and MaxWall `qos`
with `each="job"`; GrpTRES of an account is `account` as a whole, its MaxJobs `account` with
`each="user"`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from hpcshell.core.errors import Wrong
from hpcshell.core.records import WHOLE, Reason, Record, Request
from hpcshell.core.units import LARGEST, LONGEST
from hpcshell.core.words import check_name
from hpcshell.policy.checks import check_number
from hpcshell.policy.reasons import amount, figure, span

EVERY: Final = "*"
"""The name of a rule for all of its kind, each counted alone."""

_TOTALS: Final = ("cpus", "memory", "gpus", "running", "submitted")
_SIZES: Final = ("cpus", "memory", "gpus", "time")
_QOS_TOTAL: Final = (
    "QOSGrpCpuLimit",
    "QOSGrpMemLimit",
    "QOSGrpGRES",
    "QOSGrpJobsLimit",
    "QOSGrpSubmitJobsLimit",
)
_QOS_USER: Final = (
    "QOSMaxCpuPerUserLimit",
    "QOSMaxMemoryPerUser",
    "QOSMaxGRESPerUser",
    "QOSMaxJobsPerUserLimit",
    "QOSMaxSubmitJobPerUserLimit",
)
_QOS_ACCOUNT: Final = (
    "MaxCpuPerAccount",
    "MaxMemoryPerAccount",
    "MaxGRESPerAccount",
    "MaxJobsPerAccount",
    "MaxSubmitJobsPerAccount",
)
_QOS_JOB: Final = ("QOSMaxCpuPerJobLimit", "QOSMaxMemoryPerJob", "QOSMaxGRESPerJob")
_ASSOC_SIZES: Final = ("AssocGrpCpuLimit", "AssocGrpMemLimit", "AssocGrpGRES")
_ASSOC_TOTAL: Final = (*_ASSOC_SIZES, "AssocGrpJobsLimit", "AssocGrpSubmitJobsLimit")
_ASSOC_USER: Final = (*_ASSOC_SIZES, "AssocMaxJobsLimit", "AssocMaxSubmitJobLimit")
_ASSOC_JOB: Final = (
    "AssocMaxCpuPerJobLimit",
    "AssocMaxMemPerJob",
    "AssocMaxGRESPerJob",
    "AssocMaxWallDurationPerJobLimit",
)

CODES: Final[dict[tuple[str, str], dict[str, str]]] = {
    (kind, each): dict(zip(_SIZES if each == "job" else _TOTALS, words, strict=True))
    for kind, each, words in (
        ("qos", "", _QOS_TOTAL),
        ("qos", "user", _QOS_USER),
        ("qos", "account", _QOS_ACCOUNT),
        ("qos", "job", (*_QOS_JOB, "QOSMaxWallDurationPerJobLimit")),
        ("partition", "", _QOS_TOTAL),
        ("partition", "user", _QOS_USER),
        ("partition", "account", _QOS_ACCOUNT),
        ("partition", "job", (*_QOS_JOB, "PartitionTimeLimit")),
        ("account", "", _ASSOC_TOTAL),
        ("account", "user", _ASSOC_USER),
        ("account", "job", _ASSOC_JOB),
        ("user", "", _ASSOC_USER),
        ("user", "job", _ASSOC_JOB),
    )
}
"""(kind, each) of a rule -> what it limits -> the word Slurm has for it.

To Slurm the limits of a partition are those of a QOS of its own, and those of a user in an account
belong to an association, which limits what it holds as a group of one.
"""

_FIELDS: Final = {
    "cpus": "max_cpus",
    "memory": "max_memory",
    "gpus": "max_gpus",
    "running": "max_running_jobs",
    "submitted": "max_submitted_jobs",
}


class Limits(Record, frozen=True, kw_only=True):
    """At most so much; None: not limited. `max_time` in seconds, `max_memory` in bytes.

    Raises `Wrong` for what is no number or below zero.
    """

    max_running_jobs: int | None = None
    max_submitted_jobs: int | None = None
    max_cpus: int | None = None
    max_memory: int | None = None
    max_gpus: int | None = None
    max_time: float | None = None

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            limit = getattr(self, name)
            if limit is not None:
                check_number(name, limit, most=LONGEST if name == "max_time" else LARGEST)

    def of(self, what: str) -> int | None:
        """The limit of one of `cpus memory gpus running submitted`; gpus in hundredths."""
        limit: int | None = getattr(self, _FIELDS[what])
        return limit * WHOLE if limit is not None and what == "gpus" else limit


class Rule(Record, frozen=True, kw_only=True):
    """Limits of a `qos`, `partition`, `account` or `user` (`kind`) of that name, or of every one
    (`*`) that has no rule of its own with the same `each`.

    `each` says for whom they count: "" all of its jobs together (those of an account with all
    accounts below it), `user` or `account` the jobs of each of these in it, `job` each single job.
    Raises `Wrong` for a rule that limits nothing that can be counted so.
    """

    kind: str
    name: str
    each: str = ""
    limits: Limits

    def __post_init__(self) -> None:
        check_name(self.name, f"limits of {self.kind}")
        if (self.kind, self.each) not in CODES:
            known = ", ".join(f"{kind}/{each or 'all'}" for kind, each in CODES)
            raise Wrong(f"limits of {self.kind} for each {self.each!r}", f"there are {known}")
        limits = self.limits
        jobs = (limits.max_running_jobs, limits.max_submitted_jobs)
        if self.each == "job" and any(limit is not None for limit in jobs):
            raise Wrong(f"{self._whose()}: a number of jobs for each job", "leave it out")
        if self.each != "job" and limits.max_time is not None:
            raise Wrong(f"{self._whose()}: a time in all", "a time is a limit of each job")

    def _whose(self) -> str:
        return f"limits of {self.kind} {self.name}"


class Claimant(Record, frozen=True, kw_only=True):
    """Whose element asks for what. `accounts`: its own first, then those above it; "" and none: it
    is in no QOS, no account. An exclusive request is given as what it will hold."""

    user: str
    accounts: tuple[str, ...] = ()
    qos: str = ""
    partition: str = ""
    request: Request

    def amounts(self) -> dict[str, int]:
        """What counts while it runs; gpus in hundredths."""
        request = self.request
        return {
            "cpus": request.cpus,
            "memory": request.memory,
            "gpus": request.gpu_hundredths,
            "running": 1,
        }


Seat = tuple[str, str, str, str]
"""(kind, each, name, who): one thing that is counted for."""


class Throttle:
    """See the module. Raises `Wrong` for two rules of the same kind, name and `each`."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._rules: dict[tuple[str, str], dict[str, Rule]] = {}
        self._used: dict[Seat, dict[str, int]] = {}
        for rule in rules:
            alike = self._rules.setdefault((rule.kind, rule.name), {})
            if rule.each in alike:
                raise Wrong(f"limits of {rule.kind} {rule.name} are given twice", "give them once")
            alike[rule.each] = rule

    def keeps(self) -> bool:
        """Whether any of its rules may keep from starting now what may start later."""
        rules = (rule for alike in self._rules.values() for rule in alike.values())
        return any(
            rule.each != "job" and rule.limits.of(what) is not None
            for rule in rules
            for what in _TOTALS
            if what != "submitted"
        )

    def never(self, *claimants: Claimant) -> Reason | None:
        """Why it can never start, or they all together, whatever else runs; None: it may one
        day."""
        for claimant in claimants:
            for rule, seat in self._seats(claimant):
                reason = _over_alone(rule, seat, claimant)
                if reason is not None:
                    return reason
        if len(claimants) > 1:
            for rule, seat, asked in self._together(claimants):
                reason = _too_much(rule, seat, asked, "together they ask for")
                if reason is not None:
                    return reason
        return None

    def allows(self, claimant: Claimant) -> Reason | None:
        """Why it may not start beside what runs; None: no limit keeps it."""
        asked = claimant.amounts()
        for rule, seat in self._seats(claimant):
            if rule.each == "job":
                reason = _over_alone(rule, seat, claimant)
            else:
                reason = _over_total(rule, seat, self._used.get(seat, _NOTHING), asked)
            if reason is not None:
                return reason
        return None

    def allow_all(self, claimants: Iterable[Claimant | None]) -> Reason | None:
        """Why they may not all start together; None: no limit keeps them."""
        known = [claimant for claimant in claimants if claimant is not None]
        if (reason := self.never(*known)) is not None:
            return reason
        for rule, seat, asked in self._together(known):
            used = self._used.get(seat, _NOTHING)
            reason = _over_total(rule, seat, used, asked)
            if reason is not None:
                return reason
        return None

    def admits(self, claimant: Claimant, count: int = 1) -> Reason | None:
        """Why `count` more like it may not be submitted beside what waits and runs; None: they
        may."""
        for rule, seat in self._seats(claimant):
            if rule.each != "job":
                used = self._used.get(seat, _NOTHING)
                reason = _over_total(rule, seat, used, {"submitted": count})
                if reason is not None:
                    return reason
        return None

    def add(self, claimant: Claimant) -> None:
        """It has started."""
        self._count(claimant, claimant.amounts())

    def remove(self, claimant: Claimant) -> None:
        """It runs no more. Raises `KeyError` when that much is not running."""
        self._count(claimant, {what: -count for what, count in claimant.amounts().items()})

    def enter(self, claimant: Claimant, count: int = 1) -> None:
        """`count` like it were submitted."""
        self._count(claimant, {"submitted": count})

    def leave(self, claimant: Claimant, count: int = 1) -> None:
        """`count` like it are over. Raises `KeyError` when there are not that many."""
        self._count(claimant, {"submitted": -count})

    def copy(self) -> Throttle:
        """Another with the same rules and counts, to be changed by itself."""
        other = Throttle()
        other._rules = self._rules
        other._used = dict(self._used)
        return other

    def used(self, seat: Seat) -> dict[str, int]:
        """What is counted for a seat: of `cpus memory gpus running submitted` those above zero."""
        return dict(self._used.get(seat, _NOTHING))

    def _together(
        self, claimants: Iterable[Claimant]
    ) -> Iterator[tuple[Rule, Seat, dict[str, int]]]:
        """What is counted for any of them, with what all of these ask of it."""
        sums: dict[Seat, tuple[Rule, dict[str, int]]] = {}
        for claimant in claimants:
            for rule, seat in self._seats(claimant):
                if rule.each != "job":
                    before = sums[seat][1] if seat in sums else _NOTHING
                    sums[seat] = (rule, _added(before, claimant.amounts()))
        return ((rule, seat, asked) for seat, (rule, asked) in sums.items())

    def _count(self, claimant: Claimant, change: dict[str, int]) -> None:
        seats = [seat for rule, seat in self._seats(claimant) if rule.each != "job"]
        counted = [_added(self._used.get(seat, _NOTHING), change) for seat in seats]
        for seat, used in zip(seats, counted, strict=True):
            if used and min(used.values()) < 0:
                raise KeyError(seat)
        for seat, used in zip(seats, counted, strict=True):
            if used:
                self._used[seat] = used
            else:
                self._used.pop(seat, None)

    def _seats(self, claimant: Claimant) -> Iterator[tuple[Rule, Seat]]:
        """The rules that apply, each with what it counts for."""
        who = {
            "": "",
            "job": "",
            "user": claimant.user,
            "account": claimant.accounts[0] if claimant.accounts else "",
        }
        belongs = chain(
            (("qos", claimant.qos), ("partition", claimant.partition), ("user", claimant.user)),
            (("account", account) for account in claimant.accounts),
        )
        for kind, name in belongs:
            if name:
                rules = self._rules.get((kind, EVERY), {}) | self._rules.get((kind, name), {})
                for each, rule in rules.items():
                    yield rule, (kind, each, name, who[each])


_NOTHING: Final[dict[str, int]] = {}
"""Shared by all that hold nothing; never written to."""


def _added(used: dict[str, int], change: dict[str, int]) -> dict[str, int]:
    """The sums, those of zero left out."""
    sums = used | {what: used.get(what, 0) + more for what, more in change.items()}
    return {what: count for what, count in sums.items() if count}


def _over_alone(rule: Rule, seat: Seat, claimant: Claimant) -> Reason | None:
    """What of the request is by itself more than `rule` ever allows."""
    limits, amounts = rule.limits, claimant.amounts()
    del amounts["running"]  # where none may run, one may some day
    if (reason := _too_much(rule, seat, amounts, "this asks for")) is not None:
        return reason
    if rule.each != "job" or limits.max_time is None:
        return None
    asked_time = claimant.request.time_limit
    if asked_time is not None and asked_time <= limits.max_time:
        return None
    asks = "has no time limit" if asked_time is None else f"asks for {span(asked_time)}"
    told = f"{_subject(seat)} may run for {span(limits.max_time)}; this {asks}"
    return Reason(code=CODES[rule.kind, rule.each]["time"], sentence=told)


def _too_much(rule: Rule, seat: Seat, amounts: dict[str, int], asks: str) -> Reason | None:
    """What of these is more than `rule` ever allows. `asks`: who asks for it, in words."""
    for what, asked in amounts.items():
        limit = rule.limits.of(what)
        if limit is not None and asked > limit:
            told = f"may hold {amount(what, limit)}; {asks} {amount(what, asked)}"
            if what == "running":
                told = f"may run {_jobs(limit)} at once; these are {asked}"
            return Reason(
                code=CODES[rule.kind, rule.each][what], sentence=f"{_subject(seat)} {told}"
            )
    return None


def _over_total(
    rule: Rule, seat: Seat, used: dict[str, int], asked: dict[str, int]
) -> Reason | None:
    """What would be more than `rule` allows together with what is in use.

    Nobody is kept by the limit of what they do not ask for, even when it is passed already.
    """
    for what, more in asked.items():
        limit = rule.limits.of(what)
        now = used.get(what, 0)
        if limit is not None and more > 0 and now + more > limit:
            told = f"{_subject(seat)} {_figures(what, limit, now, more)}"
            return Reason(code=CODES[rule.kind, rule.each][what], sentence=told)
    return None


def _figures(what: str, limit: int, used: int, more: int) -> str:
    """What is allowed, what is in use, what is asked for."""
    if what == "running":
        return f"may run {_jobs(limit)} at once; {used} {'is' if used == 1 else 'are'} running"
    if what == "submitted":
        return f"may have {_jobs(limit)} waiting or running and has {used}; this would add {more}"
    held = figure(what, used)
    verb = "is" if what == "memory" or held == "1" else "are"
    asks = f"this asks for {amount(what, more)}"
    return f"may hold {amount(what, limit)}; {held} {verb} held, and {asks}"


def _jobs(count: int) -> str:
    return f"{count} job{'' if count == 1 else 's'}"


def _subject(seat: Seat) -> str:
    """`user ann in QOS short`, `account physics`, `a job of user ann`."""
    kind, each, name, who = seat
    whose = f"{'QOS' if kind == 'qos' else kind} {name}"
    if each == "job":
        return f"a job {'of' if kind == 'user' else 'in'} {whose}"
    return f"{each} {who or 'none'} in {whose}" if each else whose
