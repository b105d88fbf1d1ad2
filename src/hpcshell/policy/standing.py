"""Why an element is not in the order of the ready at all."""

from __future__ import annotations

from itertools import islice

from hpcshell.core.records import NO_INDEX, Reason
from hpcshell.policy.gang import bound
from hpcshell.policy.gates import ALL, Doomed
from hpcshell.policy.hopeless import deadline_sentence, never_sentence
from hpcshell.policy.line import UNLIMITED, Entry
from hpcshell.policy.queue import Queue
from hpcshell.policy.reasons import span
from hpcshell.policy.ties import sentences


def not_ready(queue: Queue, entry: Entry, index: int, now: float) -> list[Reason]:
    """Every reason that keeps the element out of the order; none when it is ready, or does not
    wait."""
    if index in entry.lent and entry.job.array is not None:
        sentence = "it starts in the place of another element, as soon as that has ended"
        return [Reason(code="Resources", sentence=sentence)]
    if index not in entry.tasks and index not in entry.waiting and index not in entry.lent:
        return []
    found = _held(queue, entry, index)
    found += _dependency(queue, entry, index)
    if entry.job.begin > queue.gates.clock:
        left = _span(entry.job.begin - now)
        found.append(
            Reason(code="BeginTime", sentence=f"it begins no earlier than {left} from now")
        )
    if index in entry.tasks and (until := entry.tasks[index][0].not_before) > queue.gates.clock:
        sentence = f"it is tried again {_span(until - now)} from now"
        found.append(Reason(code="BackOff", sentence=sentence))
    if (which := _told(queue.gates.late, entry, index)) is not None:
        found.append(Reason(code="Deadline", sentence=deadline_sentence(entry, which)))
    return found + _gang(queue, entry) + _throttled(entry, index)


def _gang(queue: Queue, entry: Entry) -> list[Reason]:
    gang, gangs = entry.job.gang, queue.gates.gangs
    if gang is None or not bound(entry) or gangs.line_of(entry.job) is not None:
        return []
    ready = gangs.ready(entry.job)
    told = f"it starts together with the others of gang {gang.name}"
    if ready >= gang.size:
        told += f", which has {gang.size} members, and these are others"
    else:
        told += f": {ready} of {gang.size} {'is' if ready == 1 else 'are'} ready"
    return [Reason(code="Gang", sentence=told)]


def _throttled(entry: Entry, index: int) -> list[Reason]:
    room = entry.room()
    line = entry.standing(index)
    if room <= 0:
        sentence = f"{entry.running} of its elements run, and no more may run at once"
    elif room < UNLIMITED and line is not None and index not in islice(line.elements(), room):
        sentence = f"no more than {room + entry.running} of its elements may run at once"
    else:
        return []
    return [Reason(code="ArrayTaskLimit", sentence=sentence)]


def _held(queue: Queue, entry: Entry, index: int) -> list[Reason]:
    job = entry.job
    if job.held == "dependency":
        return [] if (job.id, ALL) in queue.gates.never else [_by_user(job.id)]
    if job.held in ("admin", "administrator", "operator"):
        return [Reason(code="JobHeldAdmin", sentence="an administrator holds it back")]
    if job.held:
        return [_by_user(job.id)]
    if index in entry.tasks and entry.tasks[index][0].held:
        return [_by_user(job.id, index)]
    return []


def _by_user(job: int, index: int = NO_INDEX) -> Reason:
    name = f"{job}" if index < 0 else f"{job}_{index}"
    return Reason(code="JobHeldUser", sentence=f"it is held; let it go with: hpc release {name}")


def _dependency(queue: Queue, entry: Entry, index: int) -> list[Reason]:
    job = entry.job
    which = _told(queue.gates.never, entry, index)
    if which is not None:
        sentence = never_sentence(queue, job.id, which)
        return [Reason(code="DependencyNeverSatisfied", sentence=sentence)]
    bond = queue.ties.bond(job.id)
    if bond is None or not waits_for_parents(queue, entry, index):
        return []
    element = None if _tried(entry, index) else index
    told = sentences(queue.ties, job.id, element, queue.gates.clock, never=False)
    sentence = (" or " if bond.dependencies.any else "; ").join(told)
    return [Reason(code="Dependency", sentence=sentence)]


def waits_for_parents(queue: Queue, entry: Entry, index: int) -> bool:
    """Whether what the element depends on has not come about."""
    bond = queue.ties.bond(entry.job.id)
    if bond is None:
        return False
    when = 0.0 if bond.each and bond.dependencies.any else bond.verdict()
    if when is None or when > queue.gates.clock:
        return True
    asked = bond.each and not _tried(entry, index)
    own = bond.element(queue.ties.facts, index) if asked else 0.0
    return own is None or own > queue.gates.clock


def _tried(entry: Entry, index: int) -> bool:
    """Whether the element has begun before: its like in another array let it go then."""
    return index in entry.tasks and entry.tasks[index][0].attempt > 0


def _told(found: Doomed, entry: Entry, index: int) -> int | None:
    job = entry.job.id
    if (job, index) in found:
        return index
    return ALL if (job, ALL) in found and index in entry.waiting else None


def _span(seconds: float) -> str:
    return span(float(max(0, round(seconds))))
