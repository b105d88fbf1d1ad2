"""What do dependencies cost? A chain of 1,000, and a fan 1 -> 1,000 -> 1 by the plain array.

The time of a chain counts from its first submit: graphs are given to every contender job by job,
or in the one file that it reads.
"""

from __future__ import annotations

from harness.figures import Goal, batch_size, median, paired_ratio
from harness.report import Cell, table
from harness.session import Entry, Session
from harness.turn import Ask
from ours import NAME, Ours
from peers import able
from peers.contender import Contender

MOST = 1000
GOALS = (
    Goal("chain rate", "chain of 1,000", "/s", at_least=450),
    Goal("fan by plain", "fan's time by the plain array's", at_most=1.2),
)


def main() -> None:
    session = Session("graph", __doc__ or "")
    count = 200 if session.quick else MOST
    entries = [Entry(Ours, _asks(Ours, count, 1e9))]
    entries += [Entry(peer, _asks(peer, count, session.seconds)) for peer in able("chain")]
    session.hold(entries)
    for question in ("chain", "fan"):
        print("\n" + session.rate_table(question, NAME))
    print("\n" + _fan_table(session))
    if chains := session.of(NAME, "chain"):
        session.figures["chain rate"] = median([turn.rate for turn in chains])
        session.figures["chain cpu_ms"] = median([turn.cpu_ms for turn in chains])
        session.figures["fan by plain"] = _fan_by_plain(session, NAME)
    for peer in able("chain"):
        ratio = paired_ratio(session.of(NAME, "chain"), session.of(peer, "chain"))
        if ratio is not None:
            session.figures[f"chain by {peer.name}"] = ratio
    session.finish(GOALS)


def _asks(kind: type[Contender], count: int, seconds: float) -> tuple[Ask, ...]:
    """The plain array and the fan of one contender stand next to each other, at one size."""
    chain = Ask("chain", batch_size(kind.pace["chain"], seconds, count))
    if "fan" not in kind.pace:
        return (chain,)
    size = batch_size(kind.pace["fan"], seconds, count)
    return (chain, Ask("throughput", size), Ask("fan", size))


def _fan_by_plain(session: Session, name: str) -> float:
    """The fan has two jobs more, which are not taken off."""
    plain, fan = session.of(name, "throughput"), session.of(name, "fan")
    return median([f.seconds / p.seconds for f, p in zip(fan, plain, strict=True)])


def _fan_table(session: Session) -> str:
    rows: list[list[Cell]] = []
    for name in session.names("fan"):
        plain = median([turn.rate for turn in session.of(name, "throughput")])
        rows.append([name, plain, _fan_by_plain(session, name)])
    return table(["", "plain array, rate /s", "fan's time by the array's"], rows)


if __name__ == "__main__":
    main()
