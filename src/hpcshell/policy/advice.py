"""What to ask for instead, or to do, so that something starts."""

from __future__ import annotations

from math import inf
from typing import Final

from hpcshell.core.records import Request
from hpcshell.policy.gang import bound
from hpcshell.policy.line import Entry, Shape
from hpcshell.policy.profile import Profile
from hpcshell.policy.reasons import figure, span
from hpcshell.policy.room import Vector, fits
from hpcshell.policy.view import View

SHORTEST: Final = 60.0
"""No advice to ask for less time than this, in seconds."""


def missing_members(view: View, entry: Entry) -> tuple[str, str] | None:
    """What to do about members of its gang that are not in the queue, and what is so without them;
    None: all are."""
    gang, uid = entry.job.gang, entry.job.uid
    if gang is None:
        return None
    here = [
        other.job.id
        for other in view.queue.jobs.values()
        if other.job.uid == uid and other.job.gang is not None and bound(other)
        if other.job.gang.name == gang.name
    ]
    lacking = gang.size - len(here)
    if lacking <= 0:
        return None
    members = f"{lacking} of its {gang.size} members {'is' if lacking == 1 else 'are'}"
    them = "the missing one" if lacking == 1 else f"the {lacking} missing"
    without = "it" if lacking == 1 else "them"
    advice = f"submit {them} with --gang {gang.name}:{gang.size}, or: hpc cancel "
    return advice + " ".join(
        map(str, here)
    ), f"{members} not in the queue: none starts without {without}"


def at_once(view: View, shape: Shape, profile: Profile, promise: float | None, now: float) -> str:
    """The smallest change of the request with which it would start at once, if there is one.
    `profile`: what is free when, its own `promise` taken off."""
    need, room = shape.need, view.room
    if shape.place is not None:
        return ""
    if need is None:
        return "no such resource is here: leave it out"
    if not fits(need, room.size):
        return f"ask for no more than {_options(need, room.size, shape.request)}"
    if promise is not None:  # its own promise is not in its way
        profile.give_back(promise, shape.length, need)
    left = profile.free_now()
    if fits(need, left):
        longest = profile.longest(need)
        if longest == inf:
            return "with a time limit, any --time, it would start now"
        if longest is not None and longest >= SHORTEST:
            return f"with --time={span(float(int(longest)), '')} or less it would start now"
        return ""
    smaller = tuple(max(0, min(n, f)) for n, f in zip(need, left, strict=True))
    asked = all(s > 0 for n, s in zip(need, smaller, strict=True) if n > 0)
    if shape.request.exclusive or not asked:
        return ""
    if profile.fits(now, shape.length, smaller):
        return f"with {_options(need, smaller, shape.request)} it would start now"
    return ""


def _options(need: Vector, most: Vector, request: Request) -> str:
    """The options that would ask for `most` where `need` is over it."""
    told = [
        f"--{name}={figure(name, have)}"
        for name, asked, have in zip(("cpus", "memory", "gpus"), need[1:], most[1:], strict=False)
        if asked > have
    ]
    names = sorted(request.others)
    told += [f"fewer {name}" for name in names if need[4:] != most[4:] and request.others[name]]
    return " ".join(told)
