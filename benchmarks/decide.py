"""What does one decision cost when 1,000, 10,000 or 100,000 jobs wait?

The curve of `policy.decide` alone, without a daemon: a machine of 64 busy CPUs, and what happens is
that a run ends, the scheduler decides, and what it says starts. Printed are microseconds of CPU per
decision (the median; the end of the run and the start of the next are in it), and how the cost
grows from the smallest queue to the largest. Work should grow with what changes, not with what
waits: only an order that changes with time is asked for again, job by job, as often as
`scheduler.rerank` says.

    python benchmarks/decide.py [--sizes 1000,10000,100000] [--decisions 200]
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable
from time import process_time
from typing import Final, NamedTuple

from hpcshell.core.records import NO_INDEX, Job, Launch, Outcome, Request, Resources
from hpcshell.policy.bounds import Bounds
from hpcshell.policy.decide import Policy, decide
from hpcshell.policy.formulas import ORDERS
from hpcshell.policy.limits import EVERY, Limits, Rule, Throttle
from hpcshell.policy.line import Shape
from hpcshell.policy.regime import Regime
from hpcshell.policy.view import PLAIN, View

from harness.figures import median
from harness.report import Cell, table

CPUS: Final = 64
NOTHING: Final = Launch(argv=("true",), cwd="/")
FIRST: Final = Request(cpus=1, time_limit=7200.0)
Asked = Callable[[int], Request]


def equal(number: int) -> Request:
    return Request(cpus=1, time_limit=3600.0)


def distinct(number: int) -> Request:
    """No two ask for the same."""
    return Request(cpus=1 + number % 4, time_limit=600.0 + number)


def wide(number: int) -> Request:
    """More than ever comes free at once."""
    return Request(cpus=CPUS, time_limit=3600.0 + number)


def aging(job: Job, length: float | None, now: float) -> float:
    run = length or 3600.0
    return ORDERS["wfp3"].score(run, job.request.cpus, job.submit_time, now - job.submit_time)


def shortest(shape: Shape) -> float:
    return math.inf if shape.length is None else shape.length


def limited() -> Bounds:
    """Every user may hold a quarter of the machine, and one of them has used that up."""
    return Bounds(Throttle([Rule(kind="user", name=EVERY, limits=Limits(max_cpus=CPUS // 4))]))


class Case(NamedTuple):
    """`regime` makes a new one for each queue: limits have counters."""

    name: str
    asked: Asked
    policy: Policy = Policy()
    regime: Callable[[], Regime] = Regime


CASES: Final = (
    Case("equal jobs, one starts", equal),
    Case("distinct jobs, one starts", distinct),
    Case("distinct jobs, none can start", wide),
    Case("distinct jobs, no promises", distinct, Policy(promises=0)),
    Case("distinct jobs, 10 promises", distinct, Policy(promises=10)),
    Case("distinct jobs, all promised", distinct, Policy(promises=None)),
    Case("distinct jobs, in strict order", distinct, Policy(backfill=False)),
    Case("distinct jobs, limits of users", distinct, Policy(), lambda: Regime(bounds=limited())),
    Case("distinct jobs, shortest pass first", distinct, Policy(), lambda: Regime(fill=shortest)),
    Case(
        "equal jobs, order asked for again",
        equal,
        Policy(),
        lambda: Regime(rank=aging, timely=True),
    ),
)


class Busy:
    """A busy machine, and a queue of so many."""

    def __init__(self, case: Case, waiting: int) -> None:
        self.case = case
        self.regime = case.regime()
        self.view = View(Resources(cpus=CPUS), self.regime)
        self.now = 0.0
        self.run = 0
        self.next = 0
        for _ in range(CPUS):
            self._submit(FIRST, "others")
        self.decide()
        for _ in range(waiting):
            self._submit(case.asked(self.next), f"u{self.next % 10}")

    def decide(self) -> None:
        """Decide, and do as decided."""
        plan = decide(self.view, self.case.policy, self.now)
        self.view.keep(plan.promises)
        for start in plan.starts:
            self.run += 1
            self.view.claim(start.claim(self.run, self.now))

    def one_ends(self) -> float:
        """A run ends and the scheduler decides; the CPU seconds of it. Then the queue is filled up
        again, on nobody's account."""
        self.now += 1.0
        began = process_time()
        self.view.advance(self.now)
        run = next(iter(self.view.claims))
        job = self.view.claims[run].job
        self.view.release(run)
        self.view.task_ended(job, NO_INDEX, Outcome.COMPLETED, self.now)
        self.view.job_finished(job)
        if self.regime.timely:
            self.view.rerank()
        self.decide()
        spent = process_time() - began
        if self.case.asked is wide:  # else the machine would run empty, and a wide one start
            self._submit(FIRST, "others", priority=1000)
            self.decide()
        else:
            self._submit(self.case.asked(self.next), f"u{self.next % 10}")
        return spent

    def _submit(self, request: Request, user: str, priority: int = 500) -> None:
        self.next += 1
        job = Job(
            id=self.next,
            name=f"j{self.next}",
            user=user,
            uid=1,
            submit_time=self.now,
            request=request,
            launch=NOTHING,
            priority=priority,
        )
        self.view.put_job(job, PLAIN)


def cost(case: Case, waiting: int, decisions: int) -> float:
    """Microseconds of CPU per decision, the median."""
    busy = Busy(case, waiting)
    spent = [busy.one_ends() for _ in range(decisions)]
    return 1e6 * median(spent)


def rows(cases: Iterable[Case], sizes: list[int], decisions: int) -> list[list[Cell]]:
    found: list[list[Cell]] = []
    for case in cases:
        costs = [cost(case, size, decisions) for size in sizes]
        found.append([case.name, *costs, costs[-1] / costs[0]])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sizes", default="1000,10000,100000", help="how many wait")
    parser.add_argument("--decisions", type=int, default=200, help="how many are measured")
    asked = parser.parse_args()
    sizes = [int(size) for size in asked.sizes.split(",")]
    headers = ["us per decision", *(f"{size:,} wait" for size in sizes), "grows by"]
    print(table(headers, rows(CASES, sizes, asked.decisions)))


if __name__ == "__main__":
    main()
