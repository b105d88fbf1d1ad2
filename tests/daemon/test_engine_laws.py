"""Whatever happens to the queue, in whatever order: the laws that hold after every step.

Memory is what a fresh load of the store gives. Nothing is over-allocated. Every event leads along
the transition table, and an element's story, told again, gives its record. After a restart nothing
is decided that was not decided before it. The runner is never made to start a run twice.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hpcshell.core.errors import NotFound, NotYet, Refused, Wrong
from hpcshell.core.lifecycle import TRANSITIONS, Event, Kind, step, word
from hpcshell.core.records import NO_INDEX, Outcome, Run, State, Task
from hpcshell.daemon.engine import Engine
from hpcshell.daemon.live import LiveJob
from hpcshell.policy.decide import decide
from hpcshell.store.rows import Entry, indices_of
from tests.support.benches import TOTAL, Bench, Clock, submission

MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
KINDS = {kind.value: kind for kind in Kind}
GONE = frozenset(
    {"run", "attempt", "state", "outcome", "exit_code", "signal", "cause", "held"}
    | {"suspended", "suspended_since", "waking"}
)
"""What the story and the runs together say of an element."""
TIMES = frozenset({"suspended", "suspended_since"})
"""Of these what depends on instants: a story keeps those that were written, records move with the
clock when it is set."""

REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "cpus": st.integers(1, 4),
        "memory": st.sampled_from([0, 300, 1000]),
        "gpus": st.integers(0, 2),
        "others": st.sampled_from([{}, {"seats": 2}]),
        "exclusive": st.booleans(),
        "time_limit": st.sampled_from([None, 10.0, 100.0]),
    },
)
RETRIES = st.sampled_from(
    [
        {},
        {"limit": 1, "delay": 5.0},
        {"limit": 2, "delay": 0.0, "grow": {"mem": 2.0, "cpus": 2.0}},
    ]
)


def snapshot(engine: Engine) -> dict[str, Any]:
    """All of an engine that another, loaded from the same store, must have too."""
    jobs: dict[int, Any] = {}
    for live in engine.live.values():
        tally = live.tally.summary() if live.tally.counts else None
        jobs[live.job.id] = (
            live.job,
            str(live.waiting),
            dict(sorted(live.tasks.items())),
            live.start_time,
            tally,
        )
    return {
        "jobs": jobs,
        "names": engine.by_name,
        "unique": engine.unique,
        "runs": engine.runs,
        "prepared": engine.prepared,
        "claims": engine.view.claims,
        "free": engine.view.free,
        "waking": engine.view.waking,
    }


class Queue(RuleBasedStateMachine):
    """A user, a runner and a fate that do what they like."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="hpc-", dir=MEMORY))
        self.patch = pytest.MonkeyPatch()
        self.clock = Clock(self.patch)
        self.clock_was_set = False
        self.bench = Bench(self.root)
        self.last = 0

    def teardown(self) -> None:
        self.bench.close()
        self.patch.undo()
        complaints = [
            line for line in self.bench.complaints() if "full" not in line.get("error", "")
        ]
        shutil.rmtree(self.root)
        assert not complaints

    def ask(self, verb: str, **args: Any) -> Any:
        """Ask; a refusal is an answer like another."""
        try:
            return self.bench.ask(verb, **args)
        except (Wrong, Refused, NotFound, NotYet):
            return None

    def name(self, data: st.DataObject) -> str:
        """Some job, or an element of it, mostly one that lives."""
        live = sorted(self.bench.engine.live)
        job = data.draw(st.sampled_from(live) if live else st.integers(1, self.last))
        found = self.bench.engine.live.get(job)
        if found is None or found.job.array is None or data.draw(st.booleans()):
            return str(job)
        index = data.draw(st.sampled_from(list(indices_of(found.job))))
        return f"{job}_{index}"

    # -- what users do ---------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        self.submit_one({}, "", {}, {})

    @rule(
        request=REQUESTS,
        array=st.sampled_from(["", "", "0-3", "0-11", "1-9:4%1", "0-2%2"]),
        retry=RETRIES,
        more=st.fixed_dictionaries(
            {},
            optional={
                "hold": st.booleans(),
                "name": st.sampled_from(["a", "b"]),
                "unique": st.booleans(),
                "priority": st.sampled_from([100, 900]),
                "on_never": st.sampled_from(["end", "hold"]),
                "requeue": st.booleans(),
                "checkpoint": st.just({"number": 10, "before": 5.0}),
            },
        ),
        data=st.data(),
    )
    def submit(self, request: Any, array: str, retry: Any, more: Any, data: st.DataObject) -> None:
        kinds = ["after", "afterok", "afternotok", "afterany", "aftercorr"]
        if data.draw(st.booleans()) and self.last:
            terms = [
                f"{data.draw(st.sampled_from(kinds))}:{data.draw(st.integers(1, self.last))}"
                for _ in range(data.draw(st.integers(1, 2)))
            ]
            more["dependency"] = data.draw(st.sampled_from([",", "?"])).join(terms)
        elif data.draw(st.integers(0, 4)) == 0:
            more["dependency"] = "singleton"
        if data.draw(st.integers(0, 4)) == 0:
            more["begin"] = self.clock.wall + data.draw(st.sampled_from([5.0, 50.0]))
        if data.draw(st.integers(0, 6)) == 0:
            more["deadline"] = self.clock.wall + 60.0
        self.submit_one(request, array, retry, more)

    def submit_one(self, request: Any, array: str, retry: Any, more: Any) -> None:
        asked = submission("true", request=request, array=array, retry=retry, **more)
        if self.ask("submit", submissions=[asked]) is not None:
            self.last += 1

    @precondition(lambda self: self.last)
    @rule(verb=st.sampled_from(["cancel", "hold", "release", "requeue"]), data=st.data())
    def change(self, verb: str, data: st.DataObject) -> None:
        self.ask(verb, ids=[self.name(data)])

    @precondition(lambda self: self.last)
    @rule(verb=st.sampled_from(["suspend", "resume"]), data=st.data())
    def pause(self, verb: str, data: st.DataObject) -> None:
        self.ask(verb, ids=[self.name(data)])

    @precondition(lambda self: self.last)
    @rule(mode=st.sampled_from(["suspend", "requeue", "cancel"]), data=st.data())
    def preempt(self, mode: str, data: st.DataObject) -> None:
        self.ask("preempt", ids=[self.name(data)], mode=mode)

    @precondition(lambda self: self.last)
    @rule(
        changes=st.sampled_from(
            [
                {"time_limit": 50.0},
                {"time_limit": None},
                {"cpus": 2},
                {"cpus": 1, "memory": 300},
                {"priority": 1},
                {"name": "b"},
                {"throttle": 1},
                {"dependency": "singleton"},
                {"begin": 1.0},
                {"dependency": ""},
            ]
        ),
        data=st.data(),
    )
    def edit(self, changes: Any, data: st.DataObject) -> None:
        answer = self.ask("edit", ids=[self.name(data)], changes=changes) or {"jobs": []}
        for job in answer["jobs"]:
            if (live := self.bench.engine.live.get(job["id"])) is not None:
                self.the_newest_word_wins(live, changes)

    def the_newest_word_wins(self, live: LiveJob, changes: dict[str, Any]) -> None:
        """Whatever a retry has grown; but for what is cancelled, and never started again."""
        for task in live.tasks.values():
            if task.stopping != "cancel":
                request = task.request or live.job.request
                assert {name: getattr(request, name, changes[name]) for name in changes} == changes

    @precondition(lambda self: self.last)
    @rule(failed=st.booleans(), data=st.data())
    def rerun(self, failed: bool, data: st.DataObject) -> None:
        job = data.draw(st.integers(1, self.last))
        if self.ask("rerun", ids=[str(job)], failed=failed) is not None:
            self.last += 1

    # -- what happens ----------------------------------------------------------------------------

    @precondition(lambda self: self.bench.runner.alive)
    @rule(how=st.sampled_from(["good", "good", "bad", "killed", "lost", "failed"]), data=st.data())
    def run_ends(self, how: str, data: st.DataObject) -> None:
        runner = self.bench.runner
        run = data.draw(st.sampled_from(runner.alive))
        match how:
            case "good":
                runner.end(run)
            case "bad":
                runner.end(run, data.draw(st.sampled_from([1, 2])))
            case "killed":
                runner.end(run, signal=9)
            case "lost":
                runner.lose(run)
            case _:
                runner.fail(run)
        self.bench.settle()

    @rule(seconds=st.sampled_from([0.5, 6.0, 70.0, 5000.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.pass_time(seconds)
        self.bench.settle()

    @rule(by=st.sampled_from([-3600.0, 86400.0, -5.0]))
    def somebody_sets_the_clock(self, by: float) -> None:
        self.clock.set_wall(by)
        self.clock_was_set = True
        self.bench.settle()

    @rule(busy=st.booleans())
    def the_machine_is_busy(self, busy: bool) -> None:
        self.bench.runner.busy = busy

    @rule()
    def the_daemon_crashes(self) -> None:
        self.bench.crash()
        self.bench.settle()

    @rule()
    def the_link_breaks(self) -> None:
        self.bench.runner.close()
        self.bench.runner.open()
        self.bench.settle()

    @rule(write=st.integers(1, 12), request=REQUESTS)
    def the_disk_is_full(self, write: int, request: Any) -> None:
        """The given write of what follows fails; one second later there is room again."""
        counted = 0

        def fail(when: str, _count: int, _kind: str) -> None:
            nonlocal counted
            counted += when == "before"
            if counted == write:
                error = sqlite3.OperationalError("database or disk is full")
                error.sqlite_errorcode = sqlite3.SQLITE_FULL
                raise error

        self.bench.on_write = fail
        for run in self.bench.runner.alive[:1]:
            self.bench.runner.end(run)
        asked = submission("true", request=request, array="0-2")
        if self.ask("submit", submissions=[asked]) is not None:
            self.last += 1
        self.bench.on_write = None
        self.clock.pass_time(1.5)
        self.bench.settle()


class Laws(Queue):
    """What always holds."""

    @invariant()
    def memory_is_what_the_store_says(self) -> None:
        assert snapshot(self.bench.engine) == snapshot(self.bench.reloaded())

    @invariant()
    def jobs_are_listed_begun_ones_first_then_by_priority_and_age(self) -> None:
        engine = self.bench.engine

        def place(live: LiveJob) -> tuple[bool, int, int]:
            return not live.tasks, live.job.nice - live.job.priority, live.job.id

        ordered = sorted(engine.live.values(), key=place)
        assert list(engine.roll) == [live.job.id for live in ordered]

    @invariant()
    def elements_are_counted_by_state(self) -> None:
        engine = self.bench.engine
        counts: Counter[str] = Counter()
        for live in engine.live.values():
            counts["PENDING"] += len(live.waiting)
            counts.update(word(task) for task in live.tasks.values())
        assert engine.roll.counts() == dict(+counts)

    @invariant()
    def nothing_new_is_decided_after_a_restart(self) -> None:
        if self.bench.engine.followers:
            return  # they stand in line again then, and the one promise that is kept is theirs
        fresh = self.bench.reloaded()
        fresh.view.advance(self.clock.wall)
        plan = decide(fresh.view, fresh.policy, self.clock.wall)
        assert plan.starts == []
        assert plan.resumes == []

    @invariant()
    def nothing_is_over_allocated(self) -> None:
        claims = list(self.bench.engine.view.claims.values())
        running = [claim for claim in claims if claim.suspended is None]
        assert sum(claim.cpus for claim in running) <= TOTAL.cpus
        assert sum(claim.memory for claim in claims) <= TOTAL.memory
        gpus = [gpu for claim in claims for gpu in claim.gpus]
        assert len(gpus) == len(set(gpus)) <= TOTAL.gpus
        assert sum(claim.others.get("seats", 0) for claim in claims) <= 3
        assert len(running) == 1 or not any(claim.exclusive for claim in running)

    @invariant()
    def what_is_suspended_stands_still_and_nothing_else(self) -> None:
        engine, runner = self.bench.engine, self.bench.runner
        for live in engine.live.values():
            for task in live.tasks.values():
                if task.state is State.PENDING:
                    continue
                claim = engine.runs[task.run].claim
                still = task.state is State.SUSPENDED
                if task.state is not State.STOPPING:
                    assert (claim.suspended is not None) == still
                    assert claim.suspended == task.suspended_since
                assert (task.run in engine.view.waking) == task.waking
                if runner.connected and not runner.said and task.run in runner.alive:
                    assert (task.run in runner.suspended) == still

    @invariant()
    def what_runs_holds_a_claim_and_the_other_way_round(self) -> None:
        engine = self.bench.engine
        running = {
            task.run
            for live in engine.live.values()
            for task in live.tasks.values()
            if task.state is not State.PENDING
        }
        assert running == engine.runs.keys() == engine.view.claims.keys()

    @invariant()
    def what_is_lent_waits_and_stands_in_no_line(self) -> None:
        engine = self.bench.engine
        prepared = {run.id for run in engine.prepared.values()}
        lent = list(engine.followers.values())
        assert len({run.id for run in lent}) == len(lent)
        for run in lent:
            assert run.id in prepared
            assert engine.live[run.job].tasks[run.index].state is State.PENDING
            entry = engine.view.entry(run.job)
            assert entry is not None
            assert run.index in entry.lent
            assert entry.standing(run.index) is None
        for job, entry in engine.view.queue.jobs.items():
            assert len(entry.lent) == sum(run.job == job for run in lent)

    @invariant()
    def no_run_was_started_twice(self) -> None:
        assert all(count == 1 for count in self.bench.runner.begun.values())

    @invariant()
    def nothing_runs_that_the_queue_does_not_know(self) -> None:
        assert set(self.bench.runner.alive) <= self.bench.engine.runs.keys()

    @invariant()
    def every_story_leads_to_its_record(self) -> None:
        store = self.bench.store
        for stored in store.jobs(range(1, self.last + 1)):
            for task in store.tasks(stored.job.id):
                runs = store.runs(task.job, task.index)
                entries = store.story(task.job, None if task.index < 0 else task.index)
                told = tell(task, entries, runs)
                for name in GONE - TIMES if self.clock_was_set else GONE:
                    assert getattr(told, name) == getattr(task, name), (name, entries)

    @invariant()
    def every_element_is_counted_once(self) -> None:
        for stored in self.bench.store.jobs(range(1, self.last + 1)):
            counts = self.bench.store.tally(stored.job.id)
            assert sum(counts.values()) == len(indices_of(stored.job))


def tell(task: Task, entries: list[Entry], runs: list[Run]) -> Task:
    """The element as its story gives it, from the beginning."""
    told = Task(job=task.job, index=task.index)
    attempts = iter(runs)
    for entry in entries:
        index = NO_INDEX if entry.index is None else entry.index
        if entry.kind not in KINDS or index != task.index:
            continue
        event = event_of(entry, told, attempts, runs)
        allowed, _ = TRANSITIONS[told.state, event.kind]
        told = step(told, event)
        assert told.state in allowed
        assert word(told) == entry.state
    return told


def event_of(entry: Entry, told: Task, attempts: Any, runs: list[Run]) -> Event:
    kind = KINDS[entry.kind]
    run = next((run for run in runs if run.id == told.run), None)
    return Event(
        kind=kind,
        time=entry.time,
        cause=entry.cause,
        run=next(attempts).id if kind is Kind.START else 0,
        outcome=Outcome(entry.state) if entry.state in Outcome.__members__ else None,
        exit_code=run.exit_code if run and kind in (Kind.END, Kind.REQUEUE) else None,
        signal=run.signal if run and kind in (Kind.END, Kind.REQUEUE) else None,
    )


TestLaws = Laws.TestCase
TestLaws.settings = settings(max_examples=settings().max_examples // 4, stateful_step_count=40)
