"""Dependencies: `-W depend=afterok:12.host:13.host,afterany:14[].host`.

What PBS cannot wait for is refused, for it would run such a job at the wrong time, or never.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hpcshell.backends.contract import Order, Parent
from hpcshell.backends.pbs.ids import is_array, parse_id
from hpcshell.core.errors import Wrong

LACKS: Final = {
    "aftercorr": "PBS has no aftercorr: wait for the whole array with afterany",
    "singleton": "PBS has no singleton: wait for the job before with afterany",
    "any": "PBS waits for all of the jobs that are named, never for one of them",
    "delay": "PBS cannot wait some time after another job: give a begin time",
    "afterok of an array": "PBS goes by the last element of an array alone: wait with afterany, and"
    " look at the elements' exit codes",
}
_KINDS: Final = ("after", "afterok", "afternotok", "afterany")


def depend_words(order: Order, torque: bool) -> Iterable[tuple[str, ...]]:
    if not order.parents:
        return
    if order.any and len(order.parents) + max(len(parent.ids) for parent in order.parents) > 2:
        raise _lacking("any")
    terms = [_term(parent, torque) for parent in order.parents]
    yield ("-W", f"depend={','.join(terms)}")


def _term(parent: Parent, torque: bool) -> str:
    if parent.kind not in _KINDS:
        raise _lacking(parent.kind)
    if parent.delay:
        raise _lacking("delay")
    arrays = [_whole_array(native) for native in parent.ids]
    if any(arrays) and parent.kind in ("afterok", "afternotok") and not torque:
        raise _lacking("afterok of an array")
    if torque and any(arrays):
        return _of_torque(parent, arrays)
    return ":".join((parent.kind, *parent.ids))


def _of_torque(parent: Parent, arrays: list[bool]) -> str:
    """It has kinds of its own for arrays."""
    pairs = list(zip(parent.ids, arrays, strict=True))
    plain = [native for native, array in pairs if not array]
    whole = [native for native, array in pairs if array]
    kind = "afterstartarray" if parent.kind == "after" else f"{parent.kind}array"
    terms = [":".join((parent.kind, *plain))] if plain else []
    return ",".join([*terms, ":".join((kind, *whole))])


def _whole_array(native: str) -> bool:
    if parse_id(native)[1] is not None:
        raise Wrong(
            f"PBS cannot wait for the element {native} alone", "name the whole array, with afterany"
        )
    return is_array(native)


def _lacking(what: str) -> Wrong:
    sentence, _, hint = LACKS.get(what, f"PBS has no {what}").partition(": ")
    return Wrong(sentence, hint or "name each in a job of its own, or use afterok, afterany")
