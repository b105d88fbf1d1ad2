"""The scenarios of `tests/scenarios` through the daemon: it starts what the pure scheduler starts.

Once on the bench, all of them; and some with a real daemon, runner and processes. A beat is a
minute by a clock that only the test moves, and work ends when the test says so: nothing here takes
longer than it must, and nothing depends on how fast it is.
"""

from __future__ import annotations

import heapq
import json
import os
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest
from msgspec.structs import replace

from hpcshell.core.dependencies import format_dependencies
from hpcshell.core.records import Dependencies, Outcome, Run, State
from hpcshell.daemon.admission import user_name
from hpcshell.machine.paths import places
from hpcshell.store.reading import Reader
from hpcshell.store.rows import indices_of
from tests.scenarios.scenario import Apart, Scenario, Work, paths, read
from tests.support.benches import Bench, Clock, submission
from tests.support.daemons import Daemon

BEAT = 60.0
"""Seconds; the delays of dependencies are written in minutes."""
APART, ENDS, COMES = -1, 0, 1
GATES = 60


class Stage(Protocol):
    """Where a scenario is played."""

    origin: float

    def turn_to(self, now: float) -> None:
        """It is this instant now; what follows from it has happened when this returns."""

    def submit(self, asked: list[dict[str, Any]]) -> list[int]:
        """What has ended is known too when this returns, and decided upon with what comes."""

    def end(self, run: Run, code: int, *, timeout: bool) -> None: ...

    def reserve(self, asked: dict[str, Any]) -> None: ...

    def reader(self) -> Reader: ...

    def next_wake(self) -> float | None:
        """When time alone will change something, as far as the stage can tell."""


class Play:
    """A scenario on a stage, instant by instant; ends come before what is submitted."""

    def __init__(self, scenario: Scenario, stage: Stage) -> None:
        self.scenario = scenario
        self.stage = stage
        self.ids: dict[int, int] = {}
        self.seen: set[tuple[int, float]] = set()
        self.stopped: set[int] = set()
        self.agenda: list[tuple[float, int, int, Any]] = []
        for place, work in enumerate(scenario.job, 1):
            heapq.heappush(self.agenda, (work.at, COMES, place, work))

        for place, one in enumerate(scenario.reservation):
            heapq.heappush(self.agenda, (one.made, APART, place, one))

    def run(self) -> Play:
        while (now := self._next()) is not None:
            self.stage.turn_to(self.stage.origin + now * BEAT)
            self._look(now)
            while self.agenda and self.agenda[0][0] <= now:
                self._happen()
                self._look(now)
        return self

    def _happen(self) -> None:
        """All that is due at one instant: to the scheduler it is one moment."""
        due = self.agenda[0][0]
        while self.agenda and self.agenda[0][:2] == (due, APART):
            self.stage.reserve(self._apart(heapq.heappop(self.agenda)[3]))
        comes = []
        while self.agenda and self.agenda[0][0] == due:
            _, what, number, subject = heapq.heappop(self.agenda)
            if what == ENDS and self._still(subject):
                self._end(subject)
            elif what == ENDS:
                continue
            else:
                self.ids[number] = len(self.ids) + 1
                comes.append(subject)
        ids = self.stage.submit([self._asked(work) for work in comes])
        assert ids == list(self.ids.values())[len(self.ids) - len(ids) :]

    def _next(self) -> float | None:
        times = [self.agenda[0][0]] if self.agenda else []
        wake = self.stage.next_wake()
        if wake is not None:
            times.append((wake - self.stage.origin) / BEAT)
        return min(times, default=None)

    def _work(self, job: int) -> Work:
        [place] = [place for place, number in self.ids.items() if number == job]
        return self.scenario.job[place - 1]

    def _look(self, now: float) -> None:
        """Note when what has started, or gone on, since will end, and what is to make room."""
        for run in self.stage.reader().live_runs():
            if run.job not in self.ids.values() or run.claim.suspended is not None:
                continue
            if self._stopped(run) and run.id not in self.stopped:
                self.stopped.add(run.id)
                heapq.heappush(self.agenda, (now, ENDS, run.id, run))
            elif (run.id, run.claim.paused) not in self.seen:
                self.seen.add((run.id, run.claim.paused))
                work = self._work(run.job)
                length = work.run_time(run.index)
                if work.limit is not None and length > work.limit:
                    length = work.limit + work.overstays
                begun = (run.start_time + run.claim.paused - self.stage.origin) / BEAT
                heapq.heappush(self.agenda, (round(begun + length, 6), ENDS, run.id, run))

    def _still(self, run: Run) -> bool:
        """Whether the run is as it was when its end was noted."""
        live = {one.id: one.claim for one in self.stage.reader().live_runs()}
        found = live.get(run.id)
        return found is not None and found.suspended is None and found.paused == run.claim.paused

    def _stopped(self, run: Run) -> bool:
        """Whether the run is to make room; it does so at once."""
        task = self.stage.reader().task(run.job, run.index)
        return task is not None and task.stopping in ("preempt", "evict")

    def _end(self, run: Run) -> None:
        work = self._work(run.job)
        late = work.limit is not None and work.run_time(run.index) > work.limit
        if run.id in self.stopped:
            self.stage.end(run, 143, timeout=False)
        else:
            self.stage.end(run, work.exit_code(run.attempt), timeout=late)

    def _apart(self, one: Apart) -> dict[str, Any]:
        return {
            "name": one.name,
            "start": self.stage.origin + one.start * BEAT,
            "end": self.stage.origin + one.end * BEAT,
            "cpus": one.cpus,
            "gpus": one.gpus,
            "all": one.all,
            "users": [] if one.maintenance else [user_name(os.geteuid())],
            "flex": one.flex,
            "idle": None if one.idle is None else one.idle * BEAT,
        }

    def _asked(self, work: Work) -> dict[str, Any]:
        request = work.request()
        limit = None if request.time_limit is None else request.time_limit * BEAT
        retry = work.retry()
        asked = submission(
            "true",
            name=work.job_name(),
            request=msgspec.to_builtins(replace(request, time_limit=limit)),
            array=work.array,
            priority=work.priority,
            nice=work.nice,
            account=work.account,
            qos=work.qos,
            partition=work.partition,
            hold=work.hold,
            on_never=work.on_never,
            retry=msgspec.to_builtins(replace(retry, delay=retry.delay * BEAT)),
            stdout="/dev/null",
            reservation=work.reservation,
        )
        if work.begin:
            asked["begin"] = self.stage.origin + work.begin * BEAT
        if work.deadline is not None:
            asked["deadline"] = self.stage.origin + work.deadline * BEAT
        dependencies = self.scenario.dependencies(work)
        if dependencies is not None:
            asked["dependency"] = self._expression(dependencies)
        return asked

    def _expression(self, dependencies: Dependencies) -> str:
        terms = tuple(
            replace(term, job=self.ids.get(term.job, 0), delay=term.delay * BEAT)
            for term in dependencies.terms
        )
        return format_dependencies(replace(dependencies, terms=terms))

    # -- what came of it -------------------------------------------------------------------------

    def starts(self) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {}
        reader = self.stage.reader()
        for place, job in self.ids.items():
            for index in self._indices(job):
                for run in reader.runs(job, index):
                    beats = round((run.start_time - self.stage.origin) / BEAT, 6)
                    found.setdefault(self.scenario.label(place, index), []).append(beats)
        return found

    def outcomes(self) -> dict[str, str]:
        found = {}
        for place, job in self.ids.items():
            for index in self._indices(job):
                task = self.stage.reader().task(job, index)
                if task is not None and task.state is State.ENDED:
                    assert task.outcome is not None
                    found[self.scenario.label(place, index)] = task.outcome.value
        return {name: how for name, how in found.items() if how != Outcome.COMPLETED.value}

    def _indices(self, job: int) -> list[int]:
        stored = self.stage.reader().job(job)
        assert stored is not None
        return list(indices_of(stored.job))


