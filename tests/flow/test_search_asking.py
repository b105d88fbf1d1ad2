"""What a search asks next follows from its log and its seed."""

from __future__ import annotations

import math
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcshell.core.errors import Refused, Wrong
from hpcshell.flow.identity import canonical
from hpcshell.flow.search.checks import check
from hpcshell.flow.search.searcher import searcher
from hpcshell.flow.search.space import holds
from hpcshell.flow.search.trials import Trial, read_log, written
from hpcshell.flow.spec import Dist, EarlyStop, Params
from tests.flow.searches import METHODS, SPACE, a_search, choice, opened, uniform, whole

FATES = st.sampled_from(["complete", "failed", "pruned", "running", "nan", "inf"])
EVERY_METHOD = pytest.mark.parametrize("method", METHODS)


def loss(params: Params) -> float:
    return float(params["momentum"] + params["layers"] + abs(math.log10(params["lr"]) + 3))


def history(method: str, fates: list[str], **more: Any) -> list[Trial]:
    """A log in which the trials met these fates, two at a time."""
    asking = opened(a_search(method, **more))
    for first in range(0, len(fates), 2):
        pair = fates[first : first + 2]
        for trial, fate in zip(asking.ask(len(pair)), pair, strict=True):
            value = loss(trial.params)
            if fate == "pruned":
                asking.tell(trial.number, None, pruned=True, reports=((1, value), (2, math.nan)))
            elif fate != "running":
                values = {"nan": [math.nan], "inf": [math.inf], "failed": None}
                asking.tell(trial.number, values.get(fate, [value]))
    return list(asking.trials.values())


@EVERY_METHOD
@settings(max_examples=15)
@given(fates=st.lists(FATES, max_size=30), seed=st.integers(0, 3))
def test_the_same_log_asks_the_same(method: str, fates: list[str], seed: int) -> None:
    log = history(method, fates, seed=seed)
    search = a_search(method, seed=seed)
    asked = opened(search, log).ask(3)
    assert asked == opened(search, log[::-1]).ask(3)
    one_by_one = opened(search, log)
    assert asked == [trial for _ in range(3) for trial in one_by_one.ask(1)]


@EVERY_METHOD
@settings(max_examples=10)
@given(fates=st.lists(FATES, min_size=2, max_size=30), cut=st.integers(0, 30))
def test_a_search_that_is_cut_off_anywhere_goes_on_as_if_it_had_not_been(
    method: str, fates: list[str], cut: int
) -> None:
    whole_way = opened(a_search(method))
    resumed = opened(a_search(method))
    for number, fate in enumerate(fates):
        if number == cut:
            resumed = opened(a_search(method), list(resumed.trials.values()))
        for asking in (whole_way, resumed):
            (trial,) = asking.ask(1)
            asking.tell(number, [loss(trial.params)] if fate == "complete" else None)
    assert whole_way.trials == resumed.trials


@EVERY_METHOD
def test_a_log_that_was_written_and_read_asks_the_same(method: str) -> None:
    log = history(method, ["complete", "pruned", "failed", "running", "inf"] * 5)
    read = read_log("".join(f"{written(trial)}\n" for trial in log))
    assert opened(a_search(method), read).ask(2) == opened(a_search(method), log).ask(2)


@EVERY_METHOD
@settings(max_examples=10)
@given(fates=st.lists(FATES, max_size=30), seed=st.integers(0, 3))
def test_what_is_asked_lies_in_the_space_and_has_the_constants(
    method: str, fates: list[str], seed: int
) -> None:
    log = history(method, fates, seed=seed)
    constants = {"epochs": 3, "data": {"path": "x"}}
    for trial in opened(a_search(method, seed=seed, constants=constants), log).ask(4):
        own = {name: v for name, v in trial.params.items() if name not in constants}
        assert {name: trial.params[name] for name in constants} == constants
        assert all(holds(SPACE[name], value) for name, value in own.items())
        assert set(SPACE) - set(own) == ({"beta"} if own["opt"] != "adam" else set())
        assert list(own) == [name for name in SPACE if name in own]


ENDS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-5, 5).map(float)
RANGES = st.builds(
    Dist,
    kind=st.sampled_from(["uniform", "loguniform", "quniform", "int"]),
    low=ENDS,
    high=ENDS,
    step=ENDS.map(abs),
    log=st.booleans(),
)
CHOICES = st.lists(st.none() | st.booleans() | st.integers(0, 2) | st.text(max_size=2), min_size=1)
DISTS = RANGES | CHOICES.map(lambda choices: Dist(kind="choice", choices=tuple(choices)))


@EVERY_METHOD
@settings(max_examples=25)
@given(space=st.dictionaries(st.sampled_from("abcd"), DISTS, min_size=1))
def test_whatever_is_not_refused_is_searched(method: str, space: dict[str, Dist]) -> None:
    search = a_search(method, parameters=space)
    try:
        check(search)
    except Wrong:
        return
    asking = opened(search)
    for number in range(12):
        for trial in asking.ask(1):
            assert all(holds(space[name], value) for name, value in trial.params.items())
            asking.tell(trial.number, [float(number * 7 % 5)])


@EVERY_METHOD
def test_what_runs_side_by_side_differs(method: str) -> None:
    log = history(method, ["complete"] * 20)
    asked = opened(a_search(method), log).ask(8)
    assert len({canonical(trial.params) for trial in asked}) == 8
    assert [trial.number for trial in asked] == list(range(20, 28))


