"""Usage is charged for what runs use, however often it is added up on the way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.core.records import Claim
from hpcshell.policy.fairshare import INSTANT, Association, FairShare
from hpcshell.policy.ledger import Ledger, used

TREE = [Association(account="a"), Association(account="a", user="u")]


def ledger(half_life: float | None = None, *, tree: bool = False) -> Ledger:
    return Ledger(FairShare(TREE, half_life), tree=tree)


def claim(run: int = 1, cpus: int = 2, start: float = 0.0, **more: float) -> Claim:
    return Claim(run=run, job=run, index=-1, cpus=cpus, start=start, **more)  # type: ignore[arg-type]


def usage(book: Ledger) -> float:
    return book.shares.standing(("a", "u")).usage


@given(
    looks=st.lists(st.floats(0, 100), max_size=6).map(sorted),
    end=st.floats(0, 100),
    cpus=st.integers(1, 64),
)
def test_looking_on_the_way_changes_nothing(looks: list[float], end: float, cpus: int) -> None:
    book = ledger()
    book.began(claim(cpus=cpus), "u", "a")
    for look in looks:
        book.settle(min(look, end))
    book.ended(1, end)
    assert usage(book) == pytest.approx(end * cpus)
    book.settle(200.0)
    assert usage(book) == pytest.approx(end * cpus)


@given(kept=st.floats(0, 50), start=st.floats(0, 50), end=st.floats(50, 150))
def test_what_was_kept_and_what_came_after_is_all(kept: float, start: float, end: float) -> None:
    book = ledger()
    book.began(claim(start=start), "u", "a")
    state = book.state(kept)
    later = ledger()
    later.restore(state)
    later.began(claim(start=start), "u", "a")
    later.ended(1, end)
    assert usage(later) == pytest.approx((end - start) * 2)


@given(faded=st.floats(0, 100))
def test_no_factor_changes_by_being_kept_however_much_has_faded(faded: float) -> None:
    book, later = ledger(1.0), ledger(1.0)
    for number, user in enumerate("uvw", 1):
        book.began(claim(number, cpus=number), user, "")
        book.ended(number, 1.0)
    later.restore(book.state(1.0 + faded))
    factors = [book.factor(user, "") for user in "uvw"]
    assert [later.factor(user, "") for user in "uvw"] == pytest.approx(factors)
    assert factors == sorted(set(factors), reverse=True)


def test_who_has_used_nothing_is_not_kept() -> None:
    assert ledger().state(5.0).keys() == {INSTANT}


def test_time_stood_still_is_not_charged() -> None:
    book = ledger()
    book.began(claim(), "u", "a")
    book.changed(claim(suspended=10.0))
    book.settle(50.0)
    assert usage(book) == 20.0
    book.changed(claim(paused=40.0))
    book.ended(1, 60.0)
    assert usage(book) == 40.0


def test_what_is_held_is_counted_while_it_is() -> None:
    book = ledger()
    one, two = replace(claim(1), memory=5), replace(claim(2, cpus=3), memory=7)
    book.began(one, "u", "a")
    book.began(two, "u", "a")
    assert book.held("u") == (5, 12)
    book.changed(replace(two, suspended=1.0))
    assert book.held("u") == (2, 12)
    book.ended(1, 2.0)
    book.ended(2, 2.0)
    assert book.held("u") == (0, 0)


def test_a_tree_is_ranked_when_it_is_settled() -> None:
    book = ledger(tree=True)
    book.began(claim(), "u", "a")
    book.began(claim(2), "v", "")
    book.ended(2, 1000.0)
    assert book.factor("u", "a") == book.factor("v", "") == 1.0
    book.settle(1000.0)
    assert book.factor("new", "") == 1.0
    assert {book.factor("u", "a"), book.factor("v", "")} == {1.0}


@given(at=st.floats(-1e3, 1e3), suspended=st.one_of(st.none(), st.floats(0, 100)))
def test_used_is_never_negative_and_never_shrinks(at: float, suspended: float | None) -> None:
    one = claim() if suspended is None else claim(suspended=suspended)
    assert 0.0 <= used(one, at) <= used(one, at + 1.0)
