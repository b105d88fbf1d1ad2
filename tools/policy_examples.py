"""The jobs of the pictures of policies, and how each policy is configured in its picture."""

from __future__ import annotations

from typing import Final, NamedTuple

from hpcshell.core.records import Gang, Request
from hpcshell.policy.formulas import ORDERS
from hpcshell.policy.reserve import Reservation
from tools.policy_play import BEGAN, MINUTE, Before, Example, Work

LINE: Final = (
    Work(1, 0, 2, 30, 20),
    Work(2, 0, 2, 20, 8, "bob"),
    Work(3, 0, 8, 50, 40, "bob"),
    Work(4, 2, 4, 45, 30),
    Work(5, 8, 5, 25, 8),
    Work(6, 12, 2, 75, 25),
    Work(7, 18, 4, 50, 25),
    Work(8, 20, 3, 40, 25, "bob"),
)
"""Eight jobs on eight CPUs that every order puts in an order of its own."""

HOLES: Final = (
    Work(1, 0, 4, 20, 12),
    Work(2, 0, 3, 50, 16),
    Work(3, 5, 5, 45, 30),
    Work(4, 8, 4, 30, 15, "bob"),
    Work(5, 14, 8, 25, 15, "bob"),
    Work(6, 19, 3, 30, 15),
    Work(7, 25, 3, 80, 40, "bob"),
    Work(8, 30, 3, 75, 25),
)
"""Eight that leave holes for others to pass."""

HISTORY: Final = (
    *(Before("ann", 2, 60, took) for took in (25, 33, 28, 32)),
    *(Before("bob", 2, 70, took) for took in (20, 12, 11, 13)),
)
"""Ann's jobs use half of what they ask for, Bob's less than a fifth."""

OVERASKED: Final = (
    Work(1, 0, 4, 60, 30),
    Work(2, 2, 8, 60, 15),
    Work(3, 4, 4, 70, 12, "bob"),
    Work(4, 6, 4, 70, 25, "bob"),
    Work(5, 8, 2, 30, 10),
    Work(6, 10, 6, 70, 14, "bob"),
)
"""Six that ask for more time than they take."""

MANY: Final = (
    Work(1, 0, 6, 40, 40),
    Work(2, 1, 8, 20, 20),
    *(Work(number, number, 2, 45 + 5 * number, 60) for number in (3, 4, 5)),
    Work(6, 6, 2, 30, 30, "bob"),
)
"""Three that may not pass, and one behind them that may."""


class Picture(NamedTuple):
    """A chart of an example under a configuration; `plain`: without the waits."""

    name: str
    title: str
    toml: str
    example: Example
    length: int
    tick: int = 10
    plain: bool = False


def scheduler(**keys: object) -> str:
    """The section of that name, as it is written in a file."""
    rows = (
        f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}"
        for key, value in keys.items()
    )
    return "\n".join(("[scheduler]", *rows, ""))


def said(work: Work, **more: object) -> Work:
    """The job, of which something else is said, too."""
    return work._replace(more={**work.more, **more})


def in_line(name: str, words: str, toml: str, example: Example | None = None) -> Picture:
    """The eight jobs in another order, nobody passing."""
    return Picture(name, words, toml, example or Example(LINE), 150)


def orders() -> list[Picture]:
    """Every formula, nobody passing the first in line."""
    return [
        in_line(name, f"{name}: {order.meaning}", scheduler(order=name, backfill="none"))
        for name, order in ORDERS.items()
    ]


