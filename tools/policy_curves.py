"""The pictures of policies that are no schedules: how a score, a share, a guess changes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from hpcshell.core.units import HOUR
from hpcshell.policy.fairshare import Association, FairShare
from hpcshell.policy.formulas import ORDERS
from hpcshell.policy.levels import Ageing, Level
from hpcshell.predict.runtimes import CORRECTIONS, PREDICTORS, Features, Predictor, corrected
from hpcshell.predict.shrunk import MARGIN, Shrunk
from tools.drawing import COLOURS, Curve, curves

DAY: Final = 24 * HOUR
MINUTE: Final = 60.0


def ageing() -> str:
    """Each level's way to the top, with one level an hour."""
    ageing_ = Ageing(boost=1.0)
    lines = [
        Curve(
            level.name.lower(),
            [(h / 4, -ageing_.level_at(level, 0.0, h / 4 * HOUR)) for h in range(17)],
            COLOURS[level],
        )
        for level in (Level.LOW, Level.NORMAL, Level.HIGH, Level.CRITICAL)
    ]
    return curves(
        "Ageing: priority_boost = 1 climbs one level an hour",
        lines,
        across=(0, 4, "hours waited"),
        up=(-3.2, 0.2, "level: 0 goes first"),
        ticks=(range(5), range(-3, 1)),
        shown=lambda value: f"{abs(value):g}",
    )


def decay() -> str:
    """100 cpu-hours, used at once, as they fade."""
    lines = []
    for colour, (name, half_life) in zip(
        COLOURS, (("1 day", DAY), ("7 days", 7 * DAY), ("30 days", 30 * DAY)), strict=False
    ):
        points = []
        for day in range(29):
            shares = FairShare((), half_life)
            shares.charge("ann", "", 100 * HOUR, 0.0)
            shares.advance(day * DAY)
            usage = shares.standing(("root", "ann")).usage
            points.append((float(day), usage / HOUR))
        lines.append(Curve(name, points, colour))
    return curves(
        "Usage fades: half_life",
        lines,
        across=(0, 28, "days since 100 cpu-hours were used"),
        up=(0, 105, "cpu-hours that still count"),
        ticks=(range(0, 29, 7), range(0, 101, 25)),
    )


def classic() -> str:
    """The classic factor of a user, as their part of all usage grows, for three parts of shares."""
    lines = []
    for colour, shares in zip(COLOURS, (10, 25, 50), strict=False):
        points = []
        for used in range(0, 101, 4):
            tree = FairShare(
                (
                    Association(account="mine", shares=shares),
                    Association(account="mine", user="ann"),
                    Association(account="rest", shares=100 - shares),
                    Association(account="rest", user="bob"),
                ),
                None,
            )
            tree.charge("ann", "mine", float(used), 0.0)
            tree.charge("bob", "rest", 100.0 - used, 0.0)
            points.append((float(used), tree.factor("ann", "mine")))
        lines.append(Curve(f"{shares} % of shares", points, colour))
    return curves(
        "Fair share, classic: F = 2^(-usage / shares)",
        lines,
        across=(0, 100, "part of all usage that is one's own, %"),
        up=(0, 1.05, "factor: 1 goes first, 0.5 has used just its shares"),
        ticks=(range(0, 101, 25), (0, 0.25, 0.5, 0.75, 1)),
    )


def waiting(name: str) -> str:
    """How three jobs rise in an order that changes with the wait."""
    order = ORDERS[name]
    jobs = (("10 min, 1 CPU", 10, 1), ("10 min, 8 CPUs", 10, 8), ("60 min, 4 CPUs", 60, 4))
    scores = {
        what: [
            (float(wait), order.score(run * MINUTE, cpus, 0.0, wait * MINUTE))
            for wait in range(0, 61, 3)
        ]
        for what, run, cpus in jobs
    }
    powers = {"wfp3": 3.0}.get(name, 1.0)
    scaled = {
        what: [(wait, _root(-score, powers)) for wait, score in points]
        for what, points in scores.items()
    }
    notes = []
    if name == "unicef":  # one CPU is before all others, out of every scale
        del scaled[jobs[0][0]]
        notes = ["a job of one CPU goes before all others once it has waited: not drawn"]
    every = [value for points in scaled.values() for _, value in points]
    low, high = min(every), max(every)
    room = (high - low) * 0.06
    first = "cube root of minus the score" if name == "wfp3" else "minus the score"
    return curves(
        f"{name}: how three jobs rise as they wait",
        [
            Curve(what, scaled[what], COLOURS[at], dashed=at == 1)
            for at, (what, _, _) in enumerate(jobs)
            if what in scaled
        ],
        across=(0, 60, "minutes waited"),
        up=(low - room, high + room, f"{first}: the larger goes first"),
        ticks=(range(0, 61, 10), ()),
        notes=notes,
    )