@EVERY_METHOD
def test_another_seed_asks_for_something_else(method: str) -> None:
    one, other = (opened(a_search(method, seed=seed)).ask(3) for seed in (1, 2))
    assert [t.params for t in one] != [t.params for t in other]


@EVERY_METHOD
@pytest.mark.parametrize("told", [None, [math.nan], [], [1.0, 2.0]])
def test_a_result_that_is_none_is_a_failure_and_the_search_goes_on(method: str, told: Any) -> None:
    asking = opened(a_search(method))
    for _ in range(20):
        (trial,) = asking.ask(1)
        assert asking.tell(trial.number, told).state == "failed"
    assert len(asking.ask(1)) == 1


@EVERY_METHOD
def test_a_finite_space_is_asked_for_once_each_and_then_no_more(method: str) -> None:
    parameters = {"a": whole(0, 3), "b": whole(0, 4, step=2), "c": choice("x", "y")}
    asking = opened(a_search(method, parameters=parameters, trials=100))
    while asked := asking.ask(3):
        for trial in asked:
            asking.tell(trial.number, [float(trial.params["a"])])
    keys = [canonical(trial.params) for trial in asking.trials.values()]
    assert len(keys) == len(set(keys)) == 4 * 3 * 2


def test_a_point_that_failed_or_was_stopped_is_not_asked_again() -> None:
    asking = opened(a_search("random", parameters={"a": choice(1, 2, 3)}))
    first, second = asking.ask(2)
    asking.tell(first.number, None)
    asking.tell(second.number, None, pruned=True, reports=((1, 0.5),))
    (third,) = asking.ask(3)
    assert {trial.params["a"] for trial in (first, second, third)} == {1, 2, 3}


@EVERY_METHOD
def test_trials_of_another_space_do_not_stop_a_search(method: str) -> None:
    foreign = [
        Trial(number=n, params={"lr": "high", "old": n}, state="complete", values=(1.0,))
        for n in range(30)
    ]
    assert opened(a_search(method), foreign).ask(1)[0].number == 30


@pytest.mark.parametrize("method", ["tpe", "nsga2", "random"])
def test_several_metrics_are_searched_with_results_without_bounds_among_them(method: str) -> None:
    search = a_search(method, metrics=("a", "b"), directions=("minimize", "maximize"))
    asking = opened(search)
    for number in range(40):
        (trial,) = asking.ask(1)
        values = [math.inf, 0.0] if number % 5 == 0 else [loss(trial.params), trial.params["lr"]]
        asking.tell(number, values)
    assert len(asking.ask(2)) == 2


def test_nsga2_goes_on_after_hundreds_of_generations() -> None:
    parameters = {"x": uniform(0, 1), "y": uniform(0, 1)}
    log = [
        Trial(number=n, params={"x": n / 4000, "y": 0.5}, state="complete", values=(n / 4000,))
        for n in range(4000)
    ]
    assert len(opened(a_search("nsga2", parameters=parameters), log).ask(1)) == 1


def test_what_was_stopped_early_is_learned_from() -> None:
    search = a_search(parameters={"x": uniform(0, 1), "y": uniform(0, 1)}, early_stop=EarlyStop())
    stopped = [
        Trial(
            number=n,
            params={"x": n / 40, "y": (7 * n % 40) / 40},
            state="pruned",
            reports=((1, abs(n / 40 - 0.25)),),
        )
        for n in range(40)
    ]
    asked = opened(search, stopped).ask(8)
    assert sum(abs(trial.params["x"] - 0.25) < 0.25 for trial in asked) >= 6


def test_to_cmaes_a_trial_that_was_stopped_is_worse_than_any_that_is_complete() -> None:
    space = {"x": uniform(0, 1), "y": uniform(0, 1)}

    def distance(sign: int) -> float:
        """From where the complete ones are, of what is asked when the others promised more."""
        log = []
        for number in range(120):
            good = number % 2 == 0
            params = {"x": 0.2 if good else 0.8, "y": (number * 0.37) % 1}
            told = {"values": (1.0,)} if good else {"reports": ((1.0, sign * 5.0),)}
            state = "complete" if good else "pruned"
            log.append(Trial(number=number, params=params, state=state, **told))  # type: ignore[arg-type]
        asked = opened(a_search("cmaes", parameters=space, trials=200), log).ask(8)
        return float(sum(abs(trial.params["x"] - 0.2) for trial in asked)) / len(asked)

    assert distance(-1) < 0.2
    assert distance(1) < 0.2


def test_a_search_that_cannot_be_made_is_refused_at_once() -> None:
    with pytest.raises(Wrong):
        opened(a_search(parameters={}))


@pytest.mark.parametrize(("method", "package"), [("tpe", "optuna"), ("cmaes", "cmaes")])
def test_a_package_that_is_not_there_is_named_with_the_way_to_get_it(
    method: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(Refused) as refused:
        searcher(a_search(method), ())
    assert refused.value.message == f"a search needs the package {package}"
    assert refused.value.hint == 'pip install "hpcshell[sweep]"'


def test_optuna_says_nothing_on_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    history("tpe", ["complete", "pruned"] * 8)
    assert capfd.readouterr() == ("", "")