RANKED: Final = Example(
    tuple(said(work, priority={3: 200, 6: 950, 8: 750}.get(work.id, 500)) for work in LINE)
)
WHOSE: Final = Example(LINE, before=(Before("ann", 8, 600, 300), Before("bob", 8, 600, 60)))
PLAIN_PRIORITY: Final = scheduler(order="priority", backfill="none")
LEVELS: Final = scheduler(order="levels", priority_boost=6, backfill="none")
QUOTA: Final = (
    scheduler(order="quota", backfill="none")
    + "\n[fairshare]\ncpu_quota = 8\ncpu_weight = 1.0\nmemory_weight = 0.0\n"
)
SHARES: Final = """
[accounts.physics]
shares = 3
users = { ann = 1 }

[accounts.biology]
shares = 1
users = { bob = 1 }
"""
FACTORS: Final = """
[priority]
age = 1000
max_age = "1h"
fairshare = 500
size = 800
partition = 0
qos = 0
"""


def priorities() -> list[Picture]:
    """Orders that go by who asks, and what was said."""
    short = scheduler(order="fairshare", backfill="none", rerank="0s")
    return [
        in_line(
            "priority", "priority: job 6 has 950, 8 has 750, 3 has 200", PLAIN_PRIORITY, RANKED
        ),
        in_line(
            "levels", "levels: the same priorities, six levels climbed in an hour", LEVELS, RANKED
        ),
        in_line(
            "multifactor",
            "multifactor: points for age, fair share and size",
            scheduler(order="multifactor", backfill="none", rerank="0s") + FACTORS,
            WHOSE,
        ),
        in_line(
            "fairshare", "fairshare: Ann (1, 4-7) has used five times as much as Bob", short, WHOSE
        ),
        in_line("quota", "quota: who holds fewer of their 8 CPUs goes first", QUOTA),
    ]


LOOK: Final[dict[str, object]] = {"max_backfill_jobs": 1}


def backfills() -> list[Picture]:
    """First come, first served, with each way of passing."""
    history = Example(HOLES, before=HISTORY)
    fifo: dict[str, object] = {"order": "fifo"}
    rows = (
        ("none", "none: nobody passes", fifo | {"backfill": "none"}),
        ("greedy", "greedy: whatever fits starts", fifo | {"backfill": "greedy"}),
        ("easy", "easy: nobody puts off the first in line", fifo | {"backfill": "easy"}),
        (
            "hybrid",
            "hybrid, promises = 2: nobody puts off the first two",
            fifo | {"backfill": "hybrid", "promises": 2},
        ),
        ("conservative", "conservative: nobody is put off", fifo | {"backfill": "conservative"}),
        (
            "easy-sjbf",
            "easy, backfill_order = sjf: the shortest pass first",
            fifo | {"backfill": "easy", "backfill_order": "sjf"},
        ),
        (
            "easy-pp",
            "EASY++: the same, run times expected by last2",
            fifo | {"backfill": "easy", "backfill_order": "sjf", "predict": "last2"},
        ),
        (
            "window",
            "conservative, window = 40m: no promise further away",
            fifo | {"backfill": "conservative", "window": "40m"},
        ),
        (
            "resolution",
            "conservative, resolution = 30m: ends rounded up to half hours",
            fifo | {"backfill": "conservative", "resolution": "30m"},
        ),
    )
    many = [
        Picture(name, words, scheduler(**fifo, backfill="easy", **keys), Example(MANY), 190, 20)
        for name, words, keys in (
            ("all-behind", "easy: 6 passes, for 3, 4 and 5 may not", {}),
            ("max-backfill-jobs", "max_backfill_jobs = 1: 6 is not looked at", LOOK),
        )
    ]
    return [
        *(Picture(name, words, scheduler(**keys), history, 140) for name, words, keys in rows),
        *many,
    ]


def predictions() -> list[Picture]:
    """EASY with each expectation."""
    return [
        Picture(
            f"predict-{name}",
            f"easy, predict = {name}",
            scheduler(order="fifo", backfill="easy", predict=name),
            Example(OVERASKED, before=HISTORY),
            120,
        )
        for name in ("request", "last2", "ratio", "median", "shrunk")
    ] + [
        Picture(
            "best",
            "best: order expansion, easy, run times expected by shrunk",
            scheduler(order="expansion", backfill="easy", predict="shrunk", rerank="0s"),
            Example(LINE, before=HISTORY),
            150,
        )
    ]


