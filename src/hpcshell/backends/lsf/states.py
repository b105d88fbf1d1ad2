"""LSF's words for where a job is, how it ended and why it waits, in ours.

`UNKWN` and `ZOMBI` say that its host is not heard from: that is no end.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from hpcshell.backends.contract import UNKNOWN

STATES: Final = {
    "PEND": "PENDING",
    "PSUSP": "PENDING",
    "WAIT": "PENDING",
    "PROV": "PENDING",
    "RUN": "RUNNING",
    "USUSP": "SUSPENDED",
    "SSUSP": "SUSPENDED",
    "DONE": "COMPLETED",
    "UNKWN": UNKNOWN,
    "ZOMBI": UNKNOWN,
}
"""All but `EXIT`, which is told by its reason. `PSUSP` is held while it waits, `WAIT` a job of a
chunk whose turn has not come, `PROV` one whose host is being woken up."""

ENDS: Final = {
    "TERM_RUNLIMIT": "TIMEOUT",
    "TERM_CPULIMIT": "TIMEOUT",
    "TERM_DEADLINE": "DEADLINE",
    "TERM_MEMLIMIT": "OUT_OF_MEMORY",
    "TERM_SWAP": "OUT_OF_MEMORY",
    "TERM_OWNER": "CANCELLED",
    "TERM_FORCE_OWNER": "CANCELLED",
    "TERM_ADMIN": "CANCELLED",
    "TERM_FORCE_ADMIN": "CANCELLED",
    "TERM_ORPHAN_SYSTEM": "CANCELLED",
    "TERM_BUCKET_KILL": "CANCELLED",
    "TERM_PREEMPT": "PREEMPTED",
    "TERM_WINDOW": "PREEMPTED",
    "TERM_ZOMBI": "NODE_FAIL",
    "TERM_REMOVE_HUNG_JOB": "NODE_FAIL",
    "TERM_RC_RECLAIM": "NODE_FAIL",
}
"""Why it was ended; any other reason, and none, is a failure of its own."""

_WAITS: Final = (
    ("never satisfied", "DependencyNeverSatisfied"),
    ("dependency condition", "Dependency"),
    ("specified start time", "BeginTime"),
    ("suspended by user", "JobHeldUser"),
    ("suspended by the user", "JobHeldUser"),
    ("suspended by lsf admin", "JobHeldAdmin"),
    ("suspended by system admin", "JobHeldAdmin"),
    ("job array has reached its", "ArrayTaskLimit"),
    ("job slot limit", "AssocMaxJobsLimit"),
    ("closed by its administrator", "Drained"),
    ("inactivated by its administrator", "Drained"),
    ("not satisfied", "Resources"),
    ("not enough", "Resources"),
    ("waiting for scheduling", "Priority"),
)
"""Parts of a pending reason, lower case, the first that is found."""


def state(word: str, reason: str) -> str:
    """Our word for the state of a job; UNKNOWN for one never heard of."""
    return end(reason) if word == "EXIT" else STATES.get(word, UNKNOWN)


def end(reason: str) -> str:
    """How a job with the state `EXIT` ended, by `TERM_OWNER: job killed by owner`."""
    return ENDS.get(reason.partition(":")[0].strip(), "FAILED")


@lru_cache(maxsize=256)  # thousands of jobs wait for the same reason
def reason_code(reason: str) -> str:
    """Our word for a pending reason; "" where there is none."""
    said = " ".join(reason.lower().split())
    return next((code for part, code in _WAITS if part in said), "")
