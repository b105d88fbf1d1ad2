"""How many small jobs a second, and what does each cost? An array of `/bin/true`, two in flight.

Every contender has its turn in every round; the ratio to ours is the median of the rounds' ratios.
"""

from __future__ import annotations

from harness.figures import Goal, batch_size, median, paired_ratio
from harness.session import Entry, Session
from harness.turn import Ask
from ours import NAME, Ours
from peers import able

QUESTION = "throughput"
MOST = 10_000
GOALS = (
    Goal("rate", "array of 10,000, two in flight", "/s", at_least=700),
    Goal("cpu_ms", "CPU per job, all processes", "ms", at_most=1.9),
    Goal("by Slurm", "by a real Slurm", at_least=15),
    Goal("by task-spooler", "ahead of task-spooler", at_least=1),
    Goal("by HyperQueue", "ahead of HyperQueue", at_least=1),
    Goal("by dask", "ahead of dask", at_least=1),
    Goal("by ray", "ahead of ray", at_least=1),
    Goal("by parsl HTEX", "ahead of parsl", at_least=1),
    Goal("by GNU parallel", "ahead of GNU parallel", at_least=1),
    Goal("by C limit", "of the C limit", at_least=0.6, stretch=True),
)


def main() -> None:
    session = Session(QUESTION, __doc__ or "")
    count = 1000 if session.quick else MOST
    entries = [Entry(Ours, (Ask(QUESTION, count),))]
    for peer in able(QUESTION):
        size = batch_size(peer.pace[QUESTION], session.seconds, MOST, peer.least)
        entries.append(Entry(peer, (Ask(QUESTION, size),)))
    session.hold(entries)
    print("\n" + session.rate_table(QUESTION, NAME))
    ours = session.of(NAME, QUESTION)
    if ours:
        session.figures["rate"] = median([turn.rate for turn in ours])
        session.figures["cpu_ms"] = median([turn.cpu_ms for turn in ours])
    for peer in able(QUESTION):
        ratio = paired_ratio(ours, session.of(peer, QUESTION))
        if ratio is not None:
            session.figures[f"by {peer.name}"] = ratio
    session.finish(GOALS)


if __name__ == "__main__":
    main()
