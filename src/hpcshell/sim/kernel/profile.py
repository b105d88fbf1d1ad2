"""What is free from when, beside all that is held: a profile, and what is known of it.

Segments of time begin at `edges`; `room` is free in each of them. To find the first place for a job
is most of the work where thousands wait, and most of them are like others: so it is remembered
before which instant nothing of a size fits for a length, until something is given back. (The first
place of a larger or longer job is no earlier.)

Its functions are told what they need and not the whole `Case`, which is large to hand on.
"""

from __future__ import annotations

from typing import Any

from hpcshell.sim.kernel.primitives import left_of, put, trim
from hpcshell.sim.kernel.state import OVERDRAWN, REACH, SEGMENTS, SLOTS, Profile


def open_at(profile: Profile, now: float) -> int:
    """The number of the segment that begins now. Nothing is held from then on: `room` tells, until
    `add_up`, by how much it changes at each edge."""
    tally, edges, room = profile.tally, profile.edges, profile.room
    first = left_of(edges, tally[SEGMENTS], now)
    if first == tally[SEGMENTS] or edges[first] > now:
        first -= 1
    if first < 0:
        first = 0
        put(edges, tally[SEGMENTS], 0, now)
        put(room, tally[SEGMENTS], 0, 0)
        tally[SEGMENTS] += 1
    edges[first] = now
    for at in range(first, tally[SEGMENTS]):
        room[at] = 0
    return first


def add_up(profile: Profile, first: int, free: int, most: int) -> None:
    """From changes to what is free, from so much in segment `first` on. Edges that are past go, and
    those at which nothing changes if there are more than `most`: the next decision may need them
    again."""
    tally, edges, room = profile.tally, profile.edges, profile.room
    crowded = tally[SEGMENTS] - first > most
    kept = tally[OVERDRAWN] = 0
    for at in range(first, tally[SEGMENTS]):
        free += room[at]
        if at == first or room[at] != 0 or not crowded:
            edges[kept] = edges[at]
            room[kept] = free
            kept += 1
            if free < 0:
                tally[OVERDRAWN] = 1
    trim(edges, kept)
    trim(room, kept)
    tally[SEGMENTS] = kept
    forget(profile, edges[0])


def edge(profile: Profile, time: float, like: int) -> int:
    """The number of the segment that begins at `time`, made if there is none: its room is 0, or
    (`like` 1) that of the one which it shortens."""
    tally, edges, room = profile.tally, profile.edges, profile.room
    place = left_of(edges, tally[SEGMENTS], time)
    if place == tally[SEGMENTS] or edges[place] != time:
        put(edges, tally[SEGMENTS], place, time)
        put(room, tally[SEGMENTS], place, like * room[place - 1])
        tally[SEGMENTS] += 1
    return place


def take(profile: Profile, procs: int, start: float, length: float) -> None:
    """Hold so many from `start` for so long; their first place may have been that."""
    first = edge(profile, start, 1)
    for at in range(first, edge(profile, start + length, 1)):
        profile.room[at] -= procs


def give_back(profile: Profile, procs: int, start: float, length: float) -> None:
    """Undo `take`."""
    take(profile, -procs, start, length)
    forget(profile, start)


def earliest(profile: Profile, procs: int, length: float) -> Any:
    """The first instant at which so many are free for so long."""
    segments, edges, room = profile.tally[SEGMENTS], profile.edges, profile.room
    start = at = left_of(edges, segments, known(profile, procs, length))
    while at < segments and (at == start or edges[at] < edges[start] + length):
        if room[at] < procs:
            start = at + 1
        at += 1
    return edges[start]


def earlier(profile: Profile, procs: int, length: float, own: float) -> Any:
    """The same for who holds a place from `own` on: that at the latest. Either it is out of the way
    of that, or it reaches into it and so follows the last obstacle before it."""
    edges, room, last = profile.edges, profile.room, edge(profile, own, 1)
    start = at = left_of(edges, last, known(profile, procs, length))
    while start < last and edges[start] <= own - length:
        if room[at] < procs:
            start = at + 1
        elif at + 1 >= last or edges[at + 1] >= edges[start] + length:
            return edges[start]
        at += 1
    while last > 0 and room[last - 1] >= procs:
        last -= 1
    return edges[last]


def fits_now(profile: Profile, procs: int, length: float) -> bool:
    """Whether so many are free from now on for so long."""
    last = left_of(profile.edges, profile.tally[SEGMENTS], profile.edges[0] + length)
    for at in range(max(1, last)):  # noqa: SIM110 - compiled, too
        if profile.room[at] < procs:
            return False
    return True


# -- what is known of sizes -----------------------------------------------------------------------


def known(profile: Profile, procs: int, length: float) -> Any:
    """Before this instant nothing of that size fits for so long."""
    at, since = slot(procs, length), profile.edges[0]
    if profile.procs[at] == procs and profile.lengths[at] == length:
        return max(since, profile.since[at])
    for at in range(SLOTS):
        smaller = profile.procs[at] <= procs and profile.lengths[at] <= length
        if smaller and profile.since[at] > since:
            since = profile.since[at]
    return since


def remember(profile: Profile, procs: int, length: float, start: float) -> None:
    """One has the first place there was for its size: nothing like it fits before."""
    at = slot(procs, length)
    profile.procs[at] = procs
    profile.lengths[at] = length
    profile.since[at] = start


def forget(profile: Profile, start: float) -> None:
    """There is more room from that instant on: what reaches into that may fit now."""
    for at in range(SLOTS):
        profile.since[at] = min(profile.since[at], start - profile.lengths[at])


def slot(procs: int, length: float) -> int:
    """Where jobs of that size and length are remembered."""
    return (procs + int(min(length, REACH))) % SLOTS
