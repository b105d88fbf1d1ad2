"""What somebody would do to a queue or its machine, said in words, checked, and done to a forward
run.

    changes = changes_of(Wish(cancel=("17",), add=("gpus=2",)), snapshot, user, settings)
    changes.make(forward)

Raises `Wrong` for words that make no sense and for wishes that contradict each other, `NotFound`
for jobs and elements that are not in the queue.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from hpcshell.core.dependencies import Expression
from hpcshell.core.errors import HpcError, NotFound, Wrong
from hpcshell.core.ids import Ids, Last, Selector, element_of, format_selector, select
from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import Dependencies, Dependency, Job, Record, Resources
from hpcshell.core.settings import ORDER_NAMES, SchedulerSettings, Settings
from hpcshell.core.units import count, format_size, size, time_limit
from hpcshell.core.words import nearest, quote
from hpcshell.policy.admit import admit, admit_times
from hpcshell.policy.booking import admit_into
from hpcshell.policy.choice import PROMISES, choice, policy_of
from hpcshell.policy.entrance import admit_gangs, admit_known, admit_limits
from hpcshell.policy.plan import Policy
from hpcshell.policy.snapshot import Snapshot, elements_of
from hpcshell.policy.view import View
from hpcshell.sim.forward import Forward
from hpcshell.sim.idle import idle

ALIASES: Final = {"fcfs": "none", "first-fit": "greedy"}
HYBRID: Final = "hybrid:"
MOST_PROMISES: Final = 1_000_000
Part = IndexSet | None
"""Elements of a job; None: all of it."""


class Wish(Record, frozen=True, kw_only=True):
    """The words of each kind of change. `jobs`: what would be submitted, with ids of their own, and
    `parents` what they would wait for; `free`: words `ID=VALUE`."""

    jobs: tuple[Job, ...] = ()
    parents: Mapping[int, Expression] = {}
    policy: str = ""
    order: str = ""
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    cancel: tuple[str, ...] = ()
    time: tuple[str, ...] = ()
    priority: tuple[str, ...] = ()
    hold: tuple[str, ...] = ()
    release: tuple[str, ...] = ()


class Changes(NamedTuple):
    """A wish that makes sense for a queue. `order`: the settings that ask for it; `idle`: what of
    it changes nothing, in words; `origin`: as in `choice`."""

    submit: tuple[Job, ...]
    policy: Policy | None
    order: Settings | None
    total: Resources | None
    cancel: dict[int, Part]
    time: dict[int, float | None]
    priority: dict[int, int]
    hold: dict[int, Part]
    release: dict[int, Part]
    idle: tuple[str, ...] = ()
    origin: float = 0.0

    def make(self, forward: Forward) -> None:
        """Do all of it at the instant to which the forward run has come. Raises what a submission
        would: `Wrong`, `Refused` or `NotYet`."""
        if self.order is not None:
            ledger = forward.view.queue.regime.ledger
            total = forward.view.total
            forward.order(choice(self.order, total, ledger=ledger, origin=self.origin)[1])
        if self.policy is not None:
            forward.rule(self.policy)
        if self.total is not None:
            forward.resize(self.total)
        for job, part in self.cancel.items():
            forward.cancel(job, part)
        for job, limit in self.time.items():
            forward.limit(job, limit)
        for job, priority in self.priority.items():
            forward.amend(job, priority=priority)
        for job, part in self.hold.items():
            forward.hold(job, part)
        for job, part in self.release.items():
            forward.release(job, part)
        for one in self.submit:
            forward.submit(_admitted(replace(one, submit_time=forward.now), forward.view))

    def any(self) -> bool:
        """Whether there is anything to do."""
        return any(part is not None and part not in ((), {}) for part in self[:-2])


def changes_of(wish: Wish, snapshot: Snapshot, user: str, settings: Settings) -> Changes:
    """See the module. `user` is whose jobs `@` and names mean first; `settings` tell what the
    partitions take."""
    finder = Finder(snapshot, user)
    total = machine_of(wish, snapshot.total)
    site = snapshot.settings or settings
    changes = Changes(
        submit=tuple(_submitted(job, wish, finder, total, site) for job in wish.jobs),
        policy=policy_named(wish.policy, site.scheduler) if wish.policy else None,
        order=ordered(wish.order, site) if wish.order else None,
        total=None if total == snapshot.total else total,
        cancel=finder.parts(wish.cancel, "--cancel"),
        time=finder.values(wish.time, "--time", "30m", time_limit),
        priority=finder.values(wish.priority, "--priority", "900", _priority),
        hold=finder.parts(wish.hold, "--hold"),
        release=finder.parts(wish.release, "--release"),
        origin=snapshot.origin,
    )
    _check_together(changes)
    return changes._replace(idle=tuple(idle(changes, snapshot, site)))


def _priority(text: str, option: str) -> int:
    return count(text, option, least=0, most=1000)


def _check_together(changes: Changes) -> None:
    """No two of them contradict each other."""
    for number, part in changes.cancel.items():
        for option, edited in (("--time", changes.time), ("--priority", changes.priority)):
            if number in edited:
                raise _contradiction(number, "cancelled and changed", "--cancel", option)
        for option, other in (("--hold", changes.hold), ("--release", changes.release)):
            if number in other and _share(part, other[number]):
                raise _contradiction(number, "cancelled and changed", "--cancel", option)
    for number, part in changes.hold.items():
        if number in changes.release and _share(part, changes.release[number]):
            raise _contradiction(number, "held and released", "--hold", "--release")
    for job in changes.submit:
        for term in job.dependencies.terms if job.dependencies else ():
            if term.job in changes.cancel and changes.cancel[term.job] is None:
                told = f"a new job would wait for job {term.job}, which --cancel takes away"
                raise Wrong(told, "leave one of the two out")


def _contradiction(number: int, doing: str, one: str, other: str) -> Wrong:
    told = f"job {number} cannot be {doing} at once: {one} and {other}"
    return Wrong(told, "leave one of the two out")


def _share(one: Part, other: Part) -> bool:
    """Whether any element is in both."""
    return one is None or other is None or bool(one.within(other))


# -- whom ------------------------------------------------------------------------------------------


class Finder:
    """The live jobs of a snapshot by what people call them."""

    def __init__(self, snapshot: Snapshot, user: str) -> None:
        self._user = user
        self._jobs = {one.job.id: one.job for one in snapshot.jobs}
        self._names: dict[str, list[Job]] = {}
        for job in self._jobs.values():
            self._names.setdefault(job.name, []).append(job)

    def parts(self, texts: Iterable[str], option: str) -> dict[int, Part]:
        """The jobs named, and which of their elements."""
        found: dict[int, Part] = {}
        for text in texts:
            for number, part in self.named(select(text), option):
                if part is not None and found.get(number, part) is not part:
                    earlier = found[number]
                    part = None if earlier is None else IndexSet.of((*earlier, *part))
                found[number] = part
        return found

    def values(self, texts: Iterable[str], option: str, example: str, read: Any) -> dict[int, Any]:
        """`ID=VALUE` each: the value by job. Two values for one job are refused."""
        found: dict[int, Any] = {}
        for text in texts:
            word, equals, value = text.partition("=")
            if not equals or not word.strip() or not value.strip():
                raise Wrong(f"{option}: {quote(text)} is not ID=VALUE", f"as in 12={example}")
            meant = read(value.strip(), option)
            for number, part in self.named(select(word), option):
                if part is not None:
                    told = f"{option}: {quote(word)} names elements, which share one value"
                    raise Wrong(told, f"name the whole job: {number}={value.strip()}")
                if found.setdefault(number, meant) != meant:
                    raise Wrong(f"{option}: job {number} is given two values", "give one of them")
        return found

    def named(self, selector: Selector, option: str) -> list[tuple[int, Part]]:
        """Whom one selector names; raises `NotFound` for nobody."""
        found = self._found(selector)
        if not found:
            told = f"{option}: there is no job {quote(format_selector(selector))} in the queue"
            raise NotFound(told, "hpc queue lists what there is")
        return [(job.id, _of(job, part, option)) for job, part in found]

    def _found(self, selector: Selector) -> list[tuple[Job, Part]]:
        match selector:
            case Ids(first=first, last=last, indices=indices):
                if first == last:
                    return [(self._jobs[first], indices)] if first in self._jobs else []
                return [(job, indices) for job in self._jobs.values() if first <= job.id <= last]
            case Last(back=back, indices=indices):
                mine = [job for job in self._jobs.values() if job.user == self._user]
                return [(mine[-1 - back], indices)] if back < len(mine) else []
            case _:
                return self._by_name(selector.name)

    def _by_name(self, name: str) -> list[tuple[Job, Part]]:
        part: Part = None
        if name not in self._names and (found := element_of(name)) is not None:
            name, part = found
        named = self._names.get(name, [])
        mine = [job for job in named if job.user == self._user]
        return [(job, part) for job in mine or named]


def _of(job: Job, part: Part, option: str) -> Part:
    if part is None:
        return None
    if job.array is None:
        raise NotFound(f"{option}: job {job.id} is no array", f"name it as {job.id}")
    missing = part.minus(part.within(elements_of(job)))
    if missing:
        told = f"{option}: job {job.id} has no element {missing}"
        raise NotFound(told, f"its elements are {job.array.indices}")
    return part


# -- what ------------------------------------------------------------------------------------------


def policy_named(name: str, scheduler: SchedulerSettings) -> Policy:
    """The policy of that name, with the depth and the windows of the one that is configured."""
    word = name.strip().lower()
    word = ALIASES.get(word, word)
    promises = scheduler.promises
    if word.startswith(HYBRID):
        promises = count(word.removeprefix(HYBRID), "--policy hybrid", most=MOST_PROMISES)
        word = "hybrid"
    elif word not in PROMISES:
        raise _unknown("--policy", "policy", name, [*PROMISES, f"{HYBRID}N"])
    return policy_of(replace(scheduler, backfill=word, promises=promises))


def ordered(name: str, settings: Settings) -> Settings:
    """The settings with that order of the line."""
    word = name.strip().lower()
    if word not in ORDER_NAMES:
        raise _unknown("--order", "order", name, ORDER_NAMES)
    return replace(settings, scheduler=replace(settings.scheduler, order=word))


def _unknown(option: str, what: str, name: str, known: Iterable[str]) -> Wrong:
    near = nearest(name.strip().lower(), known)
    hint = f"did you mean {near}?" if near else f"there are {', '.join(known)}"
    return Wrong(f"{option}: there is no {what} {quote(name)}", hint)


def machine_of(wish: Wish, total: Resources) -> Resources:
    """The machine with what is added and without what is removed."""
    more, less = _amounts(wish.add, "--add"), _amounts(wish.remove, "--remove")
    for name in more.keys() & less.keys():
        raise Wrong(f"{name} cannot be added and removed at once", "leave one of the two out")
    there = {"cpus": total.cpus, "memory": total.memory, "gpus": total.gpus, **total.others}
    for name, number in less.items():
        have = there.get(name, 0)
        if number > have:
            told = format_size(have) if name == "memory" and have else str(have)
            raise Wrong(f"--remove: the machine has {told} {name}", "remove no more than that")
        there[name] = have - number
    for name, number in more.items():
        there[name] = there.get(name, 0) + number
    if there["cpus"] < 1:
        raise Wrong("--remove: a machine without cpus runs nothing", "leave one of them")
    own = {name: there[name] for name in there if name not in ("cpus", "memory", "gpus")}
    return replace(
        total, cpus=there["cpus"], memory=there["memory"], gpus=there["gpus"], others=own
    )


def _amounts(texts: Iterable[str], option: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for text in texts:
        for word in text.replace(",", " ").split() or [text]:
            name, equals, value = word.partition("=")
            name = {"mem": "memory", "cpu": "cpus", "gpu": "gpus"}.get(name, name)
            if not equals or not name or not value:
                raise Wrong(f"{option}: {quote(word)} is not NAME=NUMBER", "as in gpus=2, mem=8G")
            number = size(value, option) if name == "memory" else count(value, option)
            found[name] = found.get(name, 0) + number
    return found


def _submitted(job: Job, wish: Wish, finder: Finder, total: Resources, settings: Settings) -> Job:
    """The new job, as far as it can ever start on that machine."""
    with _of_submit():
        admit(job.request, total, settings, job.partition)
        admit_known(settings, job.account, job.qos)
    if (parents := wish.parents.get(job.id)) is not None:
        job = replace(job, dependencies=_dependencies(parents, finder))
    return job


def _admitted(job: Job, view: View) -> Job:
    """The new job, as far as it may come into the queue as that is when it is submitted."""
    now = job.submit_time
    with _of_submit():
        admit_times(job.begin, job.deadline, job.request.time_limit, now)
        admit_into(job, view.book, view.room, now)
        admit_limits(view, [job])
        admit_gangs(view, [job])
    return job


@contextmanager
def _of_submit() -> Iterator[None]:
    """What is refused within is refused as an option."""
    try:
        yield
    except HpcError as error:
        raise type(error)(f"--submit: {error.message}", error.hint) from None


def _dependencies(expression: Expression, finder: Finder) -> Dependencies:
    terms: list[Dependency] = []
    for term in expression.terms:
        if term.parent is None:
            terms.append(Dependency(kind=term.kind))
            continue
        for number, part in finder.named(term.parent, "--submit: dependency"):
            terms += [
                Dependency(kind=term.kind, job=number, index=index, delay=term.delay)
                for index in part or (None,)
            ]
    return Dependencies(terms=tuple(terms), any=expression.any)