# -- together, in turns, and in place of others --------------------------------------------------

COUPLED: Final = Gang(name="coupled", size=2)
GANG: Final = Example(
    (
        Work(1, 0, 5, 30, 30),
        Work(2, 0, 2, 50, 45, "bob"),
        said(Work(3, 4, 3, 30, 25), gang=COUPLED),
        Work(4, 6, 1, 20, 20, "bob"),
        said(Work(5, 10, 3, 30, 25), gang=COUPLED),
    )
)
SLICED: Final = Example(
    (
        said(Work(1, 0, 8, 60, 30), partition="shared"),
        said(Work(2, 2, 4, 60, 30, "bob"), partition="shared"),
        said(Work(3, 4, 4, 60, 20), partition="shared"),
    )
)
SLICES: Final = 'time_slice = "10m"\n\n[partitions.shared]\ntime_sliced = true\n'
URGENT: Final = Example(
    (
        said(Work(1, 0, 5, 60, 50), qos="normal"),
        said(Work(2, 4, 3, 60, 40, "bob"), qos="normal"),
        said(Work(3, 15, 3, 20, 15), qos="urgent"),
    )
)
LATER: Final = BEGAN + 40 * MINUTE
MAINTENANCE: Final = Example(
    (
        Work(1, 0, 4, 35, 25),
        Work(2, 2, 2, 60, 30, "bob"),
        Work(3, 5, 3, 30, 20),
        Work(4, 12, 2, 60, 35, "bob"),
    ),
    reservations=(
        Reservation(name="maint", start=LATER, end=LATER + 20 * MINUTE, request=Request(cpus=8)),
    ),
)
COURSE: Final = Example(
    (
        Work(1, 0, 4, 60, 50, "bob"),
        Work(2, 3, 4, 35, 30, "bob"),
        Work(3, 6, 4, 40, 35, "bob"),
        said(Work(4, 10, 2, 20, 15), reservation="course"),
        said(Work(5, 45, 2, 20, 12), reservation="course"),
    ),
    reservations=(
        Reservation(
            name="course",
            start=LATER,
            end=LATER + 30 * MINUTE,
            request=Request(cpus=4),
            users=("ann",),
        ),
    ),
)
LIMITED: Final = Example(
    (
        *(Work(number, number - 1, 2, 30, 20) for number in range(1, 5)),
        Work(5, 6, 2, 30, 25, "bob"),
        Work(6, 8, 2, 30, 15, "bob"),
    )
)


def preemption(mode: str) -> str:
    """An urgent QOS that preempts the normal one."""
    return (
        scheduler(preempt_mode=mode)
        + '\n[qos.normal]\n\n[qos.urgent]\npriority = 100\npreempts = ["normal"]\n'
    )


def others() -> list[Picture]:
    """The mechanisms beside order and backfill, each with its own example."""
    easy = scheduler(backfill="easy")
    return [
        Picture("gang", "a gang of two: 3 and 5 start together", easy, GANG, 80),
        Picture("slices", "slices of ten minutes", easy + SLICES, SLICED, 90, plain=True),
        *(
            Picture(
                f"preempt-{mode}",
                f"urgent job 3 preempts, preempt_mode = {mode}",
                preemption(mode),
                URGENT,
                100,
                plain=True,
            )
            for mode in ("suspend", "requeue", "cancel")
        ),
        Picture("maintenance", "nothing runs into a maintenance", easy, MAINTENANCE, 120),
        Picture("reservation", "Ann's course has four CPUs for half an hour", easy, COURSE, 120),
        Picture(
            "limits",
            "users hold four CPUs at most",
            easy + "\n[limits]\nmax_cpus = 4\n",
            LIMITED,
            60,
        ),
    ]


def charts() -> list[Picture]:
    """All schedules."""
    return [*orders(), *priorities(), *backfills(), *predictions(), *others()]
