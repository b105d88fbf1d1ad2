"""Runs over REST: begun as training scripts do, changed by their owners, deleted, restored."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.support.track_fixtures import As


def test_the_body_of_a_training_script_begins_a_run(api: httpx.Client, experiment: str) -> None:
    body = {"slurm_job_id": "4711", "seed": 7, "config": {"lr": 0.1, "opt": {"name": "adam"}}}
    answer = api.post(f"{experiment}/runs", json=body)
    assert answer.status_code == 201
    run = answer.json()
    assert len(run["run_id"]) == 32
    assert (run["status"], run["seed"], run["user"]) == ("RUNNING", 7, "tester")
    assert run["config"] == body["config"]
    assert run["params"] == {"lr": "0.1", "opt.name": "adam"}
    assert (run["job"]["kind"], run["job"]["id"], run["job"]["state"]) == (
        "slurm",
        "4711",
        "UNKNOWN",
    )
    assert api.get(f"/runs/{run['run_id']}").json() == run
    assert [row["run_id"] for row in api.get(f"{experiment}/runs").json()["rows"]] == [
        run["run_id"]
    ]


@pytest.mark.parametrize(
    ("body", "job"),
    [
        ({"slurm_job_id": None}, None),
        ({"slurm_job_id": ""}, None),
        ({"slurm_job_id": 12}, ("slurm", "12", None)),
        ({"slurm_job_id": "12_3"}, ("slurm", "12", 3)),
        ({"pbs_job_id": "12[3].server"}, ("pbs", "12", 3)),
        ({"lsf_job_id": "12[3]"}, ("lsf", "12", 3)),
        ({"sge_job_id": "12.3"}, ("sge", "12", 3)),
        ({"local_job_id": 12}, ("local", "12", None)),
        ({"job": {"kind": "slurm", "id": "12", "element": 3}}, ("slurm", "12", 3)),
        ({"slurm_job_id": 12, "element": 3, "cluster": "big"}, ("slurm", "12", 3)),
    ],
)
def test_a_run_is_linked_to_the_job_however_that_is_named(
    api: httpx.Client, experiment: str, body: Any, job: Any
) -> None:
    run = api.post(f"{experiment}/runs", json=body).json()
    found = run["job"] and tuple(run["job"][name] for name in ("kind", "id", "element"))
    assert found == job


NO_RUNS: list[Any] = [
    *([], "x", {"seeed": 1}, {"seed": "x"}, {"seed": 1.5}, {"seed": True}, {"seed": 2**64}),
    *({"slurm_job_id": True}, {"slurm_job_id": "x y"}, {"slurm_job_id": 1, "pbs_job_id": 2}),
    *({"config": []}, {"config": "x"}, {"run_id": "12"}, {"run_id": "A" * 32}),
    *({"status": "sleeping"}, {"started_at": 1e300}, {"name": "a\nb"}, {"params": {"": 1}}),
    {"job": {"kind": "cray", "id": 1}},
]


def test_what_is_no_run_is_told_so(api: httpx.Client, experiment: str) -> None:
    for body in NO_RUNS:
        answer = api.post(f"{experiment}/runs", json=body)
        assert answer.status_code == 400, answer.text
        assert answer.json()["hint"]
    assert api.get("/runs").json()["rows"] == []


def test_a_configuration_may_hold_what_json_has_no_word_for(
    api: httpx.Client, experiment: str
) -> None:
    body = b'{"config": {"a": NaN, "b": [Infinity, -Infinity], "big": 1e999}, "seed": null}'
    answer = api.post(
        f"{experiment}/runs", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 201, answer.text
    assert answer.json()["config"]["a"] == "NaN"
    assert answer.json()["config"]["b"] == ["Infinity", "-Infinity"]


@pytest.mark.parametrize(
    "body", [b"{", b"NaN", b'{"a": NaN', b"\xff", b'{"name": "\\ud800", "x": NaN}']
)
def test_what_is_no_json_is_told_so(api: httpx.Client, experiment: str, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = api.post(f"{experiment}/runs", content=body, headers=headers)
    assert answer.status_code == 400, answer.text


def test_the_same_run_id_again_is_the_same_run(api: httpx.Client, experiment: str) -> None:
    body = {"run_id": "ab" * 16, "name": "first"}
    first = api.post(f"{experiment}/runs", json=body).json()
    assert api.post(f"{experiment}/runs", json=body).json() == first
    other = api.post("/experiments", json={"name": "other"}).json()["id"]
    assert api.post(f"/experiments/{other}/runs", json=body).status_code == 409


NO_IDS = ["12", "123", "-1", "1.5", "x" * 32, "A" * 32, "0" * 32, str(2**63), "%00", "a" * 31]


def test_an_id_that_no_run_has_is_not_found_or_no_id(api: httpx.Client, run: str) -> None:
    for id in NO_IDS:
        for answer in (
            api.get(f"/runs/{id}"),
            api.patch(f"/runs/{id}", json={"name": "x"}),
            api.delete(f"/runs/{id}"),
            api.post(f"/runs/{id}/metrics", json={"name": "a", "value": 1}),
            api.get(f"/runs/{id}/metrics"),
            api.get(f"/runs/{id}/metrics/loss"),
            api.get(f"/runs/{id}/curves"),
            api.get(f"/runs/{id}/artifacts"),
            api.get(f"/runs/{id}/artifacts/x"),
            api.put(f"/runs/{id}/artifacts/x", content=b"1"),
            api.post(f"/runs/{id}/heartbeat"),
        ):
            assert answer.status_code in (400, 404), (answer.request.url, answer.text)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        *(("COMPLETED", "COMPLETED"), ("finished", "COMPLETED"), ("killed", "CANCELLED")),
        *(("error", "FAILED"), ("OUT_OF_MEMORY", "OUT_OF_MEMORY"), ("Running", "RUNNING")),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_how_a_run_stands_is_said_in_whoevers_words(
    api: httpx.Client, run: str, method: str, said: str, meant: str
) -> None:
    answer = api.request(method, f"{run}/status", json={"status": said, "exit_code": 3})
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["exit_code"]) == (meant, 3)


def test_a_status_that_there_is_not_is_told_with_those_that_there_are(
    api: httpx.Client, run: str
) -> None:
    answer = api.post(f"{run}/status", json={"status": "asleep"})
    assert answer.status_code == 400
    assert "COMPLETED" in answer.json()["hint"]


def test_a_run_that_has_ended_takes_what_comes_late(api: httpx.Client, run: str) -> None:
    api.post(f"{run}/status", json={"status": "FAILED", "reason": "out of luck", "time": 5})
    late = api.post(f"{run}/metrics", json={"name": "loss", "value": 1, "time": 4})
    assert late.status_code == 201
    shown = api.get(run).json()
    assert (shown["status"], shown["reason"], shown["ended_at"]) == ("FAILED", "out of luck", 5)
    assert shown["metrics"]["loss"]["count"] == 1


def test_what_is_given_changes_and_the_rest_stays(api: httpx.Client, run: str) -> None:
    api.patch(run, json={"name": "a", "note": "why", "tags": {"x": "1", "y": "2"}})
    changed = api.patch(
        run, json={"tags": {"x": None, "z": 3}, "params": {"lr": 0.1}, "status": "done"}
    ).json()
    assert (
        changed["name"],
        changed["note"],
        changed["tags"],
        changed["params"],
        changed["status"],
    ) == (
        "a",
        "why",
        {"y": "2", "z": "3"},
        {"lr": "0.1"},
        "COMPLETED",
    )
    refused = api.patch(run, json={"name": "b", "params": {"lr": 0.2}})
    assert refused.status_code == 409
    assert api.get(run).json()["name"] == "a", "all of it changes, or nothing"
    assert api.patch(run, json={"nmae": "typo"}).status_code == 400


@pytest.mark.parametrize("what", ["params", "tags"])
def test_names_may_be_wrapped_in_the_word_for_them(api: httpx.Client, run: str, what: str) -> None:
    assert api.post(f"{run}/{what}", json={what: {"lr": "0.1"}}).status_code == 200
    assert api.get(run).json()[what] == {"lr": "0.1"}


def test_params_tags_note_and_job_have_addresses_of_their_own(api: httpx.Client, run: str) -> None:
    for method in ("PUT", "POST"):
        assert (
            api.request(method, f"{run}/params", json={"a": 1, "b": {"c": True}}).status_code == 200
        )
        assert api.request(method, f"{run}/tags", json={"t": "<b>"}).status_code == 200
        assert api.request(method, f"{run}/note", json={"note": "# why\n\nso"}).status_code == 200
        job = {"kind": "pbs", "id": "7.server"}
        assert api.request(method, f"{run}/job", json=job).status_code == 200
    shown = api.get(run).json()
    assert shown["params"] == {"a": "1", "b.c": "true"}
    assert (shown["tags"], shown["note"]) == ({"t": "<b>"}, "# why\n\nso")
    assert (shown["job"]["kind"], shown["job"]["id"]) == ("pbs", "7")
    assert api.put(f"{run}/params", json={"a": 2}).status_code == 409
    assert api.put(f"{run}/tags", json={"t": None}).json()["tags"] == {}


def test_a_heartbeat_is_a_sign_of_life(api: httpx.Client, run: str) -> None:
    before = api.get(run).json()["heartbeat_at"]
    assert api.post(f"{run}/heartbeat").json()["heartbeat_at"] >= before


def test_a_deleted_run_is_shown_restored_and_meanwhile_not_changed(
    api: httpx.Client, run: str
) -> None:
    gone = api.delete(run)
    assert (gone.status_code, gone.json()["deleted_at"] is None) == (200, False)
    assert api.get(run).json() == gone.json()
    assert api.get("/runs").json()["rows"] == []
    assert len(api.get("/runs?deleted=all").json()["rows"]) == 1
    for answer in (
        api.post(f"{run}/metrics", json={"name": "a", "value": 1}),
        api.patch(run, json={"name": "x"}),
        api.put(f"{run}/artifacts/x", content=b"1"),
        api.post(f"{run}/heartbeat"),
    ):
        assert answer.status_code == 403
        assert "restore" in answer.json()["hint"]
    assert api.post(f"{run}/restore").json()["deleted_at"] is None
    assert api.post(f"{run}/restore").status_code == 200


def test_runs_are_changed_by_their_owners_and_by_operators(
    api: httpx.Client, experiment: str, as_: As
) -> None:
    ann, bob, op, eve = (
        as_("user", "ann"),
        as_("user", "bob"),
        as_("operator", "op"),
        as_("viewer", "ann"),
    )
    begun = api.post(f"{experiment}/runs", json={}, headers=ann)
    assert (begun.status_code, begun.json()["user"]) == (201, "ann")
    run = f"/runs/{begun.json()['run_id']}"

    def changes(headers: dict[str, str]) -> list[int]:
        point = {"name": "loss", "value": 1}
        return [
            answer.status_code
            for answer in (
                api.post(f"{run}/metrics", json=point, headers=headers),
                api.patch(run, json={"name": "x"}, headers=headers),
                api.put(f"{run}/tags", json={"a": "b"}, headers=headers),
                api.post(f"{run}/status", json={"status": "done"}, headers=headers),
                api.post(f"{run}/artifacts", json={"uri": "/data/x"}, headers=headers),
                api.put(f"{run}/artifacts/y", content=b"1", headers=headers),
                api.delete(f"{run}/artifacts/y", headers=headers),
                api.post(f"{run}/heartbeat", headers=headers),
                api.delete(run, headers=headers),
                api.post(f"{run}/restore", headers=headers),
            )
        ]

    assert set(changes(bob)) == {403}
    assert set(changes(eve)) == {403}
    assert api.get(run, headers=bob).json()["name"] == ""
    assert changes(ann) == [201, 200, 200, 200, 201, 201, 200, 200, 200, 200]
    assert changes(op) == [201, 200, 200, 200, 201, 201, 200, 200, 200, 200]


def test_no_list_is_older_than_a_change(api: httpx.Client, experiment: str) -> None:
    for count in range(1, 6):
        api.post(f"{experiment}/runs", json={})
        for path in (f"{experiment}/runs", "/runs"):
            assert len(api.get(path).json()["rows"]) == count
        [row] = [one for one in api.get("/experiments").json()["rows"] if one["runs"]]
        assert row["runs"] == count


@pytest.mark.parametrize("wrong", [{"element": 10**18}, {"element": -1}, {"cluster": "\x84"}])
def test_what_stands_beside_no_job_may_not_be_wrong_either(
    api: httpx.Client, experiment: str, wrong: dict[str, Any]
) -> None:
    assert api.post(f"{experiment}/runs", json=wrong).status_code == 400
    outside = {"slurm_job_id": "", "parent_run_id": "", "run_id": "", "cluster": ""}
    assert api.post(f"{experiment}/runs", json=outside).json()["job"] is None
