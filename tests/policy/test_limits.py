"""Throttles: no limit is ever passed, nothing is kept without one, and the sentence has figures."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.core.records import Request
from hpcshell.policy.codes import LIMIT_REASONS
from hpcshell.policy.limits import CODES, EVERY, Claimant, Limits, Rule, Throttle

GIB = 1 << 30


def claimant(user: str = "ann", **asked: Any) -> Claimant:
    return Claimant(
        user=user,
        accounts=("optics", "physics", "root"),
        qos="short",
        partition="main",
        request=Request(**asked),
    )


def rule(kind: str = "qos", name: str = "short", each: str = "", **limits: Any) -> Rule:
    return Rule(kind=kind, name=name, each=each, limits=Limits(**limits))


small = st.none() | st.integers(0, 6)
totals = st.builds(
    Limits, max_running_jobs=small, max_submitted_jobs=small, max_cpus=small, max_gpus=small
)
sizes = st.builds(Limits, max_cpus=small, max_gpus=small, max_time=small)
names = {
    "qos": ["short", "long", EVERY],
    "partition": ["main", EVERY],
    "account": ["optics", "physics", EVERY],
    "user": ["ann", "bob", EVERY],
}


@st.composite
def made_rules(draw: st.DrawFn) -> list[Rule]:
    keys = [(kind, each, name) for kind, each in CODES for name in names[kind]]
    chosen = draw(st.lists(st.sampled_from(keys), unique=True, max_size=6))
    return [
        Rule(kind=kind, name=name, each=each, limits=draw(sizes if each == "job" else totals))
        for kind, each, name in chosen
    ]


claimants = st.builds(
    Claimant,
    user=st.sampled_from(["ann", "bob"]),
    accounts=st.sampled_from([(), ("physics",), ("optics", "physics")]),
    qos=st.sampled_from(["", "short", "long"]),
    partition=st.just("main"),
    request=st.builds(
        Request,
        cpus=st.integers(0, 4),
        gpus=st.integers(0, 2),
        time_limit=st.none() | st.integers(1, 8),
    ),
)


def applies(rule_: Rule, rules: list[Rule], to: Claimant) -> list[str]:
    """The names for which `rule_` holds for `to`: said once more, in the plainest way."""
    own = {"qos": [to.qos], "partition": [to.partition], "user": [to.user], "account": to.accounts}
    named = {each.name for each in rules if (each.kind, each.each) == (rule_.kind, rule_.each)}
    return [
        name
        for name in own[rule_.kind]
        if name and (rule_.name == name or (rule_.name == EVERY and name not in named))
    ]


def broken(rules: list[Rule], running: list[Claimant]) -> bool:
    """Whether what runs is more than any rule allows."""
    held: dict[tuple[int, str, str], list[Claimant]] = {}
    for each in running:
        for number, rule_ in enumerate(rules):
            for name in applies(rule_, rules, each):
                own = each.accounts[0] if each.accounts else ""
                who = {"user": each.user, "account": own}.get(rule_.each, "")
                held.setdefault((number, name, who), []).append(each)
    return any(over(rules[number], jobs) for (number, _, _), jobs in held.items())


def over(rule_: Rule, jobs: list[Claimant]) -> bool:
    """Whether jobs that count together (or each by itself) are too much for one rule."""
    limits, requests = rule_.limits, [each.request for each in jobs]
    cpus, gpus = [each.cpus for each in requests], [each.gpus for each in requests]
    times = [inf if each.time_limit is None else each.time_limit for each in requests]
    held = max if rule_.each == "job" else sum
    figures = (
        (len(jobs), limits.max_running_jobs),
        (held(cpus), limits.max_cpus),
        (held(gpus), limits.max_gpus),
        (max(times), limits.max_time),
    )
    return any(limit is not None and figure > limit for figure, limit in figures)


# -- laws ------------------------------------------------------------------------------------------


@given(rules=made_rules(), asking=st.lists(claimants, max_size=12))
def test_a_job_is_kept_if_and_only_if_a_limit_would_be_passed(
    rules: list[Rule], asking: list[Claimant]
) -> None:
    throttle, running = Throttle(rules), list[Claimant]()
    for each in asking:
        reason = throttle.allows(each)
        assert (reason is not None) == broken(rules, [*running, each]), reason
        if reason is None:
            throttle.add(each)
            running.append(each)
        else:
            assert reason.code in LIMIT_REASONS


@given(rules=made_rules(), asked=claimants)
def test_never_is_what_even_an_empty_machine_does_not_allow(
    rules: list[Rule], asked: Claimant
) -> None:
    throttle = Throttle(rules)
    if throttle.never(asked) is not None:
        assert throttle.allows(asked) is not None
    elif all(rule_.limits.max_running_jobs != 0 for rule_ in rules):
        assert throttle.allows(asked) is None


@given(
    rules=made_rules(),
    before=st.lists(claimants, max_size=4),
    asking=st.lists(claimants, min_size=2, max_size=4),
)
def test_several_start_together_if_and_only_if_no_limit_is_passed(
    rules: list[Rule], before: list[Claimant], asking: list[Claimant]
) -> None:
    throttle, running = Throttle(rules), list[Claimant]()
    for each in before:
        if throttle.allows(each) is None:
            throttle.add(each)
            running.append(each)
    assert (throttle.allow_all(asking) is not None) == broken(rules, [*running, *asking])
    assert (throttle.never(*asking) is not None) == broken(rules, asking)


@given(rules=made_rules(), asking=st.lists(claimants, max_size=8), data=st.data())
def test_what_has_left_is_as_if_it_had_never_been(
    rules: list[Rule], asking: list[Claimant], data: st.DataObject
) -> None:
    throttle, other = Throttle(rules), Throttle(rules)
    staying = data.draw(st.lists(st.booleans(), min_size=len(asking), max_size=len(asking)))
    for each in data.draw(st.permutations(asking)):
        throttle.add(each)
        throttle.enter(each, 3)
    for each, stays in zip(asking, staying, strict=True):
        if stays:
            other.add(each)
            other.enter(each, 3)
        else:
            throttle.remove(each)
            throttle.leave(each, 3)
    for each in asking:
        assert throttle.allows(each) == other.allows(each)
        assert throttle.admits(each) == other.admits(each)


@given(asked=claimants)
def test_without_rules_nothing_is_kept(asked: Claimant) -> None:
    throttle = Throttle()
    throttle.add(asked)
    assert (throttle.allows(asked), throttle.admits(asked, 10**6), throttle.never(asked)) == (
        None,
        None,
        None,
    )


@given(rules=made_rules(), asked=claimants, most=st.integers(0, 20))
def test_no_more_are_admitted_than_may_wait_and_run(
    rules: list[Rule], asked: Claimant, most: int
) -> None:
    throttle, entered = Throttle(rules), 0
    while entered < most and throttle.admits(asked) is None:
        throttle.enter(asked)
        entered += 1
    limits = [
        rule_.limits.max_submitted_jobs
        for rule_ in rules
        if rule_.each != "job" and applies(rule_, rules, asked)
    ]
    assert entered == min([most, *(limit for limit in limits if limit is not None)])
    assert Throttle(rules).admits(asked, entered) is None or entered == 0


# -- cases -----------------------------------------------------------------------------------------

SAID = [
    (
        rule(each="user", max_running_jobs=2),
        "QOSMaxJobsPerUserLimit",
        "user ann in QOS short may run 2 jobs at once; 2 are running",
    ),
    (
        rule(each="user", max_cpus=8),
        "QOSMaxCpuPerUserLimit",
        "user ann in QOS short may hold 8 cpus; 6 are held, and this asks for 3 cpus",
    ),
    (
        rule(max_memory=8 * GIB),
        "QOSGrpMemLimit",
        "QOS short may hold 8G of memory; 4G is held, and this asks for 5G of memory",
    ),
    (
        rule("account", "physics", max_cpus=7),
        "AssocGrpCpuLimit",
        "account physics may hold 7 cpus; 6 are held, and this asks for 3 cpus",
    ),
    (
        rule("account", "physics", "user", max_running_jobs=1),
        "AssocMaxJobsLimit",
        "user ann in account physics may run 1 job at once; 2 are running",
    ),
    (
        rule("user", EVERY, max_gpus=2),
        "AssocGrpGRES",
        "user ann may hold 2 gpus; 2 are held, and this asks for 1 gpu",
    ),
    (
        rule(each="account", max_gpus=2),
        "MaxGRESPerAccount",
        "account optics in QOS short may hold 2 gpus; 2 are held, and this asks for 1 gpu",
    ),
    (
        rule("partition", "main", "job", max_time=3600.0),
        "PartitionTimeLimit",
        "a job in partition main may run for 1h; this asks for 2h",
    ),
    (
        rule(each="job", max_cpus=2),
        "QOSMaxCpuPerJobLimit",
        "a job in QOS short may hold 2 cpus; this asks for 3 cpus",
    ),
    (
        rule("user", "ann", "job", max_memory=GIB),
        "AssocMaxMemPerJob",
        "a job of user ann may hold 1G of memory; this asks for 5G of memory",
    ),
]


@pytest.mark.parametrize(("limit", "code", "sentence"), SAID, ids=[row[1] for row in SAID])
def test_who_is_limited_to_what_and_what_is_in_use(limit: Rule, code: str, sentence: str) -> None:
    throttle = Throttle([limit])
    for _ in range(2):
        throttle.add(claimant(cpus=3, memory=2 * GIB, gpus=1))
    reason = throttle.allows(claimant(cpus=3, memory=5 * GIB, gpus=1, time_limit=7200.0))
    assert reason is not None
    assert (reason.code, reason.sentence) == (code, sentence)


def test_a_job_without_a_time_limit_may_not_run_where_there_is_one() -> None:
    reason = Throttle([rule(each="job", max_time=600.0)]).never(claimant())
    assert reason is not None
    assert reason.code == "QOSMaxWallDurationPerJobLimit"
    assert reason.sentence == "a job in QOS short may run for 10m; this has no time limit"


def test_what_is_more_than_all_together_may_hold_can_never_start() -> None:
    reason = Throttle([rule(max_cpus=4)]).never(claimant(cpus=8))
    assert reason is not None
    assert reason.code == "QOSGrpCpuLimit"
    assert reason.sentence == "QOS short may hold 4 cpus; this asks for 8 cpus"


def test_too_many_are_not_admitted() -> None:
    throttle = Throttle([rule("user", "ann", max_submitted_jobs=10)])
    throttle.enter(claimant(), 9)
    assert throttle.admits(claimant()) is None
    reason = throttle.admits(claimant(), 4)
    assert reason is not None
    assert reason.code == "AssocMaxSubmitJobLimit"
    assert reason.sentence == (
        "user ann may have 10 jobs waiting or running and has 9; this would add 4"
    )


def test_what_is_running_counts_for_those_it_belongs_to_alone() -> None:
    throttle = Throttle([rule("user", EVERY, max_running_jobs=1), rule(each="user", max_cpus=4)])
    throttle.add(claimant("ann", cpus=4))
    assert throttle.allows(claimant("bob", cpus=4)) is None
    assert throttle.used(("qos", "user", "short", "ann")) == {"cpus": 4, "running": 1}
    assert throttle.used(("user", "", "bob", "")) == {}


def test_a_rule_with_a_name_takes_the_place_of_that_for_all() -> None:
    throttle = Throttle(
        [rule("user", EVERY, max_running_jobs=0), rule("user", "ann", max_running_jobs=1)]
    )
    assert throttle.allows(claimant("ann")) is None
    assert throttle.allows(claimant("bob")) is not None


def test_who_does_not_ask_for_it_is_not_kept_by_a_limit_that_is_passed() -> None:
    throttle = Throttle([rule(max_gpus=1)])
    throttle.add(claimant(gpus=2))  # as after the limit was lowered
    assert throttle.allows(claimant(gpus=0)) is None
    assert throttle.allows(claimant(gpus=1)) is not None


def test_taking_away_what_is_not_there_is_an_error_and_changes_nothing() -> None:
    throttle = Throttle([rule("user", EVERY, max_cpus=4), rule(max_cpus=9)])
    throttle.add(claimant("bob", cpus=2))
    with pytest.raises(KeyError):
        throttle.remove(claimant("ann", cpus=2))
    assert throttle.used(("qos", "", "short", "")) == {"cpus": 2, "running": 1}
    with pytest.raises(KeyError):
        throttle.leave(claimant("bob"))


def test_every_code_is_explained_and_every_explanation_has_a_code() -> None:
    assert set(LIMIT_REASONS) == {code for words in CODES.values() for code in words.values()}


@pytest.mark.parametrize("number", [nan, inf, -1])
@pytest.mark.parametrize("name", ["max_cpus", "max_memory", "max_time", "max_running_jobs"])
def test_a_limit_that_is_no_number_is_refused(name: str, number: Any) -> None:
    with pytest.raises(Wrong, match=name):
        Limits(**{name: number})


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({"kind": "group", "max_cpus": 1}, "limits of group"),
        ({"kind": "user", "each": "account", "max_cpus": 1}, "for each 'account'"),
        ({"each": "job", "max_running_jobs": 1}, "a number of jobs for each job"),
        ({"each": "user", "max_time": 60.0}, "a time is a limit of each job"),
        ({"name": "a\tb"}, "cannot be printed"),
    ],
)
def test_a_rule_that_limits_nothing_is_refused(made: dict[str, Any], message: str) -> None:
    with pytest.raises(Wrong) as caught:
        rule(**made)
    assert message in str(caught.value)


def test_the_same_rule_twice_is_refused() -> None:
    with pytest.raises(Wrong, match="limits of qos short are given twice"):
        Throttle([rule(max_cpus=1), rule(max_cpus=2)])
