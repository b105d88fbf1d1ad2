"""Where the points of a sweep go: from a mode and names of clusters to targets."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from hpcshell.core.errors import Wrong
from hpcshell.core.words import nearest, quote
from hpcshell.jobs.doors import LOCAL
from hpcshell.jobs.opened import door, name_of
from hpcshell.jobs.surroundings import here
from hpcshell.sweeps.ledger import Shape, Target

Mode = Literal["auto", "array", "individual", "local", "remote", "distributed"]
MODES: Final[tuple[Mode, ...]] = (
    "auto",
    "array",
    "individual",
    "local",
    "remote",
    "distributed",
)


def check_mode(text: str) -> Mode:
    """Raises `Wrong` for what is no mode."""
    for mode in MODES:
        if text == mode:
            return mode
    near = nearest(text, MODES)
    hint = f"did you mean {near}?" if near else f"there are {', '.join(MODES)}"
    raise Wrong(f"there is no mode {quote(text)}", hint)


def targets(
    mode: Mode, on: Sequence[str], options: Mapping[str, Any], points: int, code: str
) -> tuple[Target, ...]:
    """One for each place. Raises `Wrong` where the mode does not go with what is named."""
    names = _names(mode, on)
    shape: Shape = "individual" if mode == "individual" or points == 1 else "array"
    return tuple(
        Target(on=name, shape=shape, options=dict(options), staged=away(name), code=code)
        for name in names
    )


def this_scheduler() -> str:
    """Which of all schedulers that are called local this one is."""
    return f"{os.uname().nodename}:{here().state}"


def away(name: str) -> bool:
    """Whether what is there has none of our files."""
    cluster = getattr(door(name), "cluster", None)
    return cluster is not None and not cluster.here


def _names(mode: Mode, on: Sequence[str]) -> list[str]:
    if mode == "local":
        if [name for name in on if name != LOCAL]:
            raise Wrong("--mode local runs points on this machine", "leave out --on, or --mode")
        return [LOCAL]
    if mode == "distributed" or list(on) == ["any"] or len(on) > 1:
        return _several(on)
    name = on[0] if on else None
    if mode == "remote" and (name is None or not away(name)):
        raise Wrong(
            "--mode remote wants a cluster behind ssh",
            "name one: --remote NAME (hpc cluster add NAME --ssh user@host)",
        )
    opened = door(name)
    if hasattr(opened, "desks"):
        return _several(())
    return [name_of(opened)]


def _several(on: Sequence[str]) -> list[str]:
    """Those that are named, or this machine and all clusters of the configuration."""
    named = [name for name in on if name != "any"]
    if not named:
        try:
            named = [LOCAL, *sorted(getattr(door("any"), "desks", {}))]
        except Wrong:
            named = [LOCAL]
    return list(dict.fromkeys(name_of(door(name)) for name in named))
