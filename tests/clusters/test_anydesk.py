"""All clusters behind one desk: lists are those of all, a job is found wherever it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hpcshell.clusters.anydesk import AnyDesk
from hpcshell.core.errors import NotFound, Refused, Unreachable, Wrong
from tests.clusters.realm import Realm
from tests.support.clusters.toy import spec


@pytest.fixture
def realm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Realm]:
    made = Realm(tmp_path, monkeypatch)
    yield made
    made.close()


def labels(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(row["cluster"], row["label"]) for row in answer["rows"]]


def ask(realm: Realm, verb: str, *ids: str, **args: Any) -> Any:
    return realm.any().call(verb, ids=list(ids), **args)


def shown(realm: Realm, word: str) -> list[tuple[str, str]]:
    """Cluster and label of what a word names."""
    return [(job["cluster"], job["label"]) for job in ask(realm, "show", word)["jobs"]]


def moved(realm: Realm, name: str = "job", **fields: Any) -> None:
    """A job that was moved from a to b."""
    realm.at("a", name, **fields)
    realm.passes(30.0)
    realm.places["a"].starts, realm.places["b"].starts = 90_000.0, 0.0
    assert realm.rebalance(name) == ["moved to b"]
    realm.places["a"].starts = realm.places["b"].starts = None
    realm.passes(30.0)


# ------------------------------------------------------------------------------------------ lists


def test_the_queue_is_that_of_all(realm: Realm) -> None:
    realm.at("a", "one")
    realm.at("b", "two")
    answer = realm.any().call("queue", limit=0)
    assert labels(answer) == [("a", "1"), ("b", "1")]
    assert (answer["total"], answer["counts"]) == (2, {"PENDING": 2})
    assert "trouble" not in answer
    assert labels(realm.any().call("queue", limit=1, offset=1)) == [("b", "1")]


def test_who_is_silent_is_said_and_the_others_are_listed(realm: Realm) -> None:
    realm.at("a", "one")
    realm.at("b", "two")
    realm.passes(30.0)
    realm.places["a"].away = True
    answer = realm.any().call("queue", limit=0)
    assert ("b", "1") in labels(answer)
    assert answer["trouble"]["cluster"] == "a"
    realm.places["b"].away = True
    assert realm.any().call("queue", limit=0)["trouble"]["cluster"] == "a, b"


def test_the_history_is_that_of_all_the_latest_first(realm: Realm) -> None:
    for name, cluster in (("one", "a"), ("two", "b"), ("three", "a")):
        realm.at(cluster, name)
        realm.places[cluster].runs()
        realm.passes(60.0)
    rows = realm.any().call("history", limit=2)["rows"]
    assert [row["name"] for row in rows] == ["three", "two"]


def test_if_none_can_be_asked_that_is_an_error(realm: Realm, monkeypatch) -> None:
    def fails(**filters: Any) -> Any:
        raise Unreachable("no way")

    for desk in realm.any().desks.values():
        monkeypatch.setattr(desk, "look", fails)
    with pytest.raises(Unreachable, match="a: no way"):
        realm.any().call("queue", limit=0)


def test_one_of_which_nothing_is_known_yet_is_said_too(realm: Realm) -> None:
    desk = AnyDesk(realm.any().desks, realm.passes, {"c": Unreachable("c: no scheduler")})
    answer = desk.call("queue", limit=0)
    assert answer["trouble"] == {"cluster": "c", "message": "c: no scheduler", "since": None}
    (job,) = desk.call("submit", submissions=[realm.choice("job")])["jobs"]
    assert job["notes"][0].endswith("; c cannot be asked: c: no scheduler")


# -------------------------------------------------------------------------------------- which job


def test_an_id_that_one_knows_is_that(realm: Realm) -> None:
    realm.at("a", "one")
    realm.at("a", "two")
    realm.at("b", "three")
    assert shown(realm, "2") == [("a", "2")]


def test_an_id_that_several_know_is_asked_back(realm: Realm) -> None:
    realm.at("a", "one")
    realm.at("b", "two")
    with pytest.raises(Wrong, match="on a and on b") as caught:
        ask(realm, "show", "1")
    assert caught.value.hint == "write a:1"
    assert shown(realm, "b:1") == [("b", "1")]


def test_an_id_that_nobody_knows_is_not_found(realm: Realm) -> None:
    with pytest.raises(NotFound, match="no cluster has a job '7'"):
        ask(realm, "show", "7")


def test_a_name_means_all_live_jobs_of_it_wherever_they_are(realm: Realm) -> None:
    realm.at("a", "job")
    realm.at("b", "job")
    assert shown(realm, "job") == [("a", "1"), ("b", "1")]
    realm.passes(30.0)
    realm.places["a"].runs()
    assert shown(realm, "job") == [("b", "1")]


def test_a_name_of_which_nothing_is_alive_means_the_latest(realm: Realm) -> None:
    for cluster in "ba":
        realm.at(cluster, "job")
        realm.places[cluster].runs()
        realm.passes(60.0)
    assert shown(realm, "job") == [("a", "1")]


def test_the_last_is_the_latest_of_all(realm: Realm) -> None:
    realm.at("a", "one")
    realm.at("b", "two", array="0-3")
    assert shown(realm, "@") == [("b", "1")]
    assert shown(realm, "@~1") == [("a", "1")]
    assert shown(realm, "@[2]") == [("b", "1_2")]
    with pytest.raises(NotFound):
        ask(realm, "show", "@~2")


# ------------------------------------------------------------------------------- after it was moved


@pytest.mark.parametrize("word", ["1", "a:1", "w1", "job", "@"])
def test_a_moved_job_is_followed(realm: Realm, word: str) -> None:
    moved(realm)
    assert shown(realm, word) == [("b", "1")]


def test_a_number_that_one_had_and_another_has_is_asked_back(realm: Realm) -> None:
    realm.at("b", "other")
    moved(realm)
    with pytest.raises(Wrong, match="on a and on b"):
        ask(realm, "show", "1")
    assert shown(realm, "a:1") == [("b", "2")]


def test_elements_of_a_moved_array_are_followed(realm: Realm) -> None:
    moved(realm, array="0-3")
    for word in ("a:1_2", "a:1[2]", "@[2]"):
        assert shown(realm, word) == [("b", "1_2")]


def test_the_last_is_still_the_last_when_another_was_moved(realm: Realm) -> None:
    realm.at("a", "job")
    realm.passes(30.0)
    realm.at("b", "later")
    realm.places["a"].starts, realm.places["b"].starts = 90_000.0, 0.0
    realm.rebalance("job")
    assert [job["name"] for job in ask(realm, "show", "@")["jobs"]] == ["later"]


def test_a_moved_job_is_cancelled_where_it_is(realm: Realm) -> None:
    moved(realm)
    realm.unwanted.add("job")
    assert ask(realm, "cancel", "a:1")["jobs"] == [
        {"id": 1, "element": None, "was": "PENDING", "now": "CANCELLED"}
    ]
    assert realm.where("job") == ""


def test_a_wait_goes_along_with_a_move(realm: Realm) -> None:
    realm.at("a", "job")
    realm.passes(30.0)
    realm.places["a"].starts, realm.places["b"].starts = 90_000.0, 0.0
    later = [lambda: realm.rebalance("job", who=1), realm.places["b"].runs]

    def passes(seconds: float) -> None:
        realm.passes(seconds)
        if later:
            later.pop(0)()

    realm.any().pause = passes
    answer = ask(realm, "wait", "job", timeout=600.0)
    assert [end["state"] for end in answer["done"]] == ["COMPLETED"]
    assert (answer["pending"], answer["timed_out"]) == ([], False)


# ------------------------------------------------------------------------------------------- wait


def test_a_wait_for_any_ends_with_the_first(realm: Realm) -> None:
    realm.at("a", "one")
    realm.at("b", "two")
    realm.passes(30.0)
    realm.places["b"].runs()
    answer = ask(realm, "wait", "one", "two", any=True)
    assert (len(answer["done"]), len(answer["pending"])) == (1, 1)


def test_a_wait_gives_up_in_time(realm: Realm) -> None:
    realm.at("a", "one")
    before = realm.now
    assert ask(realm, "wait", "one", timeout=100.0)["timed_out"]
    assert realm.now - before == pytest.approx(100.0, abs=1.0)


# -------------------------------------------------------------------------------------- other verbs


def test_verbs_without_ids_are_asked_back(realm: Realm) -> None:
    with pytest.raises(Wrong, match="which jobs"):
        realm.any().call("cancel", all=True)


def test_one_command_is_for_jobs_of_several(realm: Realm) -> None:
    realm.at("a", "one")
    realm.at("b", "two")
    answer = ask(realm, "hold", "one", "two")
    assert len(answer["jobs"]) == 2
    assert all(row["held"] for row in realm.rows())


def test_a_dry_run_changes_nothing(realm: Realm) -> None:
    realm.at("a", "one")
    assert ask(realm, "cancel", "one", dry_run=True)["jobs"][0]["now"] is None
    assert realm.where("one") == "a"


def test_files_are_read_where_they_are(realm: Realm) -> None:
    realm.places["b"].files["/home/me/out"] = b"hello"
    desk = realm.any()
    assert desk.call("size", cluster="b", path="/home/me/out") == {"size": 5}
    assert desk.call("size", cluster="a", path="/home/me/out") == {"size": None}
    assert desk.call("read", cluster="b", path="/home/me/out", offset=1, most=3) == {
        "bytes": b"ell"
    }


def test_outputs_say_on_which_cluster(realm: Realm) -> None:
    moved(realm)
    (row,) = ask(realm, "outputs", "a:1")["outputs"]
    assert (row["cluster"], row["stdout"]) == ("b", "/home/me/hpc-1.out")


def test_a_strangers_job_cannot_be_moved(realm: Realm) -> None:
    realm.places["a"].do_submit("", "", "foreign")
    with pytest.raises(Refused, match="was not submitted here"):
        realm.rebalance("foreign")


def test_another_clusters_job_is_named_with_its_cluster(realm: Realm) -> None:
    realm.any().desks["a"].call("submit", submissions=[spec("true", name="one")])
    realm.any().desks["b"].call("submit", submissions=[spec("true", name="two")])
    assert [job["name"] for job in ask(realm, "show", "a:1", "b:1")["jobs"]] == ["one", "two"]
