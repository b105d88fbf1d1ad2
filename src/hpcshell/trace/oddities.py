"""What is odd in a log: counted by word, with the first places, and said in a sentence.

Logs of real machines are full of it. Nothing is mended or left out without being counted here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

ODDITIES: Final = {
    # lines of the log
    "unreadable": "not the numbers of a job: left out",
    "misfit": "not as many fields as the first line names: left out",
    "no_submit": "says no time at which it was submitted: left out",
    "cut_off": "the last line breaks off: left out",
    "short": "fewer fields than the format has: the missing ones are unknown",
    "long": "more fields than the format has: what follows them is ignored",
    "not_a_number": "a field that is no number in range: taken as unknown",
    "fraction": "a fraction where a whole number belongs: rounded down",
    "step": "a step of a job: left out, the job counts",
    "never_began": "the rest of an array, none of which began: left out",
    "not_ended": "has not ended yet: left out, or taken to run as long as the filter says",
    "whole_array": "an array without its elements: left out",
    # jobs
    "negative_submit": "submitted before the log begins: left out",
    "negative_run": "ended before it began: left out",
    "turned_back": "ended before it began: taken to have run as long as its elapsed time says",
    "unknown_run": "never ran, or for an unknown time: left out",
    "run_assumed": "never ran, or for an unknown time: taken to run as long as the filter says",
    "zero_run": "ran for no time at all: left out",
    "ages": "came or ran beyond three thousand years: left out",
    "unlimited": "has no time limit: taken to have asked for more time than any other",
    "asked_ages": "asked for more than three thousand years: taken to have asked for so much",
    "no_procs": "used and asked for no processors: left out",
    "no_request": "asked for no time: left out",
    "request_is_run": "asked for no time: taken to have asked for what it ran",
    "allocated": "asked for no processors: taken to have asked for what it got",
    "over_machine": "larger than the machine: left out",
    "over_nodes": "fits no nodes, with nobody on them: left out",
    "over_gang": "in a gang that asks for more than the machine: left out",
    "over_limits": "asks for more than the limits of the policy ever allow: left out",
    "never_started": "was never let start by the policy, whatever else ended: left out",
    "clipped": "larger than the machine: made as large as the machine",
    "run_over_request": "ran longer than it asked for: cut to what it asked for",
    "overrun": "ran longer than it asked for: kept",
    "unsorted": "submitted before the job in the line above: sorted",
    "same_id": "has the id of an earlier job: kept",
    "gang_parted": "in a gang of which not all jobs are simulated: starts with those that are",
    "machine_unknown": "the log does not say how large the machine is: taken to be as large as its "
    "largest job",
}
"""What each word means and what was done about it."""

SHOWN: Final = 3
"""Places that are remembered of each oddity."""


class Tally:
    """Counts oddities while a log is read."""

    __slots__ = ("counts", "examples")

    def __init__(
        self,
        counts: Mapping[str, int] | None = None,
        examples: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self.counts: dict[str, int] = dict(counts or {})
        self.examples: dict[str, tuple[str, ...]] = dict(examples or {})

    def add(self, word: str, places: Iterable[str], count: int = 1) -> None:
        """`count` more of `word`; `places` are the first of them, and no more are looked at than
        are remembered."""
        if not count:
            return
        self.counts[word] = self.counts.get(word, 0) + count
        known = self.examples.get(word, ())
        for place in places:
            if len(known) == SHOWN:
                break
            known = (*known, place)
        self.examples[word] = known


def sentences(
    counts: Mapping[str, int], examples: Mapping[str, tuple[str, ...]] | None = None
) -> list[str]:
    """One line for each oddity: how many, what, what was done about it, and where first."""
    lines = []
    for word, count in counts.items():
        places = (examples or {}).get(word, ())
        more = ", ..." if count > len(places) else ""
        where = f" ({', '.join(places)}{more})" if places else ""
        lines.append(f"{count:,} x {ODDITIES[word]}{where}")
    return lines
