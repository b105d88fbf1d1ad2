"""What does the desk of a cluster cost beyond its scheduler? CPU time of this process alone.

A look, and the queue, at 10,000 live elements of one array of ours and 10,000 jobs that were not
submitted here, the scheduler's answer being read already; 1,000 submissions, one by one, to a
scheduler that is a table in memory; and the queue of all of them.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # the toy scheduler is one of the tests' things

from hpcshell.clusters.desk import Desk
from tests.support.clusters.toy import ToySite, spec, toy_desk

JOBS = 10_000
SUBMISSIONS = 1000
TURNS = 5
VARIABLES = {f"NAME_{number}": "a value of usual length" for number in range(60)}
LOOK, QUEUE, SUBMIT = 0.1, 0.1, 0.0015


class TimedSite(ToySite):
    """A toy that knows how much of the time was its own."""

    spent = 0.0

    def say(self, words: Any) -> Any:
        return self._timed(super().say, words)

    def write(self, directory: str, files: Any) -> None:
        self._timed(super().write, directory, files)

    def _timed(self, act: Callable[..., Any], *args: Any) -> Any:
        begun = process_time()
        try:
            return act(*args)
        finally:
            self.spent += process_time() - begun


def best(act: Callable[[], object]) -> float:
    """CPU seconds of the best of several turns."""
    turns = []
    for _ in range(TURNS):
        begun = process_time()
        act()
        turns.append(process_time() - begun)
    return min(turns)


def crowded(directory: Path) -> Desk:
    """A desk before a full site, whose answer was read already."""
    site = ToySite()
    desk = toy_desk(directory, site, poll=3600.0)
    desk.call("submit", submissions=[spec("true", array=f"0-{JOBS - 1}")])
    for _ in range(JOBS):
        site.do_submit("", "", "somebody's")
    cluster = desk.cluster
    seen = cluster.read_queue(cluster.queue(age=0.0))
    cluster.read_queue = lambda look: seen  # type: ignore[method-assign]
    assert len(seen.sightings) == 2 * JOBS
    return desk


def submissions(directory: Path) -> tuple[float, float]:
    """CPU seconds of each of them beyond the toy's own, and of the queue of all."""
    site = TimedSite()
    desk = toy_desk(directory, site, poll=3600.0)
    specs = [spec("true", name=f"job{n}", env=VARIABLES) for n in range(SUBMISSIONS)]
    begun = process_time()
    for one in specs:
        desk.call("submit", submissions=[one])
    each = (process_time() - begun - site.spent) / SUBMISSIONS
    return each, best(lambda: desk.call("queue", limit=0))


def main() -> int:
    with tempfile.TemporaryDirectory() as directory:
        desk = crowded(Path(directory) / "crowded")
        look = best(desk.look)
        queue = best(lambda: desk.call("queue", limit=100))
        elements = best(lambda: desk.call("queue", limit=100, elements=True))
        submit, ours = submissions(Path(directory) / "submissions")
    figures = (
        (f"look at {JOBS:,} elements and {JOBS:,} others", look, LOOK),
        ("their queue, 100 rows of it", queue, QUEUE),
        ("their queue by elements, 100 rows of it", elements, QUEUE),
        (f"one of {SUBMISSIONS:,} submissions", submit, SUBMIT),
        ("the queue of these, whole", ours, QUEUE),
    )
    for what, seconds, goal in figures:
        word = "PASS" if seconds <= goal else "MISS"
        print(f"{what:<45} {1000 * seconds:8.2f} ms of CPU, at most {1000 * goal:g}  {word}")
    missed = any(seconds > goal for _, seconds, goal in figures)
    return 1 if missed and "--strict" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
