"""Arrays. OpenPBS takes one range of two elements or more, `-J 0-9:3`; Torque any list, `-t 1,3-5`.

Any other set of indices is submitted to OpenPBS as the smallest range around it, and those elements
that were not asked for end at once, with code 0 and without a record. A variable of the job says
which were asked for, so that the others are passed over wherever the job is seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from math import gcd
from typing import Final

from hpcshell.backends.contract import Order
from hpcshell.core.errors import Wrong
from hpcshell.core.indexset import IndexSet
from hpcshell.core.words import quote

KEY: Final = "HPC_SUBMISSION"
"""The variable that shows a submission's key in the job's `Variable_List`."""
ELEMENTS: Final = "HPC_ELEMENTS"
_ELEMENTS: Final = re.compile(rf",{ELEMENTS}=([0-9:+-]+)")
_KEY: Final = re.compile(r"[A-Za-z0-9_.+-]+\Z")
_MOST_EXTRA: Final = 100
_LONGEST_LIST: Final = 4000


def array_words(order: Order, torque: bool) -> Iterable[tuple[str, ...]]:
    if not order.indices:
        return
    indices = IndexSet.parse(order.indices)
    if torque:
        limit = f"%{order.throttle}" if order.throttle else ""
        yield ("-t", _list(indices) + limit)
        return
    _rerunnable(order)
    yield from _range_words(_range(indices), order.throttle)


def _range_words(one: range, throttle: int) -> Iterable[tuple[str, ...]]:
    """How many may run at once is said in the two ways that are known to be taken."""
    plain = f"{one[0]}-{one[-1]}"
    if one.step == 1:
        yield ("-J", f"{plain}%{throttle}" if throttle else plain)
        return
    yield ("-J", f"{plain}:{one.step}")
    if throttle:
        yield ("-W", f"max_run_subjobs={throttle}")


def variables(order: Order, torque: bool) -> str:
    """`NAME=VALUE` for `-v`: the job's key, and its indices where its range holds others."""
    indices = _asked_for(order, torque)
    listed = f",{ELEMENTS}={str(indices).replace(',', '+')}" if indices else ""
    return f"{KEY}={_checked(order.key)}{listed}"


def among_others(variables: str) -> IndexSet | None:
    """Out of a job's `Variable_List`: the indices that were asked for; None where all were."""
    found = _ELEMENTS.search(f",{variables}")
    return _parsed(found[1]) if found else None


@lru_cache(maxsize=256)
def _parsed(text: str) -> IndexSet | None:
    try:
        return IndexSet.parse(text.replace("+", ","))
    except Wrong:
        return None


def _checked(key: str) -> str:
    if _KEY.match(key) is None:
        raise Wrong(f"{quote(key)} can be no key of a submission", "use letters and digits")
    return key


def _asked_for(order: Order, torque: bool) -> IndexSet | None:
    """None where PBS can be asked for just these."""
    if torque or not order.indices:
        return None
    indices = IndexSet.parse(order.indices)
    return indices if len(_range(indices)) > len(indices) else None


def guard(order: Order, torque: bool) -> list[str]:
    """Shell that ends an element which is there for the range's sake only."""
    indices = _asked_for(order, torque)
    if indices is None:
        return []
    return [
        "hpc_asked_for() { # the others are there because PBS takes one range only",
        *(f"    (( {_test(part)} )) && return" for part in indices.ranges),
        "    return 1",
        "}",
        "hpc_asked_for || exit 0",
    ]


def _test(part: range) -> str:
    index = "PBS_ARRAY_INDEX"
    if len(part) == 1:
        return f"{index} == {part[0]}"
    step = f" && ({index} - {part[0]}) % {part.step} == 0" if part.step > 1 else ""
    return f"{index} >= {part[0]} && {index} <= {part[-1]}{step}"


def _range(indices: IndexSet) -> range:
    """The smallest range of at least two elements that holds them all."""
    first = indices.first
    if len(indices) == 1:
        return range(first, first + 2)
    step = gcd(
        *(gcd(part[0] - first, part.step if len(part) > 1 else 0) for part in indices.ranges)
    )
    found = range(first, indices.last + 1, step or 1)
    extra = len(found) - len(indices)
    if extra > max(_MOST_EXTRA, len(indices)):
        raise Wrong(
            f"array {indices}: PBS takes one range, and that would be {extra} elements too many",
            f"submit its parts one by one, or the range {first}-{indices.last}",
        )
    return found


def _list(indices: IndexSet) -> str:
    """Torque knows no steps."""
    parts = []
    for part in indices.ranges:
        plain = part.step == 1 and len(part) > 1
        parts += [f"{part[0]}-{part[-1]}"] if plain else [str(index) for index in part]
    text = ",".join(parts)
    if len(text) > _LONGEST_LIST:
        raise Wrong("this list of indices is too long for Torque", "use ranges without a step")
    return text


def _rerunnable(order: Order) -> None:
    if not order.spec.submission.requeue:
        raise Wrong(
            "PBS takes no array that may not be run again", "leave out --no-requeue, or the array"
        )
