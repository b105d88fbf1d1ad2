"""Records for the tests of the store."""

from __future__ import annotations

from msgspec.structs import replace

from hpcshell.core.records import (
    NO_INDEX,
    Array,
    Claim,
    Job,
    Launch,
    Outcome,
    Request,
    Run,
    State,
    Summary,
    Task,
    Usage,
)
from hpcshell.store.change import Change


def job(
    number: int,
    *,
    name: str = "study",
    array: str = "",
    uid: int = 1000,
    env: str = "",
    tags: tuple[str, ...] = (),
) -> Job:
    """A job of user ann (or of whom the uid says)."""
    return Job(
        id=number,
        name=name,
        user="ann" if uid == 1000 else f"user{uid}",
        uid=uid,
        submit_time=100.0 + number,
        request=Request(cpus=2, others={"licence": 1}),
        launch=Launch(argv=("/bin/true",), cwd="/tmp", env=env),
        array=Array(indices=array) if array else None,
        tags=tags,
    )


def running(number: int, index: int = NO_INDEX, *, run: int = 1, attempt: int = 1) -> Task:
    """An element at its first attempt."""
    return Task(
        job=number, index=index, state=State.RUNNING, run=run, attempt=attempt, start_time=200.0
    )


def ended(task: Task, outcome: Outcome = Outcome.COMPLETED, *, time: float = 300.0) -> Task:
    """The element at its end."""
    code = 0 if outcome is Outcome.COMPLETED else 1
    return replace(
        task, state=State.ENDED, outcome=outcome, exit_code=code, end_time=time, usage=Usage()
    )


def run_of(task: Task) -> Run:
    """The attempt an element is at."""
    return Run(
        id=task.run,
        job=task.job,
        index=task.index,
        attempt=task.attempt,
        claim=Claim(run=task.run, job=task.job, index=task.index, cpus=2, start=200.0),
        start_time=200.0,
    )


def summary(outcome: Outcome = Outcome.COMPLETED, *, time: float = 300.0, **counts: int) -> Summary:
    """The end of a job."""
    return Summary(outcome=outcome, end_time=time, exit_code=0, cause="all is done", counts=counts)


def submit(change: Change, **given: object) -> Job:
    """A new job, recorded with its event."""
    made = job(change.next_job_id(), **given)  # type: ignore[arg-type]
    change.add_job(made)
    change.add_event(made.submit_time, made.id, "submit", state="PENDING", cause="submitted")
    return made


def begin(change: Change, number: int, index: int = NO_INDEX, *, attempt: int = 1) -> Task:
    """Start an element, recorded with its run and event."""
    task = running(number, index, run=change.next_run_id(), attempt=attempt)
    change.put_task(task)
    change.add_run(run_of(task))
    change.add_event(200.0, number, "start", index=index, state="RUNNING", cause="starts")
    return task


def finish(
    change: Change, task: Task, outcome: Outcome = Outcome.COMPLETED, *, time: float = 300.0
) -> Task:
    """End an element, its run with it."""
    after = ended(task, outcome, time=time)
    change.put_task(after)
    change.end_run(replace(run_of(task), end_time=time, exit_code=after.exit_code))
    change.add_event(time, task.job, "end", index=task.index, state=outcome.value, cause="ended")
    return after


def whole_life(
    change: Change, *, time: float = 300.0, outcome: Outcome = Outcome.COMPLETED, **given: object
) -> Job:
    """A plain job from its submission to its end."""
    made = submit(change, **given)
    finish(change, begin(change, made.id), outcome, time=time)
    change.end_job(made.id, summary(outcome, time=time))
    return made
