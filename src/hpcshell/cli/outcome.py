"""What simulations found: told as a table or as documents, and kept in files."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from hpcshell.cli.outputs import jobs_path
from hpcshell.cli.table import Column, table
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.core.errors import Wrong
from hpcshell.core.units import HOUR, format_clock, format_duration
from hpcshell.core.words import safe
from hpcshell.sim.report.documents import document, jobs_csv, table_csv
from hpcshell.sim.simulate import Simulation
from hpcshell.trace.oddities import sentences

COLUMNS: Final = (
    Column("POLICY"),
    Column("JOBS", right=True),
    Column("MAKESPAN", right=True),
    Column("USED", right=True),
    Column("MEAN WAIT", right=True),
    Column("MEDIAN", right=True),
    Column("95 %", right=True),
    Column("LONGEST", right=True),
    Column("AVEBSLD", right=True),
    Column("FAIRNESS", right=True),
    Column("BACKFILLED", right=True),
    Column("JOBS/S", right=True),
)


OF_POLICIES: Final = {
    "over_limits": ("asks", "ask", "for more than its limits ever allow"),
    "never_started": ("is", "are", "never let start by it, whatever else ends"),
}
"""Oddities that are not the log's but a policy's: one does, several do, what."""


def tell(talk: Talk, simulations: list[Simulation]) -> None:
    """Print what was found."""
    workload = simulations[0].workload
    if talk.json:
        documents = [
            {
                "schema": SCHEMA,
                **document(found),
                "reservations": found.uses,
                "oddities": found.workload.oddities,
            }
            for found in simulations
        ]
        talk.document(documents if len(documents) > 1 else documents[0])
        return
    talk.data(*table(talk, COLUMNS, [_cells(found) for found in simulations]))
    for found in simulations:
        talk.data(*(f"{head}: {found.policy.label}{told}" for head, told in _notes(found)))
    of_log = {word: n for word, n in workload.oddities.items() if word not in OF_POLICIES}
    odd = sentences(of_log, workload.examples)
    talk.data("oddities: none" if not odd else "oddities:", *(f"  {safe(line)}" for line in odd))


def _notes(found: Simulation) -> Iterator[tuple[str, str]]:
    """What is to be said of a policy below the table: of what, and what."""
    if found.cut_short:
        yield "cut short", f" had started {found.measures.jobs:,} jobs"
    if found.killed:
        lost = f", {found.lost:,} of them lost" if found.lost else ""
        yield "faults", f": {_runs(found.killed)} killed{lost}"
    toll = found.toll
    if toll.suspended or toll.requeued or toll.cancelled:
        counts = {
            "suspended": toll.suspended,
            "requeued": toll.requeued,
            "cancelled": toll.cancelled,
        }
        told = ", ".join(f"{_runs(count)} {word}" for word, count in counts.items() if count)
        yield "preemption", f": {told}{_lost(toll.lost_work)}"
    for use in found.uses:
        ran = f"{use.jobs:,} job ran in it" if use.jobs == 1 else f"{use.jobs:,} jobs ran in it"
        let_go = "" if use.let_go is None else f"; let go at {format_duration(use.let_go)}, unused"
        yield f"reservation {safe(use.name)}", f": {ran}{let_go}"
    for word, (one, several, what) in OF_POLICIES.items():
        if count := found.workload.oddities.get(word):
            who = f"job {one}" if count == 1 else f"jobs {several}"
            yield "left out", f": {count:,} {who} {what}"


def _lost(work: float) -> str:
    if not work:
        return ""
    hours = work >= HOUR
    return f"; {work / HOUR:,.1f} CPU-hours lost" if hours else f"; {work:,.0f} CPU-seconds lost"


def _runs(count: int) -> str:
    return f"{count:,} run" if count == 1 else f"{count:,} runs"


def _cells(found: Simulation) -> list[str]:
    measures = found.measures
    return [
        found.policy.label + (" (cut short)" if found.cut_short else ""),
        f"{measures.jobs:,}",
        format_clock(measures.makespan),
        f"{measures.utilization:.1%}",
        format_clock(round(measures.mean_wait)),
        format_clock(round(measures.median_wait)),
        format_clock(round(measures.p95_wait)),
        format_clock(round(measures.max_wait)),
        f"{measures.avebsld:,.4f}",
        f"{measures.fairness:.3f}",
        f"{found.backfilled_share:.1%}",
        f"{found.per_second:,.0f}",
    ]


def keep(simulations: list[Simulation], chosen: Mapping[str, Any]) -> None:
    """Write the files that were asked for."""
    if chosen["csv"] is not None:
        write(chosen["csv"], [table_csv(simulations)], "--csv")
    if chosen["jobs_out"] is not None:
        for found in simulations:
            path = jobs_path(chosen["jobs_out"], found.policy, len(simulations))
            write(path, jobs_csv(found), "--jobs-out")
    if chosen["plot"] is not None:
        from hpcshell.sim.report.pictures import draw

        _writing("--plot", chosen["plot"], lambda: draw(simulations, chosen["plot"]))
    if chosen["report"] is not None:
        from hpcshell.sim.report.page import page

        write(chosen["report"], [page(simulations)], "--report")


def write(path: str, pieces: Iterable[str], option: str) -> None:
    if path == "-":
        for piece in pieces:
            sys.stdout.write(piece)
        return

    def write_all() -> None:
        kind = gzip.open if path.endswith(".gz") else open
        with kind(path, "wt", encoding="utf-8", newline="") as file:
            file.writelines(pieces)

    _writing(option, path, write_all)


def _writing(option: str, path: str, write: Callable[[], object]) -> None:
    try:
        write()
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        where = safe(str(getattr(error, "filename", None) or path))
        raise Wrong(f"{option}: {where} cannot be written: {why}", "name another") from None
