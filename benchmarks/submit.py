"""How fast is work taken in? Every reply means that the job is on the disk.

1,000 separate jobs from 32 threads of one Python process, three times: while another job has the
whole machine, held, and while they are started as they come. Then one array of a million elements.
Peers are asked the same in the way they offer it; huey with fsync is the only one among them whose
reply means as much.
"""

from __future__ import annotations

from harness.figures import Goal, batch_size, median, paired_ratio
from harness.report import Cell, table
from harness.session import Entry, Session
from harness.turn import Ask
from ours import NAME, Ours
from peers import able

SEPARATE = 1000
MILLION = 1_000_000
GOALS = (
    Goal("accept", "separate jobs, machine busy", "/s", at_least=3000),
    Goal("accept_held", "separate jobs, held", "/s", at_least=3000),
    Goal("accept_open", "separate jobs, started as they come", "/s", at_least=3000, stretch=True),
    Goal("million seconds", "array of 1,000,000 accepted", "s", at_most=0.3),
    Goal("million peak_mb", "daemon's peak memory after it", "MB", at_most=120),
    Goal("million_open peak_mb", "and while its elements run", "MB", at_most=120),
)


def main() -> None:
    session = Session("submit", __doc__ or "")
    kinds = ("accept", "accept_held", "accept_open", "accept_many")
    entries = [Entry(Ours, (Ask(kind, SEPARATE),)) for kind in kinds]
    entries += [Entry(Ours, (Ask(kind, MILLION),)) for kind in ("million", "million_open")]
    for peer in able("accept"):
        size = batch_size(peer.pace["accept"], min(1.0, session.seconds), SEPARATE)
        entries.append(Entry(peer, (Ask("accept", size),)))
    session.hold(entries)
    print("\n" + session.rate_table("accept", NAME))
    _gather(session, kinds)
    rows: list[list[Cell]] = [[name, value] for name, value in session.figures.items()]
    print("\n" + table(["ours", "median"], rows))
    session.finish(GOALS)


def _gather(session: Session, kinds: tuple[str, ...]) -> None:
    for kind in kinds:
        if turns := session.of(NAME, kind):
            session.figures[kind] = median([turn.rate for turn in turns])
    for kind in ("million", "million_open"):
        if turns := session.of(NAME, kind):
            session.figures[f"{kind} seconds"] = median([turn.seconds for turn in turns])
            for key in ("rss_mb", "peak_mb"):
                session.figures[f"{kind} {key}"] = median(session.gathered(NAME, kind, key))
    for peer in able("accept"):
        ratio = paired_ratio(session.of(NAME, "accept"), session.of(peer, "accept"))
        if ratio is not None:
            session.figures[f"accept by {peer.name}"] = ratio


if __name__ == "__main__":
    main()
