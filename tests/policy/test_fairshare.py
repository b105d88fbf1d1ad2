"""Fair share: usage fades by halves, the order of charges does not matter, more never helps."""

from __future__ import annotations

from math import fsum, inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Broken, Wrong
from hpcshell.policy.fairshare import DEEPEST, ROOT, Association, FairShare, Key

DAY = 86400.0

Charge = tuple[str, str, float, float]
"""(user, account, cpu-seconds, instant)"""

TREE = (
    ("physics", ""),
    ("optics", "physics"),
    ("plasma", "physics"),
    ("chemistry", ""),
)
USERS = (
    ("optics", "ann"),
    ("optics", "bob"),
    ("plasma", "ann"),
    ("plasma", "cid"),
    ("physics", "dan"),
    ("chemistry", "eve"),
    ("chemistry", "bob"),
)


def tree(shares: list[int], half_life: float | None = 7 * DAY) -> FairShare:
    """The tree above; the shares are taken in order, accounts first."""
    given_shares = iter(shares)
    rows = [
        Association(account=name, parent=parent or ROOT, shares=float(next(given_shares)))
        for name, parent in TREE
    ]
    rows += [
        Association(account=account, user=user, shares=float(next(given_shares)))
        for account, user in USERS
    ]
    return FairShare(rows, half_life)


def even() -> FairShare:
    return tree([1] * 11)


def charged(shares: FairShare, charges: list[Charge]) -> FairShare:
    for charge in charges:
        shares.charge(*charge)
    return shares


def usage(shares: FairShare, key: Key = (ROOT, "")) -> float:
    return shares.standing(key).usage


some_shares = st.lists(st.integers(0, 5), min_size=11, max_size=11)
users = st.sampled_from(["ann", "bob", "cid", "dan", "eve", "stranger", "guest"])
accounts = st.sampled_from(["", "optics", "plasma", "physics", "chemistry", "nowhere"])
amounts = st.just(0.0) | st.floats(1e-3, 1e7)
charges = st.lists(
    st.tuples(users, accounts, amounts, st.floats(1.7e9, 1.7e9 + 30 * DAY)), max_size=10
)


# -- laws ------------------------------------------------------------------------------------------


@given(charges=charges, half_lives=st.integers(1, 20))
def test_usage_halves_in_every_half_life(charges: list[Charge], half_lives: int) -> None:
    shares = charged(even(), charges)
    shares.advance(1.7e9 + 30 * DAY)
    before = {key: usage(shares, key) for key in shares}
    shares.advance(shares.now + half_lives * 7 * DAY)
    for key, used in before.items():
        assert usage(shares, key) == pytest.approx(used / 2**half_lives, rel=1e-9)


@given(charges=charges)
def test_usage_is_the_sum_of_what_has_faded_since_each_charge(charges: list[Charge]) -> None:
    shares = charged(even(), charges)
    faded = [used * 2 ** (-(shares.now - at) / (7 * DAY)) for _, _, used, at in charges]
    assert usage(shares) == pytest.approx(fsum(faded), rel=1e-9, abs=1e-300)


@given(charges=charges, data=st.data())
def test_the_order_of_charges_does_not_matter(charges: list[Charge], data: st.DataObject) -> None:
    one, other = even(), even()
    charged(one, charges)
    charged(other, data.draw(st.permutations(charges)))
    assert set(one) == set(other)
    for key in one:
        assert one.standing(key)[2:] == pytest.approx(other.standing(key)[2:], rel=1e-9, abs=1e-12)


@given(shares=some_shares, charges=charges)
def test_factors_lie_between_0_and_1(shares: list[int], charges: list[Charge]) -> None:
    made = charged(tree(shares), charges)
    for key in made:
        standing = made.standing(key)
        assert 0.0 <= standing.factor <= 1.0
        assert 0.0 <= standing.part <= 1.0
        assert 0.0 <= standing.effective <= 1.0 + 1e-12
    ranks = made.fair_tree()
    assert set(ranks) == {key for key in made if key[1]}
    assert all(0.0 < factor <= 1.0 for factor in ranks.values())
    assert not ranks or max(ranks.values()) == 1.0


@given(shares=some_shares, charges=charges, user=users, account=accounts, more=st.floats(0, 1e7))
def test_who_uses_more_never_gets_a_higher_factor(
    shares: list[int], charges: list[Charge], user: str, account: str, more: float
) -> None:
    made = charged(tree(shares), charges)
    made.charge(user, account, 0.0, made.now)
    key, classic, ranked = made.key(user, account), made.factor(user, account), made.fair_tree()
    made.charge(user, account, more, made.now)
    assert made.factor(user, account) <= classic + 1e-12
    assert made.fair_tree()[key] <= ranked[key]


