"""A scenario, and a program that runs it again and again, each time killed at another write.

    python -m tests.store.crashing DIRECTORY FIRST STEP

makes DIRECTORY/before-N/ and after-N/ for N = FIRST, FIRST + STEP, ...: the database of a process
that was killed around its N-th write, and `acknowledged`, the number of changes it knew to be safe.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from hpcshell.core.records import Outcome, State, Task
from hpcshell.store.change import Change
from hpcshell.store.store import Store
from tests.store import made

Step = Callable[[Change], None]


def _submit(change: Change) -> None:
    made.submit(change, env=change.add_blob(b"A=1"), name="plain")
    made.submit(change, array="0-999999", name="array")


def _begin(change: Change) -> None:
    made.begin(change, 1)
    made.begin(change, 2, 0)


def _go_on(change: Change) -> None:
    made.finish(change, made.running(1, run=1))
    change.end_job(1, made.summary(COMPLETED=1))
    made.finish(change, made.running(2, 0, run=2), Outcome.FAILED)
    made.begin(change, 2, 5)


def _requeue(change: Change) -> None:
    task = made.running(2, 5, run=3)
    change.end_run(replace(made.run_of(task), end_time=250.0))
    change.put_task(replace(task, state=State.PENDING))
    change.put_task(Task(job=2, index=9, held=True))


def _again(change: Change) -> None:
    made.begin(change, 2, 5, attempt=2)
    made.whole_life(change, env=change.add_blob(b"A=2"))


def _drop(change: Change) -> None:
    change.update_job(
        replace(made.job(2, array="0-999999", name="array"), dropped=Outcome.CANCELLED)
    )
    change.put_task(made.ended(Task(job=2, index=9), Outcome.CANCELLED))


def _end(change: Change) -> None:
    made.finish(change, made.running(2, 5, run=4, attempt=2))
    change.end_job(2, made.summary(Outcome.FAILED))


STEPS: Final[tuple[Step, ...]] = (_submit, _begin, _go_on, _requeue, _again, _drop, _end)


def tables(store: Store) -> list[str]:
    """All that is stored, as text; but for the count of failed syncs."""
    return [line for line in store._connection.iterdump() if "'failed_syncs'" not in line]


def _run(place: Path, when: str, number: int) -> None:
    def kill(moment: str, count: int, kind: str) -> None:
        if (moment, count) == (when, number):
            os.kill(os.getpid(), signal.SIGKILL)

    store = Store.open(place / "hpcshell.db", on_write=kill)
    for done, step in enumerate(STEPS, 1):
        with store.change() as change:
            step(change)
        (place / "acknowledged").write_text(str(done))
    os._exit(0)


def main(directory: Path, first: int, step: int) -> None:
    """Every `step`-th write from `first` on, until one is beyond the end of the scenario."""
    for number in range(first, 10_000, step):
        for when in ("before", "after"):
            place = directory / f"{when}-{number}"
            place.mkdir()
            child = os.fork()
            if child == 0:
                try:
                    _run(place, when, number)
                finally:
                    os._exit(1)
            _, status = os.waitpid(child, 0)
            if not os.WIFSIGNALED(status):
                sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
