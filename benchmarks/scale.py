"""What does a long queue cost? 100,000 separate jobs behind one that has the whole machine.

The memory of the daemon, the first page of `hpc queue`, a restart until a client is answered, and
the processor time and wake-ups of the idle daemons, with an empty queue and with the full one.
"""

from __future__ import annotations

from harness.figures import Goal, median
from harness.report import Cell, table
from harness.session import Entry, Session
from harness.turn import Ask
from ours import NAME, Ours

MANY = 100_000
GOALS = (
    Goal("peak_mb", "daemon's peak memory, 100,000 queued", "MB", at_most=250),
    Goal("peak_mb after restart", "and after a restart", "MB", at_most=250),
    Goal("first page s", "hpc queue, first page", "s", at_most=0.3),
    Goal("restart s", "restart to ready", "s", at_most=5),
    Goal("idle share %", "idle daemons, of a core", "%", at_most=0.1),
    Goal("idle share % full", "and with 100,000 queued", "%", at_most=0.1),
    Goal("wakes /s", "wake-ups of idle daemons: no polling", "/s", at_most=0.5),
)


def main() -> None:
    session = Session("scale", __doc__ or "")
    count = 5000 if session.quick else MANY
    window = 5 if session.quick else 20
    asks = (
        Ask("idle", window),
        Ask("accept", count),
        Ask("memory", 1),
        Ask("first_page", 5),
        Ask("idle", window),
        Ask("restart", 3),
    )
    session.hold([Entry(Ours, asks)], rounds=session.options.rounds or 1)
    if session.of(NAME, "memory"):
        _gather(session)
    rows: list[list[Cell]] = [[name, value] for name, value in session.figures.items()]
    print("\n" + table([f"{count:,} queued jobs", "median"], rows))
    session.finish(GOALS)


def _gather(session: Session) -> None:
    figures = session.figures
    figures["accepted /s"] = median([turn.rate for turn in session.of(NAME, "accept")])
    for key in ("rss_mb", "peak_mb"):
        figures[key] = median(session.gathered(NAME, "memory", key))
        figures[f"{key} after restart"] = median(session.gathered(NAME, "restart", key))
    figures["first page s"] = median(session.gathered(NAME, "first_page", "queue_wall"))
    figures["restart s"] = median(session.gathered(NAME, "restart", "ready"))
    # Two windows a turn: before the queue was filled, and after.
    shares = session.gathered(NAME, "idle", "share")
    wakes = session.gathered(NAME, "idle", "wakes")
    figures["idle share %"] = 100 * median(shares[0::2])
    figures["idle share % full"] = 100 * median(shares[1::2])
    figures["wakes /s"] = median(wakes[0::2])
    figures["wakes /s full"] = median(wakes[1::2])


if __name__ == "__main__":
    main()