@given(shares=some_shares, charges=charges)
def test_every_level_adds_up_to_the_level_above(shares: list[int], charges: list[Charge]) -> None:
    made = charged(tree(shares), charges)
    parents = dict(TREE)
    for account in (ROOT, *parents):
        below = [(name, "") for name, parent in TREE if (parent or ROOT) == account]
        below += [key for key in made if key[0] == account and key[1]]
        of_all = made.standing((account, ""))
        standings = [made.standing(key) for key in below]
        assert fsum(each.usage for each in standings) == pytest.approx(of_all.usage, rel=1e-9)
        if any(each.shares for each in standings):
            assert fsum(each.part for each in standings) == pytest.approx(of_all.part)


@given(charges=charges, later=st.floats(0, 1e9))
def test_no_factor_changes_by_the_passing_of_time(charges: list[Charge], later: float) -> None:
    made = charged(even(), charges)
    before = {key: made.standing(key) for key in made}
    ranked = made.fair_tree()
    made.advance(made.now + later)
    for key, standing in before.items():
        after = made.standing(key)
        if after.usage > 1e-200:
            assert after.factor == pytest.approx(standing.factor, rel=1e-9)
    if usage(made) > 1e-200 and later < 60 * 7 * DAY:
        assert made.fair_tree() == ranked


@given(charges=charges, back=st.floats(0, 1e9))
def test_a_clock_that_goes_back_gives_no_usage_back(charges: list[Charge], back: float) -> None:
    made = charged(even(), charges)
    made.advance(1.7e9 + 60 * DAY)
    before = {key: usage(made, key) for key in made}
    made.advance(made.now - back)
    assert {key: usage(made, key) for key in made} == before


@given(charges=charges)
def test_the_state_brings_everything_back(charges: list[Charge]) -> None:
    made = charged(even(), charges)
    state = made.state()
    again = even()
    again.restore(state)
    assert again.now == made.now
    assert set(again) == set(made)
    for key in made:
        assert again.standing(key)[2:] == pytest.approx(made.standing(key)[2:], rel=1e-9, abs=1e-12)
    assert again.state() == pytest.approx(state, rel=1e-9, abs=1e-300)


@given(shares=some_shares, charges=charges)
def test_of_an_account_that_is_better_off_every_user_is(
    shares: list[int], charges: list[Charge]
) -> None:
    """Fair Tree: chemistry and physics are siblings; whichever has the larger level goes first."""
    made = charged(tree([max(1, share) for share in shares]), charges)
    ranked = made.fair_tree()
    of = {
        name: [rank for (account, _), rank in ranked.items() if account in group]
        for name, group in (
            ("chemistry", {"chemistry"}),
            ("physics", {"physics", "optics", "plasma"}),
        )
    }
    used = {name: usage(made, (name, "")) for name in of}
    level = {
        name: made.standing((name, "")).part / used[name] if used[name] else inf for name in of
    }
    for one, other in (("chemistry", "physics"), ("physics", "chemistry")):
        if level[one] > level[other] * (1 + 1e-9):
            assert min(of[one]) > max(of[other])


# -- cases -----------------------------------------------------------------------------------------


def test_the_classic_factor_by_hand() -> None:
    made = FairShare(
        [
            Association(account="a", shares=3.0),
            Association(account="b", shares=1.0),
            Association(account="a", user="ann", shares=1.0),
            Association(account="a", user="bob", shares=1.0),
        ]
    )
    made.charge("ann", "a", 300.0, 0.0)
    made.charge("bob", "a", 100.0, 0.0)
    ann = made.standing(("a", "ann"))
    assert ann.part == 3 / 8
    assert ann.effective == pytest.approx(0.75 + (1.0 - 0.75) / 2)
    assert ann.factor == pytest.approx(2 ** -(0.875 / 0.375))
    assert made.standing(("a", "")).factor == pytest.approx(2 ** -(1.0 / 0.75))
    assert made.standing(("b", "")).factor == 1.0


def test_who_has_used_what_the_shares_give_has_one_half() -> None:
    made = FairShare()
    for user in ("ann", "bob", "cid"):
        made.charge(user, "", 100.0, 0.0)
    assert [made.factor(user) for user in ("ann", "bob", "cid")] == [0.5] * 3
    assert made.factor("new") == 1.0


def test_usage_halves_exactly() -> None:
    made = FairShare(half_life=DAY)
    made.charge("ann", "", 1000.0, 0.0)
    made.advance(DAY)
    assert usage(made) == 500.0
    made.advance(3 * DAY)
    assert usage(made) == 125.0


def test_without_a_half_life_nothing_is_forgotten() -> None:
    made = FairShare(half_life=None)
    made.charge("ann", "", 1000.0, 0.0)
    made.advance(1e11)
    assert usage(made) == 1000.0


