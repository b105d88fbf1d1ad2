"""Experiments over REST: made, listed, changed by their owners, deleted and brought back."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from hpcshell.track.store.texts import LONGEST_VALUE
from tests.support.web_fixtures import NewToken


def made(api: httpx.Client, name: str = "mnist", **more: Any) -> Any:
    answer = api.post("/experiments", json={"name": name, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_one_is_made_with_its_id_and_shown(api: httpx.Client) -> None:
    one = made(api, description="digits", tags={"team": "a", "n": 3})
    assert isinstance(one["id"], int)
    assert (one["owner"], one["tags"]) == ("tester", {"team": "a", "n": "3"})
    shown = api.get(f"/experiments/{one['id']}")
    assert (shown.status_code, shown.json()) == (200, one)
    assert api.get(f"/api/v1/experiments/{one['id']}").json() == one


def test_a_name_is_taken_until_its_experiment_is_deleted(api: httpx.Client) -> None:
    one = made(api)
    again = api.post("/experiments", json={"name": "mnist"})
    assert (again.status_code, again.json()["type"]) == (409, "urn:hpcshell:exists")
    api.delete(f"/experiments/{one['id']}")
    assert made(api)["id"] != one["id"]
    assert api.post(f"/experiments/{one['id']}/restore").status_code == 409


@pytest.mark.parametrize(
    "body",
    [
        *({}, {"name": ""}, {"name": None}, {"name": 3}, {"name": "a\0b"}, {"name": "x" * 300}),
        *([], None, "text", {"name": "a", "descriptoin": "typo"}, {"name": "a", "tags": 3}),
        {"name": "a", "tags": {"": "x"}},
    ],
)
def test_what_is_no_experiment_is_told_so(api: httpx.Client, body: Any) -> None:
    answer = api.post("/experiments", json=body)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]
    assert answer.json()["hint"]
    assert api.get("/experiments").json()["rows"] == []


@pytest.mark.parametrize("id", ["0", "-1", "1.0", "1e0", "01", "1_0", "+1", "9" * 30, "x", "１"])
def test_an_id_is_its_digits_and_nothing_like_them(api: httpx.Client, id: str) -> None:
    made(api)
    for answer in (
        api.get(f"/experiments/{id}"),
        api.get(f"/experiments/{id}/runs"),
        api.delete(f"/experiments/{id}"),
        api.patch(f"/experiments/{id}", json={"name": "x"}),
        api.post(f"/experiments/{id}/runs", json={}),
    ):
        assert answer.status_code in (400, 404), answer.text
    assert api.get("/experiments/1").json()["name"] == "mnist"
    assert api.get(f"/experiments/{2**63 - 1}").status_code == 404
    assert api.get(f"/experiments/{2**63}").status_code == 404


def test_what_is_given_changes_and_the_rest_stays(api: httpx.Client) -> None:
    one = made(api, description="digits", tags={"a": "1", "b": "2"})
    where = f"/experiments/{one['id']}"
    changed = api.patch(where, json={"name": "cifar", "tags": {"a": None, "c": 3, "gone": None}})
    assert changed.status_code == 200
    assert changed.json() == api.get(where).json()
    assert (changed.json()["name"], changed.json()["description"]) == ("cifar", "digits")
    assert changed.json()["tags"] == {"b": "2", "c": "3"}
    assert api.patch(where, json={"name": "x", "tags": {"\0": "1"}}).status_code == 400
    assert api.get(where).json()["name"] == "cifar", "all of it changes, or nothing"


def test_deleting_takes_the_runs_along_and_restoring_brings_them_back(api: httpx.Client) -> None:
    where = f"/experiments/{made(api)['id']}"
    run = api.post(f"{where}/runs", json={}).json()["run_id"]
    gone = api.delete(where)
    assert gone.status_code == 200
    assert gone.json()["deleted_at"] is not None
    assert api.delete(where).json() == gone.json(), "deleting again does nothing"
    assert api.get("/experiments").json()["rows"] == []
    assert [one["name"] for one in api.get("/experiments?deleted=deleted").json()["rows"]] == [
        "mnist"
    ]
    assert api.get(f"/runs/{run}").json()["deleted_at"] is not None
    assert api.post(f"{where}/runs", json={}).status_code == 403
    back = api.post(f"{where}/restore").json()
    assert (back["deleted_at"], back["runs"]) == (None, 1)
    assert api.get(f"/runs/{run}").json()["deleted_at"] is None


def test_experiments_are_changed_by_their_owners_and_by_operators(
    api: httpx.Client, new_token: NewToken
) -> None:
    one = made(api)
    where = f"/experiments/{one['id']}"

    def as_(role: str, user: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {new_token(role, user=user)}"}

    ann, bob = as_("user", "ann"), as_("user", "bob")
    hers = api.post("/experiments", json={"name": "hers"}, headers=ann).json()
    for headers in (ann, as_("viewer", "ann"), as_("viewer", "tester")):
        assert api.patch(where, json={"name": "x"}, headers=headers).status_code == 403
        assert api.delete(where, headers=headers).status_code == 403
        assert api.get(where, headers=headers).status_code == 200
    at = f"/experiments/{hers['id']}"
    assert api.patch(at, json={"description": "mine"}, headers=ann).status_code == 200
    assert api.patch(at, json={"owner": "bob"}, headers=ann).status_code == 403
    assert api.delete(at, headers=bob).status_code == 403
    operator = as_("operator", "op")
    assert api.patch(at, json={"owner": "bob"}, headers=operator).json()["owner"] == "bob"
    assert api.delete(at, headers=bob).status_code == 200
    assert (
        api.post("/experiments", json={"name": "y"}, headers=as_("viewer", "v")).status_code == 403
    )


def test_a_list_is_read_page_by_page(api: httpx.Client) -> None:
    for number in range(7):
        made(api, f"e{number}")
    names, cursor = [], None
    while True:
        query: dict[str, Any] = {"limit": 3, "sort": "name"} | (
            {"cursor": cursor} if cursor else {}
        )
        page = api.get("/experiments", params=query).json()
        names += [one["name"] for one in page["rows"]]
        assert page["schema"] == 1
        if (cursor := page["next"]) is None:
            break
    assert names == [f"e{number}" for number in range(7)]
    found = api.get("/experiments", params={"filter": "name = 'e3'"}).json()["rows"]
    assert [one["name"] for one in found] == ["e3"]


def test_a_script_that_runs_again_finds_its_experiment(api: httpx.Client) -> None:
    made = api.post("/experiments?existing=true", json={"name": "fit", "description": "first"})
    assert made.status_code == 201
    again = api.post("/experiments?existing=true", json={"name": "fit", "description": "second"})
    assert (again.status_code, again.json()) == (200, made.json())
    refused = api.post("/experiments", json={"name": "fit"})
    assert refused.status_code == 409
    assert f"experiment {made.json()['id']}" in refused.json()["hint"]
    found = api.get("/experiments", params={"filter": "name = 'fit'"}).json()["rows"]
    assert found == [made.json()]


def test_what_is_wrong_is_refused_where_there_is_one_already_too(api: httpx.Client) -> None:
    assert api.post("/experiments", json={"name": "fit"}).status_code == 201
    for wrong in ({"tags": {"\x9b": ""}}, {"description": "x" * (LONGEST_VALUE + 1)}):
        answer = api.post("/experiments?existing=true", json={"name": "fit", **wrong})
        assert answer.status_code == 400
    assert api.post("/experiments?existing=true", json={"name": "fit"}).status_code == 200
