"""The words of the tracker: how a run stands, and what others call that.

status_of("FINISHED")      "COMPLETED", as MLflow says it
status_of("oom")           raises `Wrong` with the words there are
"""

from __future__ import annotations

from typing import Final

from hpcshell.core.errors import Wrong
from hpcshell.core.words import quote

LIVE: Final = frozenset({"PENDING", "RUNNING", "SUSPENDED", "UNKNOWN", "LOST"})
"""A run that stands so may still go on. LOST: it has said nothing for too long."""
ENDED: Final = frozenset(
    {
        *("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "OUT_OF_MEMORY"),
        *("NODE_FAIL", "PREEMPTED", "DEADLINE"),
    }
)
STATUSES: Final = LIVE | ENDED

_SYNONYMS: Final = {
    "FINISHED": "COMPLETED",
    "DONE": "COMPLETED",
    "SUCCESS": "COMPLETED",
    "SUCCEEDED": "COMPLETED",
    "KILLED": "CANCELLED",
    "CANCELED": "CANCELLED",
    "STOPPED": "CANCELLED",
    "CRASHED": "FAILED",
    "ERROR": "FAILED",
    "SCHEDULED": "PENDING",
    "QUEUED": "PENDING",
    "STARTED": "RUNNING",
}

WORDS: Final = STATUSES | _SYNONYMS.keys()
"""All that mean a status."""


def status_of(word: str) -> str:
    """The status that a word means, in whatever case. Raises `Wrong`."""
    plain = word.strip().upper()
    found = _SYNONYMS.get(plain, plain)
    if found not in STATUSES:
        raise Wrong(
            f"{quote(word)} is no status of a run", "there are " + ", ".join(sorted(STATUSES))
        )
    return found
