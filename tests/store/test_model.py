"""The store against a few dictionaries: whatever happens, disk failures and restarts included, both
tell the same, and a change that failed has left no trace.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace

from hpcshell.core.errors import Broken, NotYet
from hpcshell.core.records import Job, Outcome, Run, State, Summary, Task
from hpcshell.store.change import Change
from hpcshell.store.rows import Wanted, indices_of
from hpcshell.store.store import Store
from tests.store import made
from tests.store.faulty import Disk

OUTCOMES = st.sampled_from(list(Outcome))
FAST = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
FAILURES = st.sampled_from(["FULL", "IOERR", "FSYNC", "BUSY"])


class Model:
    """What should be stored."""

    def __init__(self) -> None:
        self.jobs: dict[int, Job] = {}
        self.summaries: dict[int, Summary] = {}
        self.tasks: dict[tuple[int, int], Task] = {}
        self.runs: dict[int, Run] = {}
        self.events: list[tuple[int, int]] = []
        self.blobs: set[str] = set()

    def copy(self) -> Model:
        other = Model()
        for name, value in vars(self).items():
            setattr(other, name, value.copy())
        return other

    def live(self) -> list[int]:
        return [number for number in self.jobs if number not in self.summaries]

    def waiting(self, number: int) -> list[int]:
        if self.jobs[number].dropped is not None:
            return []
        return [i for i in indices_of(self.jobs[number]) if (number, i) not in self.tasks]

    def of(self, number: int) -> list[Task]:
        return [task for key, task in sorted(self.tasks.items()) if key[0] == number]

    def at(self, *states: State) -> list[tuple[int, int]]:
        return [key for key, task in self.tasks.items() if task.state in states]

    def startable(self) -> list[tuple[int, int]]:
        fresh = [(number, i) for number in self.live() for i in self.waiting(number)]
        return fresh + self.at(State.PENDING)

    def over(self) -> list[int]:
        """Live jobs of which nothing lives any more."""
        return [
            number
            for number in self.live()
            if not self.waiting(number)
            and all(task.state is State.ENDED for task in self.of(number))
        ]


class StoreMachine(RuleBasedStateMachine):
    """Every rule is one change, tried on the store and, once it is durable, on the model."""

    @initialize()
    def open(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="model-", dir=FAST))
        self.disk = Disk()
        self.model = Model()
        self.next = Model()
        self.last_job = self.last_run = self.clock = 0
        self.store = self._open()

    def _open(self) -> Store:
        return Store.open(self.directory / "hpcshell.db", on_write=self.disk, busy=0.1)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.directory)

    def _do(self, work: Callable[[Change], None]) -> None:
        self.next = self.model.copy()
        self.clock += 1
        try:
            with self.store.change() as change:
                work(change)
        except (Broken, NotYet):
            self.disk.mend()
        else:
            self.model = self.next
            self.last_job = max([self.last_job, *self.model.jobs])
            self.last_run = max([self.last_run, *self.model.runs])

    def _note(self, change: Change, number: int) -> None:
        seq = change.add_event(float(self.clock), number, "noted", detail={"clock": self.clock})
        assert seq > max([0, *(event[0] for event in self.next.events)])
        self.next.events.append((seq, number))

    # ------------------------------------------------------------------------------------- rules

    @rule(left=st.integers(1, 8), name=FAILURES)
    def the_disk_will_fail(self, left: int, name: str) -> None:
        self.disk.fail(left, name)

    @rule()
    def restart(self) -> None:
        self.disk.mend()
        self.store.close()
        self.store = self._open()

    @rule(array=st.sampled_from(["", "0-3", "1-9:3,20"]), env=st.binary(min_size=1, max_size=2))
    def submit(self, array: str, env: bytes) -> None:
        def work(change: Change) -> None:
            key = change.add_blob(env)
            number = change.next_job_id()
            assert number == self.last_job + 1
            job = made.job(number, array=array, env=key)
            change.add_job(job)
            self.next.jobs[number] = job
            self.next.blobs.add(key)
            self._note(change, number)

        self._do(work)

    @precondition(lambda self: self.model.startable())
    @rule(pick=st.data())
    def start(self, pick: st.DataObject) -> None:
        number, index = pick.draw(st.sampled_from(self.model.startable()))

        def work(change: Change) -> None:
            run = change.next_run_id()
            assert run == self.last_run + 1
            before = self.model.tasks.get((number, index), Task(job=number, index=index))
            task = replace(before, state=State.RUNNING, run=run, attempt=before.attempt + 1)
            change.put_task(task)
            change.add_run(made.run_of(task))
            self.next.tasks[number, index] = task
            self.next.runs[run] = made.run_of(task)
            self._note(change, number)

        self._do(work)

    @precondition(lambda self: self.model.at(State.RUNNING))
    @rule(pick=st.data(), outcome=OUTCOMES, again=st.booleans())
    def end(self, pick: st.DataObject, outcome: Outcome, again: bool) -> None:
        key = pick.draw(st.sampled_from(self.model.at(State.RUNNING)))

        def work(change: Change) -> None:
            task = self.model.tasks[key]
            run = replace(self.model.runs[task.run], end_time=float(self.clock))
            after = made.ended(task, outcome, time=float(self.clock))
            if again:
                after = replace(task, state=State.PENDING)
            change.end_run(run)
            change.put_task(after)
            self.next.runs[run.id] = run
            self.next.tasks[key] = after
            self._note(change, key[0])

        self._do(work)

    @precondition(lambda self: self.model.live())
    @rule(pick=st.data(), outcome=OUTCOMES)
    def drop(self, pick: st.DataObject, outcome: Outcome) -> None:
        number = pick.draw(st.sampled_from(self.model.live()))

        def work(change: Change) -> None:
            job = replace(self.model.jobs[number], dropped=outcome, comment="dropped")
            change.update_job(job)
            self.next.jobs[number] = job
            for task in self.model.of(number):
                if task.state is State.PENDING:
                    after = made.ended(task, outcome, time=float(self.clock))
                    change.put_task(after)
                    self.next.tasks[number, task.index] = after

        self._do(work)

    @precondition(lambda self: self.model.over())
    @rule(pick=st.data())
    def end_job(self, pick: st.DataObject) -> None:
        number = pick.draw(st.sampled_from(self.model.over()))

        def work(change: Change) -> None:
            summary = made.summary(time=float(self.clock))
            change.end_job(number, summary)
            self.next.summaries[number] = summary

        self._do(work)

    @precondition(lambda self: self.model.summaries)
    @rule(pick=st.data())
    def purge(self, pick: st.DataObject) -> None:
        times = sorted(summary.end_time for summary in self.model.summaries.values())
        before = pick.draw(st.sampled_from(times)) + 0.5
        self.disk.mend()
        while self.store.purge(before, 7).more:
            pass
        gone = {n for n, summary in self.model.summaries.items() if summary.end_time < before}
        model = self.model
        model.jobs = {n: job for n, job in model.jobs.items() if n not in gone}
        model.summaries = {n: end for n, end in model.summaries.items() if n not in gone}
        model.tasks = {key: task for key, task in model.tasks.items() if key[0] not in gone}
        model.runs = {n: run for n, run in model.runs.items() if run.job not in gone}
        model.events = [event for event in model.events if event[1] not in gone]
        model.blobs = {job.launch.env for job in model.jobs.values()}

    @precondition(lambda self: self.model.at(State.ENDED))
    @rule(pick=st.data())
    def an_ended_element_is_defended(self, pick: st.DataObject) -> None:
        key = pick.draw(st.sampled_from(self.model.at(State.ENDED)))
        task = replace(self.model.tasks[key], cause="changed")
        self._do(lambda change: change.put_task(task))
        assert self.store.task(*key) == self.model.tasks[key]

    # -------------------------------------------------------------------------------- invariants

    @invariant()
    def jobs_are_the_same(self) -> None:
        model = self.model
        found = {stored.job.id: stored for stored in self.store.jobs(range(self.last_job + 2))}
        assert {n: stored.job for n, stored in found.items()} == model.jobs
        ended = {n: stored.summary for n, stored in found.items() if stored.summary is not None}
        assert ended == model.summaries
        assert self.store.history(Wanted())[1] == len(model.summaries)

    @invariant()
    def what_lives_is_the_same(self) -> None:
        model = self.model
        live = {found.job.id: found for found in self.store.live_jobs()}
        assert list(live) == sorted(model.live())
        for number, found in live.items():
            tasks = model.of(number)
            assert found.job == model.jobs[number]
            assert list(found.waiting) == model.waiting(number)
            assert found.tasks == [task for task in tasks if task.state is not State.ENDED]
            ended = Counter(task.outcome.value for task in tasks if task.outcome is not None)
            whole = len(indices_of(model.jobs[number]))
            dropped = model.jobs[number].dropped
            if dropped is not None and whole > len(tasks):
                ended[dropped.value] += whole - len(tasks)
            assert found.ended == ended
            assert found.dropped == (0 if dropped is None else whole - len(tasks))
            assert sum(self.store.tally(number).values()) == whole

    @invariant()
    def elements_and_runs_are_the_same(self) -> None:
        model = self.model
        for number in model.jobs:
            assert self.store.tasks(number) == model.of(number)
        runs = [run for _, run in sorted(model.runs.items())]
        assert self.store.live_runs() == [run for run in runs if run.end_time is None]
        for number, index in model.tasks:
            mine = [run for run in runs if (run.job, run.index) == (number, index)]
            assert self.store.runs(number, index) == mine

    @invariant()
    def the_story_and_the_blobs_are_the_same(self) -> None:
        assert [(entry.seq, entry.job) for entry in self.store.events()] == self.model.events
        for key in self.model.blobs:
            assert self.store.blob(key) is not None
        assert self.store.last_job_id(1000) == max(self.model.jobs, default=None)


def test_the_store_and_the_model_tell_the_same() -> None:
    default: Any = settings.default
    run_state_machine_as_test(
        StoreMachine,
        settings=settings(max_examples=max(20, default.max_examples // 2), stateful_step_count=40),
    )
