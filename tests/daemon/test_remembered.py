"""Looks that find again what was found before say what they would say anew."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from hpcshell.daemon.remembered import MOST, Remembered
from tests.support.benches import Bench

LOOKS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("queue", {"states": ["PENDING"]}),
    ("queue", {"states": ["RUNNING"], "names": ["a"]}),
    ("queue", {"names": ["b"], "limit": 2, "offset": 1}),
    ("queue", {"user": "nobody at all"}),
    ("jobs", {"states": ["CANCELLED"]}),
    ("jobs", {"states": ["FAILED"]}),
    ("history", {"states": ["CANCELLED"]}),
    ("history", {"names": ["a"]}),
    ("priority", {}),
)
actions = st.lists(
    st.tuples(
        st.sampled_from(["submit", "held", "hold", "release", "cancel", "finish", "edit"]),
        st.integers(1, 4),
    ),
    max_size=8,
)


def seen(bench: Bench) -> list[Any]:
    return [bench.ask(verb, **asked) for verb, asked in LOOKS]


def act(bench: Bench, what: str, job: int) -> None:
    if what in ("submit", "held"):
        bench.submit("true", name="ab"[job % 2], hold=what == "held")
    elif job not in bench.engine.live:
        return
    elif what == "finish":
        if job in {run.job for run in bench.engine.runs.values()}:
            bench.finish(job)
    elif what == "edit":
        bench.ask("edit", ids=[str(job)], changes={"name": "b"})
    else:
        bench.ask(what, ids=[str(job)])


@settings(max_examples=15, deadline=None)
@given(actions)
def test_whatever_happens_is_seen_by_the_next_look(done: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory))
        try:
            for what, job in done:
                seen(bench)
                act(bench, what, job)
                told = seen(bench)
                bench.engine.remembered.forget()
                assert told == seen(bench)
        finally:
            bench.close()


def test_no_more_than_a_few_things_are_remembered() -> None:
    remembered, found = Remembered(), []

    def find(number: int) -> int:
        found.append(number)
        return number

    for number in (*range(MOST), 0, MOST, 0):
        assert remembered.get(number, partial(find, number)) == number
    assert found == [*range(MOST), MOST, 0]
