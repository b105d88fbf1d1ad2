"""Long lists in pages, and how much of them is shown."""

from __future__ import annotations

from typing import Any

import pytest

from hpcshell.cli.filters import PAGE, most, pages
from hpcshell.cli.talk import Talk
from hpcshell.core.errors import Wrong
from hpcshell.core.states import states_of


class Lister:
    """A daemon with so many rows, that remembers what it was asked."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.asked: list[tuple[int, int]] = []

    def call(self, verb: str, *, limit: int, offset: int, **args: Any) -> dict[str, Any]:
        self.asked.append((limit, offset))
        rows = list(range(offset, min(self.total, offset + limit)))
        return {"rows": rows, "total": self.total}


def rows(lister: Lister, limit: int, offset: int = 0) -> list[int]:
    return [row for page in pages(lister, "queue", limit, offset) for row in page["rows"]]  # type: ignore[arg-type]


@pytest.mark.parametrize("total", [0, 1, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE + 7])
def test_all_of_a_list_is_had_a_page_at_a_time(total):
    lister = Lister(total)
    assert rows(lister, 0) == list(range(total))
    assert len(lister.asked) == max(1, -(-total // PAGE))


@pytest.mark.parametrize(("limit", "offset"), [(10, 0), (10, 5), (PAGE + 5, 0), (10, 2 * PAGE - 5)])
def test_not_more_is_had_than_was_asked_for(limit, offset):
    lister = Lister(2 * PAGE)
    assert rows(lister, limit, offset) == list(range(2 * PAGE))[offset : offset + limit]


def test_a_table_is_short_and_what_is_fed_to_commands_is_whole():
    assert most(Talk(), None, 100) == 100
    assert most(Talk(quiet=True), None, 100) == 0
    assert most(Talk(json=True), None, 100) == PAGE
    assert most(Talk(), None, 100, whole=True) == 0
    assert most(Talk(quiet=True), 7, 100) == 7
    assert most(Talk(), 0, 100) == 0


def test_states_may_be_short_in_any_case_and_in_lists():
    assert states_of(("pd,R", "out-of-memory")) == ["PENDING", "RUNNING", "OUT_OF_MEMORY"]
    assert states_of(()) == []
    with pytest.raises(Wrong, match="TIMEOUT"):
        states_of(("TIMOUT",))
