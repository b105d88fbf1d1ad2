"""The words for the states of jobs, as people write them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hpcshell.core.errors import Wrong
from hpcshell.core.words import nearest, quote

STATES: Final = (
    "PENDING",
    "RUNNING",
    "SUSPENDED",
    "COMPLETING",
    "COMPLETED",
    "FAILED",
    "CANCELLED",
    "TIMEOUT",
    "OUT_OF_MEMORY",
    "NODE_FAIL",
    "PREEMPTED",
    "DEADLINE",
)
_SHORT: Final = {
    "PD": "PENDING",
    "R": "RUNNING",
    "S": "SUSPENDED",
    "CG": "COMPLETING",
    "CD": "COMPLETED",
    "F": "FAILED",
    "CA": "CANCELLED",
    "TO": "TIMEOUT",
    "OOM": "OUT_OF_MEMORY",
    "NF": "NODE_FAIL",
    "PR": "PREEMPTED",
    "DL": "DEADLINE",
}


def states_of(words: Iterable[str]) -> list[str]:
    """State words in full, from words in any case, their short forms, and comma-separated lists."""
    found = []
    for word in ",".join(words).upper().replace("-", "_").split(","):
        if not word:
            continue
        state = _SHORT.get(word, word)
        if state not in STATES:
            near = nearest(state, STATES)
            raise Wrong(
                f"there is no state {quote(word)}",
                f"did you mean {near}?" if near else "one of " + ", ".join(STATES),
            )
        found.append(state)
    return found