def check(scenario: Scenario, stage: Stage) -> None:
    play = Play(scenario, stage).run()
    assert play.starts() == scenario.expect.all_starts()
    assert play.outcomes() == scenario.expect.outcomes


class BenchStage:
    """The daemon without processes."""

    def __init__(self, bench: Bench, clock: Clock) -> None:
        self.bench = bench
        self.clock = clock
        self.origin = clock.wall

    def turn_to(self, now: float) -> None:
        self.clock.pass_time(now - self.clock.wall)
        self.bench.settle()

    def submit(self, asked: list[dict[str, Any]]) -> list[int]:
        for each in asked:
            self.bench.send("submit", submissions=[each])
        self.bench.settle()
        return [int(said["ok"]["jobs"][0]["id"]) for said in self.bench.heard()]

    def reserve(self, asked: dict[str, Any]) -> None:
        self.bench.ask("reserve", **asked)

    def end(self, run: Run, code: int, *, timeout: bool) -> None:
        if timeout:
            self.bench.runner.stopping[run.id] = "timeout"
        self.bench.runner.end(run.id, code, signal=15 if timeout else None)

    def reader(self) -> Reader:
        return self.bench.store

    def next_wake(self) -> float | None:
        return self.bench.engine.view.next_wake()


@pytest.mark.parametrize("path", paths(), ids=lambda path: path.stem)
def test_on_the_bench(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = read(path)
    clock = Clock(monkeypatch)
    bench = Bench(
        tmp_path,
        scenario.machine.resources(),
        settings=scenario.settings(BEAT, user_name(os.geteuid())),
    )
    try:
        check(scenario, BenchStage(bench, clock))
    finally:
        bench.close()
    assert not bench.complaints()


# -- with processes ----------------------------------------------------------------------------

SET_CLOCK = """
import os, sys
if os.environ.get("TEST_CLOCK"):
    import hpcshell.machine.clock as clock
    def now(path=os.environ["TEST_CLOCK"]):
        with open(path) as file:
            return float(file.read())
    clock.now = now
    if "hpcshell.daemon.hpcd" in sys.orig_argv:  # nobody sets the clock: time passes by it
        import hpcshell.daemon.leaps as leaps
        leaps.TOLERANCE = float("inf")
"""
WORK = 'read code < "$GATES/$HPC_RUN_ID"; exit "$code"'
"""It ends when the test writes to the gate of its run, as the test says."""


class RealStage:
    """A daemon, its runner and processes; only the clock on the wall is the test's."""

    def __init__(self, daemon: Daemon, clock: Path, gates: Path, beats: int) -> None:
        self.daemon = daemon
        self.clock = clock
        self.gates = gates
        self.origin = float(clock.read_text())
        self.client = daemon.client()
        self.store = Reader.of(Path(places(os.environ).database))
        self.ended: list[int] = []
        self.beats = iter(range(1, beats + 1))
        self.wake: float | None = self.origin
        for run in range(1, GATES):
            os.mkfifo(gates / str(run))

    def turn_to(self, now: float) -> None:
        draft = self.clock.with_suffix(".new")
        draft.write_text(repr(now))
        draft.replace(self.clock)
        self.client.call("hello")  # any word makes it look at the clock
        if self.wake is not None and self.wake <= now:
            beat = next(self.beats, None)
            self.wake = None if beat is None else self.origin + beat * BEAT

    def submit(self, asked: list[dict[str, Any]]) -> list[int]:
        told = {"argv": ["/bin/sh", "-c", WORK], "env": {"GATES": str(self.gates)}}
        answers = [self.client.call("submit", submissions=[each | told]) for each in asked]
        for run in self.ended:
            self._await_end(run)
        self.ended.clear()
        return [int(answer["jobs"][0]["id"]) for answer in answers]

    def reserve(self, asked: dict[str, Any]) -> None:
        self.client.call("reserve", **asked)

    def end(self, run: Run, code: int, *, timeout: bool) -> None:
        assert not timeout
        (self.gates / str(run.id)).write_text(f"{code}\n")  # waits until somebody reads
        self.ended.append(run.id)

    def _await_end(self, run: int) -> None:
        """Until its end is recorded, and what follows from it decided: that is one commit."""
        for said in self.client.stream("events", since=0, follow=True):
            found = self.store.run(run)
            assert found is not None
            if found.end_time is not None:
                return
            assert said

    def reader(self) -> Reader:
        return self.store

    def next_wake(self) -> float | None:
        """Every beat, until the last one."""
        return self.wake


ALONE = (
    *("dependencies", "easy", "gpu_shares", "gpus_and_licences", "retries", "throttle", "times"),
    *("none", "sjf", "wfp3", "fairshare", "multifactor", "quota", "predicted", "tiers"),
    *("reservation_maintenance", "reservation_of_some"),
)
"""Scenarios in which no two things happen at one instant that must be one moment."""


def settings_of(scenario: Scenario) -> str:
    """A configuration file for this machine and policy."""
    machine = scenario.machine
    others = "".join(f"{name} = {count}\n" for name, count in machine.others.items())
    memory = "" if machine.memory == "0" else f'memory = "{machine.memory}"\n'
    return (
        f"[resources]\ncpus = {machine.cpus}\ngpus = {machine.gpus}\n{memory}"
        f"[resources.others]\n{others}\n{_toml(scenario.tables(BEAT, user_name(os.geteuid())))}"
    )


def _toml(tables: dict[str, Any], front: str = "") -> str:
    """Tables as a configuration file has them; what is no table is written as in JSON."""
    lines = []
    for name, table in tables.items():
        own = {key: value for key, value in table.items() if not isinstance(value, dict)}
        lines += [f"[{front}{name}]", *(f"{key} = {json.dumps(own[key])}" for key in own)]
        inner = {key: value for key, value in table.items() if isinstance(value, dict)}
        lines.append(_toml(inner, f"{front}{name}."))
    return "\n".join(lines)


@pytest.mark.parametrize("name", ALONE)
def test_with_processes(
    name: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = read(next(path for path in paths() if path.stem == name))
    (tmp_path / "sitecustomize.py").write_text(SET_CLOCK)
    gates, clock = tmp_path / "gates", tmp_path / "clock"
    gates.mkdir()
    clock.write_text("1700000000.0")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setenv("TEST_CLOCK", str(clock))
    config = Path(places(os.environ).config_file)
    config.parent.mkdir(parents=True)
    config.write_text(settings_of(scenario))
    daemon = Daemon(home)
    daemon.start()
    assert daemon.told == "ok"
    last = max(at for starts in scenario.expect.all_starts().values() for at in starts)
    check(scenario, RealStage(daemon, clock, gates, int(last) + 1))
    assert not daemon.complaints
