"""How many jobs are simulated in a second of CPU time, and how long is a log read?

Whole logs, by the compiled kernel and by plain Python. KTH-SP2 and SDSC-SP2 of the Parallel
Workloads Archive are looked for in $HPCSHELL_TRACES, or in shared/traces beside the repository; a
synthetic workload is simulated in any case.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from hpcshell.sim.lublin import lublin
from hpcshell.sim.policies import policy_of
from hpcshell.sim.simulate import Engine, simulate
from hpcshell.trace.clean import SC15, Workload, clean
from hpcshell.trace.read import read_trace
from hpcshell.trace.write import write_swf

from harness.figures import Goal, median
from harness.report import Cell, table
from harness.session import Session

LOGS: Final = {"KTH": "KTH-SP2-1996-2.swf.gz", "SDSC-SP2": "SDSC-SP2-1998-4.2-cln.swf.gz"}
MADE: Final = "lublin"
POLICIES: Final = ("easy", "easy-sjbf", "easy++", "conservative", "fcfs")
LINES: Final = 60_000
OTHERS: Final = {
    ("easy", "RLScheduler's environment"): 20_000,
    ("easy", "pyss"): 5_600,
    ("easy", "CQSim"): 1_100,
    ("easy", "Alea 4"): 830,
    ("easy", "AccaSim"): 730,
    ("conservative", "pyss"): 1_800,
}
"""Jobs simulated per CPU second by others, the most that each was seen to reach on one machine like
the one these goals were set on."""

RATES: Final = {"easy": 1_000_000, "easy-sjbf": 100_000, "easy++": 100_000, "conservative": 50_000}
GOALS: Final = (
    *(
        Goal(f"{log} {policy} compiled", f"{log}, {policy}, compiled", "/s", at_least=least)
        for log in LOGS
        for policy, least in RATES.items()
    ),
    *(Goal(f"{log} easy python", f"{log}, easy, plain Python", "/s", at_least=6e4) for log in LOGS),
    Goal("reading", f"reading {LINES:,} lines", "s", at_most=0.15),
)


def main() -> None:
    session = Session("simulate", __doc__ or "")
    logs = _logs(2_000 if session.quick else 50_000)
    print("\n" + _reading_table(session))
    print("\n" + _rates_table(session, logs, "compiled"))
    print("\n" + _rates_table(session, logs, "python", without=("conservative",)))
    print("\n" + _others_table(session))
    print(
        "the figures of the others were measured once; AccaSim from PyPI needs Python 3.9, and the "
        "rest are on no index: none takes part here"
    )
    session.finish(GOALS)


def _logs(jobs: int) -> dict[str, tuple[bytes, Workload]]:
    """The bytes of each log that is there, and the jobs in it."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "traces"
    folder = Path(os.environ.get("HPCSHELL_TRACES") or beside)
    found = {
        name: (folder / file).read_bytes()
        for name, file in LOGS.items()
        if (folder / file).is_file()
    }
    found[MADE] = b"".join(write_swf(lublin(256, jobs, 1, load=0.85, overestimate=3.0)))
    return {name: (text, clean(read_trace(name, text), None, SC15)) for name, text in found.items()}


def _seconds(rounds: int, call: Callable[[], Any]) -> float:
    """The median of the CPU times of some calls."""
    taken = []
    for _ in range(rounds):
        began = time.process_time()
        call()
        taken.append(time.process_time() - began)
    return median(taken)


def _reading_table(session: Session) -> str:
    text = b"".join(write_swf(lublin(256, LINES, 1)))
    read = _seconds(session.rounds, lambda: read_trace(MADE, text))
    trace = read_trace(MADE, text)
    cleaned = _seconds(session.rounds, lambda: clean(trace))
    session.figures.update({"reading": read, "cleaning": cleaned})
    rows: list[list[Cell]] = [[f"{LINES:,} lines, plain", read, cleaned]]
    return table(["reading", "read, s", "made fit, s"], rows)


def _rates_table(
    session: Session,
    logs: dict[str, tuple[bytes, Workload]],
    engine: Engine,
    without: tuple[str, ...] = (),
) -> str:
    """Jobs per CPU second, and with reading the log counted."""
    rows: list[list[Cell]] = []
    for name, (text, workload) in logs.items():
        reading = _seconds(session.rounds, lambda text=text: clean(read_trace("", text)))  # type: ignore[misc]
        for policy in POLICIES:
            if policy in without:
                continue
            seconds = _simulated(workload, policy, engine, session.rounds)
            rate, whole = len(workload) / seconds, len(workload) / (seconds + reading)
            session.figures[f"{name} {policy} {engine}"] = rate
            session.figures[f"{name} {policy} {engine}, read"] = whole
            rows.append([f"{name}, {policy}", f"{len(workload):,}", rate, whole])
    return table([engine, "jobs", "jobs/s", "reading included"], rows)


def _simulated(workload: Workload, policy: str, engine: Engine, rounds: int) -> float:
    """CPU seconds of a simulation, the median; the first, which loads the kernel, is not
    counted."""
    chosen = policy_of(policy, variant="sc15")
    if engine == "compiled":
        simulate(workload, chosen, engine)
    return median([simulate(workload, chosen, engine).cpu_seconds for _ in range(rounds)])


def _others_table(session: Session) -> str:
    log = next(iter(name for name in (*LOGS, MADE) if f"{name} easy compiled" in session.figures))
    rows: list[list[Cell]] = []
    for (policy, other), rate in OTHERS.items():
        compiled = session.figures[f"{log} {policy} compiled"]
        python = session.figures.get(f"{log} {policy} python")
        ratio = None if python is None else python / rate
        session.figures[f"{policy} by {other}"] = compiled / rate
        rows.append([f"{other}, {policy}", float(rate), compiled / rate, ratio])
    return table([f"others, and ours on {log}", "jobs/s", "compiled by it", "Python by it"], rows)


if __name__ == "__main__":
    main()
