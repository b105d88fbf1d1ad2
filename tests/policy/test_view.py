"""The view, kept up fact by fact, is the view that would be made from scratch."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from hpcshell.core.indexset import IndexSet
from hpcshell.core.lifecycle import Event, Kind, step
from hpcshell.core.records import Outcome, Resources, State
from hpcshell.policy.decide import Policy, decide
from hpcshell.policy.retry import End
from hpcshell.policy.view import View
from tests.policy.made import elements_of, make_job
from tests.policy.pauses import resume, suspend, wake
from tests.policy.picture import picture
from tests.policy.workloads import draw_extras, draw_request, machines
from tests.policy.world import Act, World, same

LONG = same(Act(runs=1e9))


def rebuilt(world: World) -> View:
    """As a daemon makes its view when it starts: from what is recorded, and nothing else."""
    view = View(world.view.total)
    view.advance(world.view.queue.gates.clock)
    for number in sorted(world.left):
        job = world.jobs[number]
        tasks = [task for task in world.tasks.values() if task.job == number]
        for parent in view.needs(job):
            view.know(parent, world.facts(parent))
        touched = {task.index for task in tasks}
        view.put_job(job, IndexSet.of(i for i in elements_of(job) if i not in touched))
        for task in tasks:
            if task.state is State.PENDING:
                view.put_task(task)
    for claim in world.runs.values():
        view.claim(claim)
        if world.tasks[claim.job, claim.index].waking:
            view.wake(claim.run)
    view.keep(world.view.promised)
    return view


class Life(RuleBasedStateMachine):
    """Everything an owner may tell a view, in any order."""

    @initialize(total=machines(), promises=st.sampled_from((1, 2, None)))
    def begin(self, total: Resources, promises: int | None) -> None:
        self.world = World(total, Policy(promises=promises))
        self.number = 0

    @rule(draws=st.data(), many=st.sampled_from((0, 0, 2, 4)))
    def submit(self, draws: st.DataObject, many: int) -> None:
        self.number += 1
        world, number = self.world, self.number
        asked = draw_request(draws.draw, world.view.total, limits=False, shares=True)
        if many:
            asked |= {"array": f"0-{many - 1}", "throttle": draws.draw(st.integers(0, 2))}
        extras = draw_extras(draws.draw, number, list(world.jobs.values()), world.now)
        job = make_job(number, submit_time=world.now, **asked, **extras)
        world.arrive(job, LONG)

    @rule(span=st.sampled_from((0.5, 1.0, 3.0, 7.0)))
    def wait(self, span: float) -> None:
        self.world.now += span
        self.world.view.advance(self.world.now)

    @rule()
    def decide(self) -> None:
        self.world.decide_once()

    @precondition(lambda self: self.world.runs)
    @rule(draws=st.data(), code=st.sampled_from((0, 0, 1)), lost=st.sampled_from((False, True)))
    def end(self, draws: st.DataObject, code: int, lost: bool) -> None:
        run = draws.draw(st.sampled_from(sorted(self.world.runs)))
        self.world.end_run(run, End(time=self.world.now, exit_code=code, lost=lost))

    @precondition(lambda self: self.world.runs)
    @rule(draws=st.data())
    def suspend_or_wake(self, draws: st.DataObject) -> None:
        run = draws.draw(st.sampled_from(sorted(self.world.runs)))
        if self.world.runs[run].suspended is None:
            suspend(self.world, run)
        else:
            wake(self.world, run)

    @precondition(lambda self: self.world.runs)
    @rule(draws=st.data())
    def resume_at_once(self, draws: st.DataObject) -> None:
        run = draws.draw(st.sampled_from(sorted(self.world.runs)))
        if self.world.runs[run].suspended is not None and self.world.view.may_resume(run):
            resume(self.world, run)

    @rule()
    def end_impossible(self) -> None:
        self.world.end_impossible()

    @precondition(lambda self: self.world.left)
    @rule(draws=st.data())
    def touch_one(self, draws: st.DataObject) -> None:
        """Hold, release or cancel one element that waits."""
        world = self.world
        number = draws.draw(st.sampled_from(sorted(world.left)))
        index = draws.draw(st.sampled_from(list(elements_of(world.jobs[number]))))
        kind = draws.draw(st.sampled_from((Kind.HOLD, Kind.HOLD, Kind.RELEASE, Kind.CANCEL)))
        task = world.task((number, index))
        if task.state is State.PENDING:
            outcome = Outcome.CANCELLED if kind is Kind.CANCEL else None
            world.put(step(task, Event(kind=kind, time=world.now, outcome=outcome)))

    @precondition(lambda self: self.world.left)
    @rule(draws=st.data())
    def drop(self, draws: st.DataObject) -> None:
        self.world.drop(draws.draw(st.sampled_from(sorted(self.world.left))), Outcome.CANCELLED)

    @precondition(lambda self: self.world.left)
    @rule(draws=st.data())
    def amend(self, draws: st.DataObject) -> None:
        world = self.world
        job = world.jobs[draws.draw(st.sampled_from(sorted(world.left)))]
        request = draw_request(draws.draw, world.view.total, limits=False, shares=True)
        older = [other for other in world.jobs.values() if other.id < job.id]
        changes = draw_extras(draws.draw, job.id, older, world.now) | {
            "held": draws.draw(st.sampled_from(("", "user", "dependency"))),
            "request": make_job(0, **request).request,
            "array": job.array and replace(job.array, throttle=draws.draw(st.integers(0, 3))),
        }
        some = draws.draw(st.lists(st.sampled_from(sorted(changes)), min_size=1, max_size=2))
        for parent in world.view.needs(replace(job, **{n: changes[n] for n in some})):
            world.view.know(parent, world.facts(parent))
        world.amend(job.id, **{name: changes[name] for name in some})

    @rule(total=machines())
    def change_machine(self, total: Resources) -> None:
        self.world.view.set_total(total)

    @invariant()
    def is_what_it_would_be_from_scratch(self) -> None:
        fresh = rebuilt(self.world)
        kept = self.world.view
        expected = picture(fresh)
        for name, found in picture(kept).items():
            assert found == expected[name], f"{name}: {found} is not {expected[name]}"
        policy, now = self.world.policy, self.world.now
        assert decide(kept, policy, now) == decide(fresh, policy, now)


Life.TestCase.settings = settings(deadline=None, stateful_step_count=40)
TestLife = Life.TestCase
