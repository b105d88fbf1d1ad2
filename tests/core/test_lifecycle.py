"""The life of an element: every pair of state and event, then whole lives at random."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from hpcshell.core.errors import Refused
from hpcshell.core.lifecycle import (
    IMPOSSIBLE,
    TRANSITIONS,
    Event,
    Kind,
    amend,
    label,
    step,
    suspended_for,
    word,
)
from hpcshell.core.records import Job, Launch, Outcome, Request, State, Task, Usage

PAIRS = [(state, kind) for state in State for kind in Kind]

events = st.builds(
    Event,
    kind=st.sampled_from(Kind),
    time=st.floats(0, 1e9),
    cause=st.text(max_size=5),
    run=st.integers(1, 99),
    stopping=st.sampled_from(["", "cancelled", "timeout"]),
    outcome=st.sampled_from(Outcome),
    exit_code=st.none() | st.integers(0, 255),
    signal=st.none() | st.integers(1, 64),
    usage=st.none() | st.just(Usage(max_rss=1)),
    not_before=st.floats(0, 1e9),
    lost=st.booleans(),
    request=st.none() | st.just(Request(cpus=2)),
)
tasks = st.builds(
    Task,
    job=st.integers(1, 99),
    index=st.integers(-1, 9),
    state=st.sampled_from(State),
    outcome=st.none() | st.sampled_from(Outcome),
    held=st.booleans(),
    attempt=st.integers(0, 5),
    lost=st.integers(0, 3),
    run=st.integers(0, 9),
)


@pytest.mark.parametrize(("state", "kind"), PAIRS)
def test_every_pair_leads_to_a_listed_state_or_is_refused(state: State, kind: Kind):
    task = Task(job=12, index=3, state=state, outcome=Outcome.COMPLETED)
    event = Event(kind=kind, time=1.0, outcome=Outcome.FAILED)
    if (state, kind) in TRANSITIONS:
        assert step(task, event).state in TRANSITIONS[state, kind][0]
    else:
        assert (state, kind) in IMPOSSIBLE
        with pytest.raises(Refused) as caught:
            step(task, event)
        assert "12_3" in caught.value.message
        assert caught.value.hint == "see what happened to it with: hpc show --story 12_3"


@pytest.mark.parametrize("kind", Kind)
def test_an_ended_element_never_changes(kind: Kind):
    assert (State.ENDED, kind) in IMPOSSIBLE


def test_every_state_but_the_last_can_be_left_and_every_state_reached():
    reached = {state for states, _ in TRANSITIONS.values() for state in states}
    assert reached == set(State)
    assert {state for state, _ in TRANSITIONS} == set(State) - {State.ENDED}


def test_everything_that_lives_can_be_cancelled_and_everything_begun_can_end():
    for state in set(State) - {State.ENDED}:
        assert (state, Kind.CANCEL) in TRANSITIONS
    for state in (State.RUNNING, State.SUSPENDED, State.STOPPING):
        assert (state, Kind.END) in TRANSITIONS
        assert (state, Kind.REQUEUE) in TRANSITIONS


@given(tasks, events)
def test_a_step_changes_neither_whose_it_is_nor_what_it_was_given(task: Task, event: Event):
    before = msgspec.json.encode(task)
    if (task.state, event.kind) not in TRANSITIONS:
        return
    after = step(task, event)
    assert (after.job, after.index) == (task.job, task.index)
    assert msgspec.json.encode(task) == before
    assert after.cause == event.cause
    assert step(task, event) == after


@given(tasks, events)
def test_only_a_start_counts_an_attempt(task: Task, event: Event):
    if (task.state, event.kind) not in TRANSITIONS:
        return
    after = step(task, event)
    assert after.attempt == task.attempt + (event.kind is Kind.START)
    assert after.run == (event.run if event.kind is Kind.START else task.run)
    assert after.lost == task.lost + (event.kind is Kind.REQUEUE and event.lost)


@given(tasks, events)
def test_records_survive_their_stored_form(task: Task, event: Event):
    assert msgspec.json.decode(msgspec.json.encode(task), type=Task) == task
    assert msgspec.json.decode(msgspec.json.encode(event), type=Event) == event


class Life(RuleBasedStateMachine):
    """One element, and what happens to it."""

    def __init__(self) -> None:
        super().__init__()
        self.task = Task(job=1)
        self.time = 0.0
        self.runs = 0

    def happens(self, kind: Kind, **fields: object) -> None:
        self.time += 1.0
        self.task = step(self.task, Event(kind=kind, time=self.time, **fields))  # type: ignore[arg-type]

    def may(self, kind: Kind) -> bool:
        return (self.task.state, kind) in TRANSITIONS

    @precondition(lambda self: self.may(Kind.START))
    @rule()
    def start(self) -> None:
        self.runs += 1
        self.happens(Kind.START, run=self.runs)
        assert self.task.start_time == self.time
        assert self.task.end_time is None

    @precondition(lambda self: self.may(Kind.HOLD))
    @rule(held=st.booleans())
    def hold_or_release(self, held: bool) -> None:
        self.happens(Kind.HOLD if held else Kind.RELEASE)
        assert self.task.held == held

    @precondition(lambda self: self.may(Kind.ADJUST))
    @rule(request=st.none() | st.just(Request(cpus=7)))
    def adjust(self, request: Request | None) -> None:
        before = self.task
        self.happens(Kind.ADJUST, request=request)
        assert self.task == replace(before, request=request, cause="")

    @precondition(lambda self: self.may(Kind.CANCEL))
    @rule()
    def cancel(self) -> None:
        waiting = self.task.state is State.PENDING
        self.happens(Kind.CANCEL, stopping="cancelled")
        assert self.task.state is (State.ENDED if waiting else State.STOPPING)

    @precondition(lambda self: self.may(Kind.SUSPEND))
    @rule()
    def suspend(self) -> None:
        since = self.task.suspended_since
        self.happens(Kind.SUSPEND)
        assert self.task.state is State.SUSPENDED
        assert self.task.suspended_since == (self.time if since is None else since)
        assert not self.task.waking

    @precondition(lambda self: self.may(Kind.RESUME))
    @rule(kind=st.sampled_from([Kind.RESUME, Kind.WAKE]))
    def resume(self, kind: Kind) -> None:
        before = suspended_for(self.task, self.time + 1)
        self.happens(kind)
        assert self.task.waking == (kind is Kind.WAKE)
        assert suspended_for(self.task, self.time) == before

    @precondition(lambda self: self.may(Kind.REQUEUE))
    @rule(lost=st.booleans(), request=st.none() | st.just(Request(cpus=9)))
    def requeue(self, lost: bool, request: Request | None) -> None:
        self.happens(Kind.REQUEUE, not_before=self.time + 9, lost=lost, request=request)
        assert self.task.not_before == self.time + 8
        assert self.task.stopping == ""

    @precondition(lambda self: self.may(Kind.END))
    @rule(outcome=st.sampled_from(Outcome))
    def end(self, outcome: Outcome) -> None:
        self.happens(Kind.END, outcome=outcome, exit_code=0)
        assert word(self.task) == outcome.value

    @precondition(lambda self: self.task.state is State.ENDED)
    @rule(kind=st.sampled_from(Kind))
    def ask_more_of_what_has_ended(self, kind: Kind) -> None:
        with pytest.raises(Refused):
            self.happens(kind)

    @invariant()
    def an_ended_element_has_an_outcome_and_an_end(self) -> None:
        if self.task.state is State.ENDED:
            assert self.task.outcome is not None
            assert self.task.end_time is not None
            assert self.task.stopping == ""
        else:
            assert self.task.outcome is None

    @invariant()
    def a_run_is_started_once(self) -> None:
        assert self.task.run == self.runs
        assert self.task.attempt == self.runs

    @invariant()
    def only_what_is_suspended_stands_still(self) -> None:
        still = self.task.state is State.SUSPENDED
        assert (self.task.suspended_since is not None) == still
        assert still or not self.task.waking
        assert 0.0 <= suspended_for(self.task, self.time) <= self.time

    @invariant()
    def what_is_stopping_says_why(self) -> None:
        assert bool(self.task.stopping) == (self.task.state is State.STOPPING)


TestLife = Life.TestCase


def test_labels_and_words_of_the_field():
    assert label(Task(job=12)) == "12"
    assert label(Task(job=12, index=3)) == "12_3"
    assert word(Task(job=1)) == "PENDING"
    assert word(Task(job=1, state=State.STOPPING)) == "COMPLETING"
    assert word(Task(job=1, state=State.ENDED, outcome=Outcome.TIMEOUT)) == "TIMEOUT"


def test_a_refusal_says_what_cannot_be_done():
    ended = Task(job=12, state=State.ENDED, outcome=Outcome.COMPLETED)
    with pytest.raises(Refused, match="job 12 is COMPLETED: it cannot be cancelled"):
        step(ended, Event(kind=Kind.CANCEL, time=1.0))


def test_an_amended_job_is_a_new_record():
    job = Job(
        id=1,
        name="a",
        user="u",
        uid=1,
        submit_time=0.0,
        request=Request(),
        launch=Launch(argv=("x",), cwd="/"),
    )
    assert amend(job, held="user").held == "user"
    assert job.held == ""
