"""How soon? One job at a time on an idle system, and the commands themselves.

Start: from the call that submits to the job's first instruction. End: from the job's last
instruction to the return of the call that waits. The job is a static C program that writes down
both.
"""

from __future__ import annotations

from harness.figures import Goal, batch_size, median, percentile
from harness.report import Cell, table
from harness.session import Entry, Session
from harness.turn import Ask
from ours import NAME, Ours
from peers import able

QUESTION = "latency"
COMMANDS = ("run", "submit", "queue", "help")
GOALS = (
    Goal("start ms", "submit to first instruction", "ms", at_most=5),
    Goal("end ms", "end to knowledge of the end", "ms", at_most=4),
    Goal("run wall ms", "hpc run true", "ms", at_most=200),
    Goal("submit wall ms", "hpc submit", "ms", at_most=130),
    Goal("help cpu ms", "hpc --help, CPU", "ms", at_most=110),
    Goal("import cpu ms", "import hpcshell over bare Python, CPU", "ms", at_most=15),
)


def main() -> None:
    session = Session(QUESTION, __doc__ or "")
    times = 10 if session.quick else 40
    few = 5 if session.quick else 15
    asks = (Ask(QUESTION, times), Ask("commands", few), Ask("imports", few))
    entries = [Entry(Ours, asks)]
    for peer in able(QUESTION):
        count = min(times, batch_size(peer.pace[QUESTION], session.seconds, times))
        entries.append(Entry(peer, (Ask(QUESTION, count),)))
    session.hold(entries)
    print("\n" + _latency_table(session))
    _gather(session)
    if session.of(NAME, "commands"):
        print("\n" + _command_table(session))
    session.finish(GOALS)


def _gather(session: Session) -> None:
    if not session.of(NAME, QUESTION):
        return
    for key in ("start", "end"):
        session.figures[f"{key} ms"] = 1000 * median(session.gathered(NAME, QUESTION, key))
    for word in COMMANDS:
        for kind in ("wall", "cpu"):
            took = session.gathered(NAME, "commands", f"{word}_{kind}")
            session.figures[f"{word} {kind} ms"] = 1000 * median(took)
    bare = median(session.gathered(NAME, "imports", "python_cpu"))
    session.figures["python cpu ms"] = 1000 * bare
    for word in ("import", "reach"):
        full = median(session.gathered(NAME, "imports", f"{word}_cpu"))
        session.figures[f"{word} cpu ms"] = 1000 * (full - bare)


def _latency_table(session: Session) -> str:
    rows: list[list[Cell]] = []
    for name in session.names(QUESTION):
        start = [1000 * value for value in session.gathered(name, QUESTION, "start")]
        end = [1000 * value for value in session.gathered(name, QUESTION, "end")]
        ours = [1000 * value for value in session.gathered(NAME, QUESTION, "start")]
        ratio = median(ours) / median(start) if ours else None
        ends = [median(end), percentile(end, 0.95)]
        rows.append([name, median(start), percentile(start, 0.95), *ends, ratio, len(start)])
    rows.sort(key=lambda row: row[1] if isinstance(row[1], float) else 0.0)
    headers = ["ms", "start", "95 %", "end", "95 %", "our start by its", "jobs"]
    return table(headers, rows)


def _command_table(session: Session) -> str:
    names = {"run": "hpc run true", "submit": "hpc submit", "queue": "hpc queue", "help": "--help"}
    rows: list[list[Cell]] = [
        [names[word], session.figures[f"{word} wall ms"], session.figures[f"{word} cpu ms"]]
        for word in COMMANDS
    ]
    rows.append(["python -c pass", None, session.figures["python cpu ms"]])
    rows.append(["import hpcshell, over that", None, session.figures["import cpu ms"]])
    rows.append(["from hpcshell import submit", None, session.figures["reach cpu ms"]])
    return table(["command, median ms", "wall", "CPU"], rows)


if __name__ == "__main__":
    main()
