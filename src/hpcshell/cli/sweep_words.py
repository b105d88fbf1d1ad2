"""How sweeps are named and told about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import click

from hpcshell.cli import exits
from hpcshell.core.units import HOUR, MINUTE, format_duration
from hpcshell.core.words import safe
from hpcshell.sweeps.standing import ended_well

SMALL: Final = 0.01
"""Hours that are told in seconds."""


def id_argument(function: Callable[..., Any]) -> Callable[..., Any]:
    """The sweep a verb is about: its id or its folder; the latest of this directory."""
    return click.argument("sweep", metavar="[ID]", required=False, shell_complete=complete_sweeps)(
        function
    )


def complete_sweeps(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
    """The ids of this directory's sweeps that begin with what was typed."""
    from click.shell_completion import CompletionItem

    from hpcshell.sweeps.folder import known

    return [CompletionItem(id) for id in known(".") if id.startswith(incomplete)]


def counted(number: int, noun: str) -> str:
    """`1 point`, `2 points`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def sentence(status: Mapping[str, Any]) -> str:
    """How a sweep stands, in a line."""
    counts = status["counts"]
    told = ", ".join(f"{count:,} {_word(state)}" for state, count in counts.items())
    more = f"; {status['waiting_here']:,} wait here for a place" if status["waiting_here"] else ""
    if status["strays"]:
        more += f"; {status['strays']:,} that are none of its points any more wait or run"
    points = counted(status["points"], "point")
    return f"sweep {safe(status['id'])}: {points}" + (f": {told}{more}" if told else more)


def _word(state: str) -> str:
    return state.lower().replace("_", " ")


def outcome_code(counts: Mapping[str, int]) -> int:
    """The exit code for how points ended: all as they should, some, none."""
    done, total = ended_well(counts), sum(counts.values())
    if done == total:
        return exits.OK
    if done:
        return exits.SOME_FAILED
    return exits.CANCELLED if counts.get("CANCELLED") == total else exits.FAILED


def lasting(seconds: float) -> str:
    """A duration as people want to read it: 0.0988s, 1h 2m."""
    rounded = float(f"{seconds:.3g}") if seconds < MINUTE else round(seconds)
    return format_duration(rounded)


def hours(amount: float, what: str) -> str:
    """`2 core-hours`; of little the seconds."""
    if amount < SMALL:
        return f"{amount * HOUR:,.3g} {what}-seconds"
    return f"{amount:,.0f} {what}-hours" if amount >= 100 else f"{amount:.3g} {what}-hours"