def test_a_late_charge_counts_what_is_left_of_it() -> None:
    made = FairShare(half_life=DAY)
    made.advance(2 * DAY)
    made.charge("ann", "", 1000.0, DAY)
    assert usage(made) == 500.0


def test_fair_tree_ranks_accounts_before_users() -> None:
    made = even()
    made.charge("eve", "chemistry", 10.0, 0.0)
    made.charge("cid", "plasma", 1000.0, 0.0)
    ranked = made.fair_tree()
    assert ranked == {
        ("chemistry", "bob"): 7 / 7,
        ("chemistry", "eve"): 6 / 7,
        ("physics", "dan"): 5 / 7,
        ("optics", "ann"): 5 / 7,
        ("optics", "bob"): 5 / 7,
        ("plasma", "ann"): 2 / 7,
        ("plasma", "cid"): 1 / 7,
    }


def test_without_usage_all_are_first() -> None:
    assert set(even().fair_tree().values()) == {1.0}
    assert FairShare().fair_tree() == {}


def test_strangers_belong_to_the_root_with_one_share() -> None:
    made = even()
    assert made.key("stranger", "physics") == (ROOT, "stranger")
    assert made.key("eve") == ("chemistry", "eve")
    assert made.key("bob") == ("optics", "bob")
    assert made.key("eve", "physics") == (ROOT, "eve")
    assert made.standing((ROOT, "stranger")).part == 1 / 3
    made.charge("stranger", "physics", 50.0, 0.0)
    assert usage(made, (ROOT, "stranger")) == 50.0
    assert made.standing((ROOT, "stranger")).part == 1 / 3
    assert made.standing(("physics", "")).part == 1 / 3


def test_what_was_used_in_an_account_that_is_gone_stays_with_its_user() -> None:
    made = charged(even(), [("ann", "plasma", 80.0, 5.0)])
    again = FairShare([Association(account="optics"), Association(account="optics", user="ann")])
    again.restore(made.state())
    assert usage(again, (ROOT, "ann")) == pytest.approx(80.0)
    assert usage(again, ("optics", "ann")) == 0.0


@pytest.mark.parametrize(
    "state", [{"a\tb": nan}, {"a\tb": -1.0}, {"a": 1.0}, {"instant": inf}, {"a\tb": inf}]
)
def test_a_damaged_state_is_refused_and_changes_nothing(state: dict[str, float]) -> None:
    made = even()
    with pytest.raises(Broken, match="the stored usage"):
        made.restore({"optics\tann": 5.0} | state)
    assert usage(made) == 0.0


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("a", "", ROOT), ("a", "", ROOT)], "given twice"),
        ([("a", "", "b"), ("b", "", "a")], "is below itself"),
        ([("a", "", "a")], "is below itself"),
        ([("a", "", "nowhere")], "no account 'nowhere' for the account a"),
        ([("a", "ann", ROOT)], "no account 'a' for the user ann"),
        ([("a", "", ROOT), ("a", "ann", ROOT), ("a", "ann", ROOT)], "the user ann is twice in a"),
        ([(ROOT, "", ROOT)], "the account root is always there"),
        (
            [("a", "", ROOT)] + [("a" * n, "", "a" * (n - 1)) for n in range(2, 99)],
            "accounts above",
        ),
        ([("a" * n, "", "a" * (n - 1) or ROOT) for n in range(99, 0, -1)], "accounts above"),
    ],
)
def test_what_is_no_tree_is_refused(rows: list[tuple[str, str, str]], message: str) -> None:
    with pytest.raises(Wrong, match=message):
        FairShare([Association(account=a, user=u, parent=p) for a, u, p in rows])


def test_a_tree_may_be_given_from_below_and_as_deep_as_allowed() -> None:
    rows = [
        Association(account="a" * n, parent="a" * (n - 1) or ROOT) for n in range(DEEPEST, 0, -1)
    ]
    made = FairShare([*rows, Association(account="a" * DEEPEST, user="ann")])
    made.charge("ann", "", 10.0, 0.0)
    assert usage(made, ("a", "")) == 10.0
    assert made.fair_tree() == {("a" * DEEPEST, "ann"): 1.0}


@pytest.mark.parametrize("number", [nan, inf, -1.0])
def test_what_is_no_number_is_refused(number: float) -> None:
    with pytest.raises(Wrong, match="shares of ann"):
        Association(account="a", user="ann", shares=number)
    with pytest.raises(Wrong, match="cpu-seconds"):
        FairShare().charge("ann", "", number, 0.0)
    with pytest.raises(Wrong, match="half-life"):
        FairShare(half_life=number)


@pytest.mark.parametrize("instant", [nan, inf])
def test_so_is_what_is_no_instant(instant: float) -> None:
    with pytest.raises(Wrong, match="instant"):
        FairShare().advance(instant)
