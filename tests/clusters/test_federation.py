"""The best of the offers is taken, whatever is known and whoever is silent; it is said why."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.backends.contract import Partition, Site
from hpcshell.clusters import together
from hpcshell.clusters.explaining import FEW, OLDEST, wait_of_history
from hpcshell.clusters.federation import FARTHEST, NO_IDEA, Offer, best
from hpcshell.clusters.fitting import misfit
from hpcshell.core.errors import HpcError, Refused, Unreachable, Wrong
from hpcshell.core.jobspec import Layout
from hpcshell.core.records import Request
from tests.clusters.realm import Realm, brief_realm
from tests.support.clusters.toy import spec

SECONDS = st.one_of(st.none(), st.sampled_from([0.0, 60.0, 3600.0, 7200.0]), st.floats(0, 1e7))
OFFERS = st.lists(
    st.tuples(SECONDS, SECONDS, st.integers(0, 3), st.booleans()), min_size=1, max_size=6
)


@pytest.fixture
def realm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Realm]:
    made = Realm(tmp_path, monkeypatch, "abc")
    yield made
    made.close()


def chosen(realm: Realm, **fields: Any) -> str:
    """Where a job goes that nobody has named a cluster for."""
    (job,) = realm.submit("job", **fields)["jobs"]
    return str(job["cluster"])


def reason(realm: Realm) -> str:
    (job,) = realm.any().call("show", ids=["@"])["jobs"]
    return str(job["chosen"])


# ------------------------------------------------------------------------------------- of offers


def by_hand(made: list[Offer], limit: float) -> str | None:
    """The rule as it is told: who has it done first, then fewer ahead, then the order."""
    able = [each for each in made if not each.cannot]
    known = sorted(each.run for each in able if each.run is not None)
    middle = len(known) // 2
    usual = limit
    if known:
        usual = known[middle] if len(known) % 2 else (known[middle - 1] + known[middle]) / 2
    winner = None
    for each in able:
        wait = each.wait if each.wait is not None else NO_IDEA + NO_IDEA * each.ahead
        done = wait + (each.run if each.run is not None else usual)
        if winner is None or (done, each.ahead) < winner[:2]:
            winner = (done, each.ahead, each.cluster)
    return winner and winner[2]


@given(OFFERS, st.sampled_from([0.0, 600.0]))
def test_the_best_offer_is_taken(told, limit) -> None:
    made = [
        Offer(cluster=f"c{i}", wait=wait, run=run, ahead=ahead, cannot=cannot)
        for i, (wait, run, ahead, cannot) in enumerate(told)
    ]
    found = best(made, limit)
    assert (found.cluster if found else None) == by_hand(made, limit)


@given(st.integers(1, 6), SECONDS, SECONDS)
def test_of_equal_offers_the_first_in_the_configuration_is_taken(many, wait, run) -> None:
    made = [Offer(cluster=f"c{i}", wait=wait, run=run) for i in range(many)]
    assert best(made, 60.0) is made[0]


# ------------------------------------------------------------------------------------- of sites

KINDS = st.sampled_from(["soon", "later", "silent", "refuses", "says nothing"])


@given(st.lists(KINDS, min_size=3, max_size=3))
def test_it_goes_to_one_that_can_run_it_and_is_not_silent(kinds) -> None:
    with brief_realm("abc") as realm:
        for place, kind in zip(realm.places.values(), kinds, strict=True):
            place.starts = {"soon": 60.0, "later": 90_000.0}.get(kind)
            place.away, place.refuses = kind == "silent", kind == "refuses"
        order = ["soon", "says nothing", "later"]
        able = [kind for kind in order if kind in kinds]
        if able:
            assert kinds["abc".index(chosen(realm))] == able[0]
            assert realm.where("job") == "abc"[kinds.index(able[0])]
            return
        alike = {"silent": (Unreachable, 5), "refuses": (Wrong, 2)}
        error, code = alike[kinds[0]] if len(set(kinds)) == 1 else (Refused, 4)
        with pytest.raises(error) as caught:
            realm.submit("job")
        assert caught.value.exit_code == code
        for name, kind in zip("abc", kinds, strict=True):
            told = "no such account" if kind == "refuses" else "it does not answer: it is away"
            assert f"{name} cannot run it: {told}" in caught.value.message
        assert realm.entries() == []


def test_the_reason_is_a_sentence_with_figures(realm: Realm) -> None:
    realm.places["a"].starts, realm.places["b"].starts = 7200.0, 120.0
    realm.places["c"].refuses = True
    assert chosen(realm) == "b"
    assert reason(realm) == (
        "b starts it in 2m 0s (its own estimate); a starts it in 2h 0m (its own estimate);"
        " c cannot run it: no such account"
    )


@pytest.mark.parametrize(
    ("starts", "told"),
    [
        (-500.0, "a starts it at once (its own estimate)"),
        (1e12, "a starts it in 30d 0h (its own estimate)"),
        (float("nan"), "a: nobody can tell when it starts it, and none of yours waits"),
        (float("inf"), "a: nobody can tell when it starts it, and none of yours waits"),
    ],
)
def test_an_estimate_that_nobody_can_mean_is_clipped(realm: Realm, starts, told) -> None:
    realm.places["a"].starts = starts
    realm.places["b"].refuses = realm.places["c"].refuses = True
    chosen(realm)
    assert reason(realm).startswith(told)
    assert FARTHEST == 30 * 86_400


def test_where_nobody_knows_anything_the_order_holds(realm: Realm) -> None:
    assert chosen(realm) == "a"


def test_where_nobody_knows_fewer_waiting_jobs_are_better(realm: Realm) -> None:
    went = []
    for number in range(6):
        (job,) = realm.submit(f"job{number}")["jobs"]
        went.append(job["cluster"])
        realm.passes(30.0)
    assert went == ["a", "b", "c", "a", "b", "c"]


def test_one_that_is_idle_as_far_as_is_known_is_better_than_a_long_wait(realm: Realm) -> None:
    realm.places["a"].starts, realm.places["b"].starts = NO_IDEA + 60, NO_IDEA - 60
    assert chosen(realm) == "b"
    realm.places["b"].refuses = True
    assert chosen(realm) == "c"


def test_whose_circuit_is_open_is_not_asked(realm: Realm) -> None:
    realm.places["a"].away = True
    for _ in range(4):
        chosen(realm)
        realm.passes(0.5)
    realm.places["a"].away = False
    asked = len(realm.places["a"].asked)
    assert chosen(realm) != "a"
    assert len(realm.places["a"].asked) == asked
    assert "a cannot run it: it does not answer" in reason(realm)


def test_one_that_refuses_after_all_is_not_the_end(realm: Realm) -> None:
    realm.places["a"].starts = 0.0
    realm.places["a"].takes = False
    assert chosen(realm) == "b"
    assert "a cannot run it: too much for anybody" in reason(realm)
    assert len(realm.entries()) == 1


def test_what_depends_on_a_job_goes_where_that_is(realm: Realm) -> None:
    realm.at("b", "first")
    realm.places["a"].starts = 0.0
    assert chosen(realm, dependency="afterok:first") == "b"
    assert "a cannot run it: a has no job 'first' that is known here" in reason(realm)


def test_the_same_job_is_not_submitted_to_another_instead(realm: Realm) -> None:
    chosen(realm, unique=True)
    realm.passes(30.0)
    with pytest.raises(Refused, match="the same submission waits or runs already"):
        chosen(realm, unique=True)
    assert len(realm.entries()) == 1


def test_a_dry_run_says_where_and_submits_nothing(realm: Realm) -> None:
    realm.places["b"].starts = 0.0
    answer = realm.any().call("submit", submissions=[realm.choice("job")], dry_run=True)
    (job,) = answer["jobs"]
    assert job["cluster"] == "b"
    assert job["notes"][0].startswith("on b: b starts it at once (its own estimate)")
    assert job["argv"][:2] == ["toy", "submit"]
    assert realm.entries() == []
    assert realm.rows() == []


# ------------------------------------------------------------------------------------- of history


def waited(realm: Realm, name: str, *waits: float, runs: float = 10.0, job: str = "old") -> None:
    """Jobs that waited so long there, and ran so long."""
    place = realm.places[name]
    for wait in waits:
        realm.at(name, job)
        row = place.jobs[-1]
        row["submitted"] = realm.now
        realm.passes(wait)
        place.begin(row)
        realm.passes(runs)
        place.end(row)
        realm.passes(60.0)
        realm.any().desks[name].call("queue", limit=0)


def test_without_estimates_waits_of_the_past_are_reckoned_with(realm: Realm) -> None:
    waited(realm, "a", *[7200.0] * FEW)
    waited(realm, "b", *[600.0] * FEW)
    assert chosen(realm) == "b"
    assert reason(realm).startswith("b starts it in 10m 0s (the median of 5 waits there is 10m 0s)")


def test_a_few_waits_tell_nothing(realm: Realm) -> None:
    waited(realm, "a", *[600.0] * (FEW - 1))
    assert wait_of_history(realm.any().opened("a"), "", 1) is None


def test_waits_of_long_ago_tell_nothing(realm: Realm) -> None:
    waited(realm, "a", *[600.0] * FEW)
    cluster = realm.any().opened("a")
    found = wait_of_history(cluster, "", 1)
    assert found is not None
    assert (found.seconds, found.of) == (600.0, FEW)
    realm.passes(OLDEST)
    assert wait_of_history(cluster, "", 1) is None


def test_who_runs_it_faster_may_start_it_later(realm: Realm) -> None:
    waited(realm, "a", 60.0, runs=9000.0, job="job")
    waited(realm, "b", 60.0, runs=60.0, job="job")
    realm.places["a"].starts, realm.places["b"].starts = 0.0, 1800.0
    realm.places["c"].refuses = True
    assert chosen(realm) == "b"
    assert "b starts it in 30m 0s, where such jobs take 1m 0s" in reason(realm)


# ------------------------------------------------------------------------- of what a site told

GIB = 2**30

GPU = Partition(name="gpu", nodes=2, cpus_per_node=8, gpus_per_node=2, gpu_types=("a100",))
CPU = Partition(
    name="cpu", nodes=4, cpus_per_node=16, memory_per_node=64 * GIB, gpus_per_node=0, max_time=3600
)
BOTH = Site(partitions=(GPU, CPU))


@pytest.mark.parametrize(
    ("layout", "fields", "told"),
    [
        (Layout(gpus=1), {}, ""),
        (Layout(gpus=1, gpu_type="a100"), {}, ""),
        (Layout(), {"partition": "cpu"}, ""),
        (Layout(), {"partition": "big"}, "it has no partition big, but gpu, cpu"),
        (Layout(gpus=1), {"partition": "cpu"}, "partition cpu has no GPUs"),
        (
            Layout(gpus=1, gpu_type="h100"),
            {"partition": "gpu"},
            "partition gpu has GPUs of type a100, not h100",
        ),
        (Layout(nodes=5), {"partition": "cpu"}, "partition cpu has 4 nodes, not 5"),
        (Layout(nodes=5), {}, "partition gpu has 2 nodes, not 5"),
        (Layout(cpus_per_task=16), {}, ""),
        (
            Layout(cpus_per_task=17),
            {"partition": "cpu"},
            "partition cpu has 16 CPUs on a node, not 17",
        ),
        (
            Layout(memory=65 * GIB),
            {"partition": "cpu"},
            "a node of partition cpu has 64G of memory, not 65G",
        ),
        (
            Layout(),
            {"partition": "cpu", "request": Request(time_limit=7200.0)},
            "partition cpu runs jobs for 1h 0m at the most",
        ),
    ],
)
def test_what_no_partition_has_is_said_with_its_figures(layout, fields, told) -> None:
    assert misfit(BOTH, spec("true", layout=layout, **fields)) == told


def test_what_a_site_does_not_tell_is_not_held_against_it() -> None:
    asked = spec("true", layout=Layout(nodes=900, gpus=8, gpu_type="x"), partition="any")
    assert misfit(Site(), asked) == ""
    assert misfit(Site(partitions=(Partition(name="any"),)), asked) == ""


# ------------------------------------------------------------------------------- all at once


def test_who_does_not_answer_in_time_is_not_waited_for() -> None:
    free = threading.Event()
    begun = time.monotonic()
    slow, fast = together.at_once([free.wait, lambda: True], 0.05)
    free.set()
    assert isinstance(slow, Unreachable)
    assert fast is True
    assert time.monotonic() - begun < 5.0


def test_an_error_is_an_answer() -> None:
    def fails() -> None:
        raise Refused("not here")

    (told,) = together.at_once([fails], 5.0)
    assert isinstance(told, HpcError)
