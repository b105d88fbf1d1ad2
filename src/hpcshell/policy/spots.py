"""When and where in a profile a shape has its place: with a choice of nodes, both at once.

Where a shape takes its need there is nothing to choose, and this is what the profile says.
"""

from __future__ import annotations

from typing import NamedTuple

from hpcshell.policy.line import Shape
from hpcshell.policy.profile import Profile
from hpcshell.policy.room import Vector


class Spot(NamedTuple):
    """From `start` on, `need` is taken."""

    start: float
    need: Vector


def spot_at(profile: Profile, start: float, shape: Shape) -> Vector | None:
    """What the shape takes from `start` on; None: it does not fit."""
    return spot_for(profile, start, shape, shape.length)


def spot_for(profile: Profile, start: float, shape: Shape, length: float | None) -> Vector | None:
    """The same, were it to have it for another length than it is expected to take."""
    if not profile.fits(start, length, shape.need):
        return None
    if shape.place is None:
        return shape.need
    return shape.place(profile.least(start, length))


def earliest(profile: Profile, shape: Shape, since: float) -> Spot | None:
    """The first spot, which is known not to be before `since`; None: never."""
    return _onwards(profile, shape, profile.earliest(shape.length, shape.need, since))


def first(profile: Profile, shape: Shape, since: float) -> Spot | None:
    """As `earliest`, the first from `since` on."""
    return _onwards(profile, shape, profile.first(since, shape.length, shape.need))


def _onwards(profile: Profile, shape: Shape, start: float | None) -> Spot | None:
    """The first spot from an instant on at which there would be room, were it all in one."""
    need, place = shape.need, shape.place
    if start is None or need is None:
        return None
    if place is None:
        return Spot(start, need)
    while start is not None:
        chosen = place(profile.least(start, shape.length))
        if chosen is not None:
            return Spot(start, chosen)
        later = profile.following(start)
        start = None if later is None else profile.earliest(shape.length, need, later)
    return None
