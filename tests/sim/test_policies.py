"""Policies by name, and what they are in the numbers of the kernel."""

from __future__ import annotations

import pytest

from hpcshell.core.errors import Wrong
from hpcshell.sim.kernel import scores
from hpcshell.sim.kernel.state import ALL, EASY, GREEDY, LAST_TWO, NONE, REQUEST, Rules
from hpcshell.sim.policies import ALIASES, NAMED, ORDERS, policy_names, policy_of, unplayable


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ("fcfs", Rules(8, NONE, scores.FIFO, scores.FIFO, REQUEST, False)),
        ("greedy", Rules(8, GREEDY, scores.FIFO, scores.FIFO, REQUEST, False)),
        ("easy", Rules(8, EASY, scores.FIFO, scores.FIFO, REQUEST, False)),
        ("easy-sjbf", Rules(8, EASY, scores.FIFO, scores.SJF, REQUEST, False)),
        ("easy++", Rules(8, EASY, scores.FIFO, scores.SJF, LAST_TWO, False)),
        ("conservative", Rules(8, ALL, scores.FIFO, scores.FIFO, REQUEST, False)),
        ("hybrid:7", Rules(8, 7, scores.FIFO, scores.FIFO, REQUEST, False)),
    ],
)
def test_a_name_stands_for_rules(name: str, rules: Rules) -> None:
    assert policy_of(name).rules(8) == rules
    assert policy_of(name.upper(), variant="sc15").rules(8) == rules._replace(stepwise=True)


@pytest.mark.parametrize("order", ORDERS)
def test_those_that_pass_stand_in_the_order_of_the_line_unless_said(order: str) -> None:
    rules = policy_of("easy", order=order).rules(8)
    assert rules.order == rules.fill == ORDERS[order]
    assert policy_of("easy-sjbf", order=order).rules(8).fill == scores.SJF
    assert policy_of("easy", fill=order).rules(8).order == scores.FIFO


def test_other_names_are_names_of_the_same() -> None:
    for alias, name in ALIASES.items():
        assert policy_of(alias) == NAMED[name]


def test_a_label_says_what_is_not_as_the_name_says() -> None:
    assert policy_of("easy++").label == "easy++"
    assert (
        policy_of("easy", order="wfp3", predict="last2").label == "easy, order wfp3, predict last2"
    )
    assert policy_of("hybrid:3", predict="clairvoyant").label == "hybrid:3, predict clairvoyant"


def test_lists_of_names() -> None:
    assert policy_names(" easy, hybrid:2,") == ["easy", "hybrid:2"]
    assert policy_names("all") == list(NAMED)


@pytest.mark.parametrize("name", ["", "hybrid:", "hybrid:-1", "hybrid:99999999999", "hybrid:2.5"])
def test_what_is_no_policy_is_wrong(name: str) -> None:
    with pytest.raises(Wrong) as refused:
        policy_of(name)
    assert refused.value.hint


def test_the_kernel_keeps_many_promises_only_first_come_first_served() -> None:
    for name, order, predict, beyond in (
        ("conservative", None, None, False),
        ("conservative", None, "clairvoyant", False),
        ("hybrid:2", None, "last2", True),
        ("conservative", "sjf", None, True),
        ("easy", "sjf", "last2", False),
        ("hybrid:1", "sjf", "last2", False),
        ("easy", None, "ratio", True),
        ("fcfs", None, "median", True),
    ):
        found = unplayable(policy_of(name, order=order, predict=predict).rules(8))
        assert bool(found) is beyond
    assert unplayable(policy_of("hybrid:2", fill="sjf").rules(8))


def test_there_is_nothing_to_fill_where_nobody_passes_out_of_turn() -> None:
    for name in ("fcfs", "conservative"):
        assert policy_of(name, fill="sjf") == policy_of(name)