def _root(value: float, power: float) -> float:
    return float(value ** (1 / power)) if power != 1 else value


RUNS: Final = (22, 19, 24, 20, 6, 21, 23, 20, 38, 22, 20, 21)
"""How long a user's jobs took, in minutes; each asked for an hour."""


def expectations() -> str:
    """What each predictor expects of a user's jobs, one after the other."""
    makers: dict[str, Callable[[], Predictor]] = {
        **{name: PREDICTORS[name].make for name in ("last2", "ratio", "median")},
        "shrunk": Shrunk,
    }
    numbers = range(1, len(RUNS) + 1)
    lines = [
        Curve("request", [(float(n), 60.0) for n in numbers], "#8c8c8c", dashed=True),
        Curve("true", [(float(n), float(RUNS[n - 1])) for n in numbers], "#222"),
    ]
    colours = ("#d55e00", "#009e73", "#0072b2", "#cc79a7")
    for colour, (name, make) in zip(colours, makers.items(), strict=True):
        lines.append(Curve(name, _expected(make()), colour))
    return curves(
        "What is expected of twelve jobs of one user, one after the other",
        lines,
        across=(1, len(RUNS), "job"),
        up=(0, 64, "minutes"),
        ticks=(numbers, range(0, 61, 10)),
    )


def _expected(predictor: Predictor) -> list[tuple[float, float]]:
    points = []
    for number, run in enumerate(RUNS, 1):
        job = Features("ann", 60 * MINUTE, 2, number * HOUR)
        points.append((float(number), predictor.predict(job) / MINUTE))
        predictor.ended(job, run * MINUTE)
    return points


def corrections() -> str:
    """When a run of which ten minutes were expected is expected to end, as it goes on."""
    first, limit = 10.0, 240.0
    return curves(
        "A run outlives its expectation of ten minutes; it may run for four hours",
        [
            Curve("last2 and others", _steps(_corrected, first, limit), COLOURS[0]),
            Curve("shrunk", _steps(_doubled, first, limit), COLOURS[5]),
            Curve("lasted so long", [(0.0, 0.0), (240.0, 240.0)], "#8c8c8c", dashed=True),
        ],
        across=(0, 240, "minutes it has lasted"),
        up=(0, 250, "minutes it is expected to last"),
        ticks=(range(0, 241, 30), range(0, 241, 60)),
    )


def _corrected(first: float, lasted: float, times: int, limit: float) -> float:
    return corrected(first * MINUTE, times, limit * MINUTE) / MINUTE


def _doubled(first: float, lasted: float, times: int, limit: float) -> float:
    return min(limit, MARGIN * lasted)


def _steps(
    longer: Callable[[float, float, int, float], float], first: float, limit: float
) -> list[tuple[float, float]]:
    points, expected, times = [(0.0, first)], first, 0
    assert len(CORRECTIONS) < 30
    while expected < limit:
        points.append((expected, expected))
        expected, times = max(expected, longer(first, expected, times, limit)), times + 1
        points.append((points[-1][0], expected))
    return [*points, (limit, limit)]


CURVES: Final[dict[str, Callable[[], str]]] = {
    "ageing": ageing,
    "decay": decay,
    "classic": classic,
    "expectations": expectations,
    "corrections": corrections,
    **{
        f"waiting-{name}": partial(waiting, name)
        for name in ("wfp3", "unicef", "lexp", "sexp", "expansion")
    },
}
"""Each by the name of its file."""
