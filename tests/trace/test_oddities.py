"""What is odd is counted, and said in a sentence with its first places."""

from __future__ import annotations

from hpcshell.trace.oddities import ODDITIES, SHOWN, Tally, sentences


def test_an_oddity_is_said_with_its_count_and_its_first_places() -> None:
    tally = Tally()
    for line in range(1, 1235):
        tally.add("zero_run", [f"log:{line}"])
    tally.add("short", ["log:9"])
    tally.add("long", [], 0)
    assert sentences(tally.counts, tally.examples) == [
        f"1,234 x {ODDITIES['zero_run']} (log:1, log:2, log:3, ...)",
        f"1 x {ODDITIES['short']} (log:9)",
    ]
    assert len(tally.examples["zero_run"]) == SHOWN


def test_a_tally_goes_on_from_another_and_leaves_it_alone() -> None:
    first = Tally()
    first.add("step", ["log:1"])
    second = Tally(first.counts, first.examples)
    second.add("step", ["log:2"])
    assert (first.counts, second.counts) == ({"step": 1}, {"step": 2})
    assert second.examples == {"step": ("log:1", "log:2")}
