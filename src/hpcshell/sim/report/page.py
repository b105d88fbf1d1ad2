"""One HTML page that compares simulations: nothing in it is fetched from anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from hpcshell.core.units import format_clock, format_duration
from hpcshell.sim.report.documents import document
from hpcshell.sim.report.ink import image
from hpcshell.sim.report.pictures import pictures
from hpcshell.sim.report.sheet import escaped, figure, sheet
from hpcshell.sim.simulate import Simulation
from hpcshell.trace.oddities import sentences

CAPTIONS: Final = {
    "utilization": "The share of the processors that is busy, averaged over equal spans of time.",
    "queue": "How many jobs wait, averaged over equal spans of time.",
    "waits": "Of each wait, the share of the jobs that waited no longer.",
    "slowdown": "The average bounded slowdown of jobs by their size: "
    "max(1, (wait + run) / max(run, 10 s)).",
    "gantt": "What ran where around the longest queue. The processors are those of the drawing: "
    "a log does not name them.",
}


def _clock(seconds: float) -> str:
    return format_clock(round(seconds))


def _share(share: float) -> str:
    return f"{share:.1%}"


FIGURES: Final[tuple[tuple[str, str, Callable[[Any], str], int], ...]] = (
    ("jobs", "jobs", "{:,}".format, 0),
    ("makespan", "makespan", _clock, -1),
    ("utilization", "utilization", _share, 1),
    ("mean_wait", "mean wait", _clock, -1),
    ("median_wait", "median wait", _clock, -1),
    ("p95_wait", "95 % wait at most", _clock, -1),
    ("max_wait", "longest wait", _clock, -1),
    ("avebsld", "average bounded slowdown", "{:,.4f}".format, -1),
    ("user_avebsld", "the same, by user", "{:,.4f}".format, -1),
    ("fairness", "fairness among users", "{:.3f}".format, 1),
    ("backfilled", "backfilled", _share, 0),
    ("simulated_per_second", "simulated jobs/s", "{:,.0f}".format, 0),
)
"""What the table shows: the key of the document, a heading, how it is said, and whether more (1) or
less (-1) of it is better."""


def page(simulations: Sequence[Simulation]) -> str:
    """The page of simulations of one workload, at least one."""
    name = simulations[0].workload.name
    return sheet(f"{name}: simulated schedules", _sections(simulations))


def _sections(simulations: Sequence[Simulation]) -> Iterator[str]:
    work = simulations[0].workload
    span = float(work.submit[-1] - work.submit[0]) if len(work) else 0.0
    policy = simulations[0].policy
    each = "each event" if policy.variant == "sc15" else "all events of an instant"
    yield f"<h1>{escaped(work.name)}</h1>"
    yield (
        f"<p>{len(work):,} jobs, submitted over {format_duration(round(span))} to "
        f"{work.machine:,} processors; one decision for {each}.</p>"
    )
    yield f'<div class="wide">{_table(simulations)}</div>'
    yield '<p class="note">Bold: the best of a column. Times are [days-]hours:minutes:seconds.</p>'
    yield from _remarks(simulations)
    for picture, drawn in pictures(simulations):
        yield figure(CAPTIONS[picture.partition("-")[0]], image(drawn, "svg", words=True))


def _table(simulations: Sequence[Simulation]) -> str:
    documents = [document(found) for found in simulations]
    rows = [[f"<td>{escaped(found.policy.label)}</td>"] for found in simulations]
    for key, _, say, sense in FIGURES:
        values = [values[key] for values in documents]
        best = _best(say, values, sense)
        for row, value in zip(rows, values, strict=True):
            mark = ' class="best"' if say(value) == best else ""
            row.append(f"<td{mark}>{escaped(say(value))}</td>")
    head = "".join(f"<th>{escaped(heading)}</th>" for _, heading, _, _ in FIGURES)
    lines = "\n".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return (
        f"<table>\n<thead><tr><th>policy</th>{head}</tr></thead>\n"
        f"<tbody>\n{lines}\n</tbody>\n</table>"
    )


def _best(say: Callable[[Any], str], values: list[Any], sense: int) -> str | None:
    """How the best of a column is said; None: there is none, or all are."""
    if not sense or len({say(value) for value in values}) < 2:
        return None
    return say(max(values) if sense > 0 else min(values))


def _remarks(simulations: Sequence[Simulation]) -> Iterator[str]:
    """What the reader must know of: runs cut short, faults, oddities of the log."""
    work = simulations[0].workload
    remarks = []
    for found in simulations:
        if found.cut_short:
            started = f"{found.policy.label} was cut short when {found.measures.jobs:,} jobs"
            remarks.append(f"{started} had started")
        if found.killed:
            faults = f"{found.policy.label}: faults killed {found.killed:,} runs"
            remarks.append(f"{faults}, and {found.lost:,} jobs were lost")
    remarks += sentences(work.oddities, work.examples)
    if remarks:
        yield "<h2>Oddities</h2>"
        yield "<ul>" + "".join(f"<li>{escaped(remark)}</li>" for remark in remarks) + "</ul>"
