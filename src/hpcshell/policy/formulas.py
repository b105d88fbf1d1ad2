"""Scores by which a queue is ordered: plain functions of four figures; the smaller goes first.

All take the same arguments, whether they use them or not, so that one loop can call any of them:

    run      seconds the job is expected to take (its limit, or a prediction): r
    procs    processors it asks for: n
    submit   instant it was submitted, in seconds from whatever zero the log or the clock has: s
    wait     seconds it has waited so far: w

The bodies hold nothing but arithmetic and `math`, so that a compiler for numeric Python takes them
as they are. The figures must be finite: for a job without a time limit the caller puts a long one.
For every finite figure of a magnitude that occurs (up to 1e12) a score is a number, never NaN and
never an error: where a formula would divide by zero or take the logarithm of nothing, a run or an
instant under 0.1 s counts as 0.1 s, fewer processors than one count as one, and a wait below zero,
as after a clock was set back, as none.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log2, log10, sqrt
from typing import Final, NamedTuple

Score = Callable[[float, float, float, float], float]
"""(run, procs, submit, wait) -> the smaller goes first; ties go by the order of submission."""


# ----------------------------------------------------------------------------- fixed once submitted


def fifo(run: float, procs: float, submit: float, wait: float) -> float:
    """s. First in, first out (also first come, first served): by the instant of submission."""
    return submit


def sjf(run: float, procs: float, submit: float, wait: float) -> float:
    """r. Shortest job first (Smith, "Various optimizers for single-stage production", Naval
    Research Logistics Quarterly 1956): the least mean wait on one processor, and long jobs may
    starve."""
    return run


def ljf(run: float, procs: float, submit: float, wait: float) -> float:
    """-r. Longest job first (Graham, "Bounds on multiprocessing timing anomalies", SIAM Journal on
    Applied Mathematics 1969): an early end of the whole batch, paid with waits."""
    return -run


def saf(run: float, procs: float, submit: float, wait: float) -> float:
    """r n. Smallest area first (Carastan-Santos, de Camargo, Trystram, Zrigui, "One can only gain
    by replacing EASY backfilling", CCGrid 2019): what takes the fewest processor-seconds."""
    return run * procs


def laf(run: float, procs: float, submit: float, wait: float) -> float:
    """-r n. Largest area first (Carastan-Santos et al., CCGrid 2019)."""
    return -run * procs


def f1(run: float, procs: float, submit: float, wait: float) -> float:
    """log10(r) n + 870 log10(s). Fitted by regression to the best orders of simulated queues
    (Carastan-Santos, de Camargo, "Obtaining dynamic scheduling policies with simulation and machine
    learning", SC 2017): small areas first, and of these the older."""
    return log10(max(run, 0.1)) * procs + 870.0 * log10(max(submit, 0.1))


def f2(run: float, procs: float, submit: float, wait: float) -> float:
    """sqrt(r) n + 25600 log10(s). The second of the four (Carastan-Santos, de Camargo, SC 2017)."""
    return sqrt(max(run, 0.0)) * procs + 25600.0 * log10(max(submit, 0.1))


def f3(run: float, procs: float, submit: float, wait: float) -> float:
    """r n + 6.86e6 log10(s). The third of the four (Carastan-Santos, de Camargo, SC 2017)."""
    return run * procs + 6.86e6 * log10(max(submit, 0.1))


def f4(run: float, procs: float, submit: float, wait: float) -> float:
    """r sqrt(n) + 5.3e5 log10(s). The last of the four (Carastan-Santos, de Camargo, SC 2017)."""
    return run * sqrt(max(procs, 0.0)) + 5.3e5 * log10(max(submit, 0.1))


# ------------------------------------------------------------------------ changing with the waiting


def wfp3(run: float, procs: float, submit: float, wait: float) -> float:
    """-(w/r)^3 n. (Tang, Lan, Desai, Buettner, "Fault-aware, utility-based job scheduling on Blue
    Gene/P systems", Cluster 2009.) What has waited long for its length goes first, the wide before
    the narrow, so that wide jobs do not starve."""
    ratio = max(wait, 0.0) / max(run, 0.1)
    return -(ratio * ratio * ratio) * max(procs, 1.0)


def unicef(run: float, procs: float, submit: float, wait: float) -> float:
    """-w / (log2(n) r). (Tang, Lan, Desai, Buettner, Cluster 2009.) Small, short jobs come through
    quickly.

    As in the environment of Zhang, Dai, He, Bao, Xie ("RLScheduler", SC 2020) 1e-15 is added to n:
    jobs of one processor, whose logarithm is zero, then go before all others that have waited.
    """
    width = log2(max(procs, 1.0) + 1e-15)
    return -max(wait, 0.0) / (width * max(run, 0.1))


def lexp(run: float, procs: float, submit: float, wait: float) -> float:
    """-(w + r)/r. Largest expansion factor first (Srinivasan, Kettimuthu, Subramani, Sadayappan,
    "Characterization of backfilling strategies for parallel job scheduling", ICPP Workshops 2002):
    the expansion factor is the slowdown a job would have if it began now."""
    length = max(run, 0.1)
    return -(max(wait, 0.0) + length) / length


def sexp(run: float, procs: float, submit: float, wait: float) -> float:
    """(w + r)/r. Smallest expansion factor (lowest slowdown) first (Carastan-Santos, de Camargo,
    Trystram, Zrigui, CCGrid 2019): whoever still can have a low slowdown gets it."""
    length = max(run, 0.1)
    return (max(wait, 0.0) + length) / length


def expansion(run: float, procs: float, submit: float, wait: float) -> float:
    """-(w + r) / (r sqrt(n)). Largest expansion factor first, over the square root of the width.

    The slowdown that a job would have if it began now, divided by what it costs the others to be
    let go: the square root lies between no price (wide jobs then hold up many for the sake of one)
    and the full one (they starve). As w grows the order turns from short and narrow first to
    whoever has waited longest for its length: once w has reached (sqrt(P) - 1) r on P processors,
    nobody that comes later goes before it. A form of the expansion factor of `lexp`; the exponent
    was chosen by simulation, with the predictor `shrunk` for r.
    """
    length = max(run, 0.1)
    return -(max(wait, 0.0) + length) / (length * sqrt(max(procs, 1.0)))


# ---------------------------------------------------------------------------------------- the table


class Order(NamedTuple):
    """One order of a queue. `ages`: its scores change while jobs wait, and so may the order."""

    name: str
    score: Score
    ages: bool
    meaning: str
    source: str


_TANG: Final = "Tang, Lan, Desai, Buettner, Cluster 2009"
_CARASTAN_2017: Final = "Carastan-Santos, de Camargo, SC 2017"
_CARASTAN_2019: Final = "Carastan-Santos, de Camargo, Trystram, Zrigui, CCGrid 2019"

_ROWS: Final = (
    Order("fifo", fifo, False, "as submitted", "the custom of all queues"),
    Order("sjf", sjf, False, "shortest first", "Smith, Naval Research Logistics Quarterly 1956"),
    Order("ljf", ljf, False, "longest first", "Graham, SIAM Journal on Applied Mathematics 1969"),
    Order("saf", saf, False, "smallest area (time x processors) first", _CARASTAN_2019),
    Order("laf", laf, False, "largest area (time x processors) first", _CARASTAN_2019),
    Order("f1", f1, False, "log10(r) n + 870 log10(s), fitted to simulations", _CARASTAN_2017),
    Order("f2", f2, False, "sqrt(r) n + 25600 log10(s), fitted to simulations", _CARASTAN_2017),
    Order("f3", f3, False, "r n + 6.86e6 log10(s), fitted to simulations", _CARASTAN_2017),
    Order("f4", f4, False, "r sqrt(n) + 5.3e5 log10(s), fitted to simulations", _CARASTAN_2017),
    Order("wfp3", wfp3, True, "longest wait for its length, wide before narrow", _TANG),
    Order("unicef", unicef, True, "longest wait for its length, small before wide", _TANG),
    Order(
        "lexp",
        lexp,
        True,
        "largest expansion factor first",
        "Srinivasan, Kettimuthu, Subramani, Sadayappan, ICPP Workshops 2002",
    ),
    Order("sexp", sexp, True, "smallest expansion factor (lowest slowdown) first", _CARASTAN_2019),
    Order(
        "expansion",
        expansion,
        True,
        "largest expansion factor over the square root of the width first",
        "this package, from simulations",
    ),
)

ORDERS: Final[dict[str, Order]] = {order.name: order for order in _ROWS}
"""Every order by its name."""
