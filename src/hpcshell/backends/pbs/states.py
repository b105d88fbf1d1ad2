"""What PBS's letters mean, and how a job ended that has.

`Exit_status` is the job's own code; 256 more than the signal that killed it; or, below zero, what
PBS did to it. `substate` 91 alone tells that somebody deleted it: a job may trap SIGTERM and leave
0. What was deleted before it began, and dependents whose condition can never be met, have no
`Exit_status` at all. Of elements with a comment `Subjob ...` PBS no longer has a record of
its own, and what it shows is the array's: it is not believed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from hpcshell.backends.contract import UNKNOWN
from hpcshell.backends.pbs import values
from hpcshell.core.records import Record

STATES: Final = {
    **dict.fromkeys("QHWT", "PENDING"),
    "R": "RUNNING",
    "B": "RUNNING",
    **dict.fromkeys("SU", "SUSPENDED"),
    "E": "COMPLETING",
}
"""Of what lives. M, moved to another server, is not known here any more."""
ENDINGS: Final = frozenset("XFC")
"""An element that ended while its array lives; ended, in the history; ended, in Torque's queue."""

_DELETED: Final = 91
_WELL: Final = 92
_EXCEEDED: Final = re.compile(r"exceeded\s+resource\s+(\w+)")
_CANCEL_SIGNALS: Final = (15, 9)
_TIMES: Final = frozenset({"walltime", "cput", "pcput"})
_SIZES: Final = frozenset({"mem", "vmem", "pmem", "pvmem"})


class End(Record, frozen=True, kw_only=True):
    """How it ended: see `Sighting`."""

    state: str
    exit_code: int | None = None
    signal: int | None = None
    reason: str = ""
    reason_code: str = ""


_OPENPBS: Final = {
    -4: ("NODE_FAIL", "the node was started anew while it ran"),
    -5: ("NODE_FAIL", "the node was started anew while it ran"),
    -6: ("NODE_FAIL", "the node was started anew while it ran"),
    -20: ("NODE_FAIL", "a node of it failed"),
    -24: ("FAILED", "it used more cpus than it asked for"),
    -25: ("FAILED", "it used more cpus than it asked for"),
    -26: ("OUT_OF_MEMORY", "it used more virtual memory than it asked for"),
    -27: ("OUT_OF_MEMORY", "it used more memory than it asked for"),
    -28: ("TIMEOUT", "it used more cpu time than it asked for"),
    -29: ("TIMEOUT", "it ran into its time limit"),
}
_TORQUE: Final = {
    -4: ("NODE_FAIL", "the node was started anew while it ran"),
    -5: ("NODE_FAIL", "the node was started anew while it ran"),
    -6: ("NODE_FAIL", "the node was started anew while it ran"),
    -10: ("OUT_OF_MEMORY", "it used more memory than it asked for"),
    -11: ("TIMEOUT", "it ran into its time limit"),
    -12: ("TIMEOUT", "it used more cpu time than it asked for"),
}


def how_it_ended(shown: Mapping[str, str], array_substate: str | None = None) -> End:
    """Of a job or element in state X, F or C. `array_substate` is its array's, where that is shown
    with it."""
    if shown.get("comment", "").startswith("Subjob "):
        return _of_an_element_without_record(shown, array_substate)
    torque = "exit_status" in shown
    status = values.whole(shown.get("exit_status" if torque else "Exit_status", ""))
    if status is None:
        return _without_status(shown)
    if exceeded := _EXCEEDED.search(shown.get("comment", "")):
        return _over_a_limit(exceeded[1])
    if status < 0:
        return _by_pbs(status, _TORQUE if torque else _OPENPBS)
    if _was_deleted(shown, status, torque):
        return _cancelled(status)
    return _by_itself(status, shown)


def _of_an_element_without_record(shown: Mapping[str, str], array_substate: str | None) -> End:
    """In the history of an array that was not deleted, only those lack a record that never ran."""
    of_array = values.whole(array_substate or "")
    plain = shown["comment"] == "Subjob finished" and shown.get("Exit_status") == "0"
    if plain and shown.get("job_state") == "F" and of_array not in (None, _DELETED):
        return End(state="CANCELLED", reason="deleted while it waited")
    return End(
        state=UNKNOWN,
        reason="PBS shows what became of the array, not of the element",
        reason_code="ArrayDeleted" if of_array == _DELETED else "",
    )


def _without_status(shown: Mapping[str, str]) -> End:
    substate = values.whole(shown.get("substate", ""))
    if "stime" in shown or "start_time" in shown:
        return End(state=UNKNOWN, reason="PBS shows no exit status")
    if substate == _DELETED or shown.get("job_state") == "C":
        return End(state="CANCELLED", reason="deleted before it ran")
    if substate == _WELL and "depend" in shown:
        return End(
            state="CANCELLED",
            reason=f"PBS dropped it: its dependency can never be met ({shown['depend']})",
            reason_code="DependencyNeverSatisfied",
        )
    return End(state=UNKNOWN, reason="PBS shows no exit status")


def _over_a_limit(resource: str) -> End:
    reason = f"it exceeded its {resource}"
    if resource in _TIMES:
        return End(state="TIMEOUT", reason=reason)
    return End(state="OUT_OF_MEMORY" if resource in _SIZES else "FAILED", reason=reason)


def _by_pbs(status: int, table: Mapping[int, tuple[str, str]]) -> End:
    state, reason = table.get(status, ("FAILED", "PBS could not run it"))
    return End(state=state, reason=f"{reason} (Exit_status {status})")


def _was_deleted(shown: Mapping[str, str], status: int, torque: bool) -> bool:
    """Torque has no substate that tells; there the signals of qdel do."""
    if torque:
        return status - 256 in _CANCEL_SIGNALS
    return values.whole(shown.get("substate", "")) == _DELETED


def _cancelled(status: int) -> End:
    code, signal = _code_or_signal(status)
    return End(state="CANCELLED", exit_code=code, signal=signal)


def _by_itself(status: int, shown: Mapping[str, str]) -> End:
    code, signal = _code_or_signal(status)
    if signal == _CANCEL_SIGNALS[0] and _at_its_limit(shown):
        return End(state="TIMEOUT", reason="it ran into its time limit")
    if status:
        return End(state="FAILED", exit_code=code, signal=signal)
    if values.whole(shown.get("substate", "")) in (_WELL, None):
        return End(state="COMPLETED", exit_code=0)
    return End(state=UNKNOWN, reason=f"PBS shows exit status 0 and substate {shown['substate']}")


def _at_its_limit(shown: Mapping[str, str]) -> bool:
    """Before 22.05, PBS shows no more of a job at its time limit than that it was sent SIGTERM."""
    used = values.seconds(shown.get("resources_used.walltime", ""))
    limit = values.seconds(shown.get("Resource_List.walltime", ""))
    return used is not None and bool(limit) and used >= (limit or 0.0)


def _code_or_signal(status: int) -> tuple[int | None, int | None]:
    return (None, status - 256) if 256 < status < 256 + 65 else (status, None)
