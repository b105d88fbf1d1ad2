"""Tokens over REST: for admins."""

from __future__ import annotations

import time

import httpx

from hpcshell.web.security.callers import SCOPES
from tests.support.web_fixtures import NewToken

ADDRESS = "/api/v1/tokens"


def test_a_new_token_opens_what_its_role_may_open(api: httpx.Client) -> None:
    made = api.post(ADDRESS, json={"name": "ci", "user": "ann", "role": "viewer"})
    assert made.status_code == 201
    token = made.json()["token"]
    known = {"Authorization": f"Bearer {token}"}
    assert api.get("/api/v1/nothing", headers=known).status_code == 404
    assert api.get(ADDRESS, headers=known).status_code == 403


def test_the_list_tells_no_token(api: httpx.Client) -> None:
    token = api.post(ADDRESS, json={"name": "ci", "user": "ann"}).json()["token"]
    answer = api.get(ADDRESS)
    assert token not in answer.text
    assert [row["name"] for row in answer.json()["rows"]] == ["test", "ci"]


def test_what_can_never_be_is_wrong(api: httpx.Client) -> None:
    good: dict[str, object] = {"name": "ci", "user": "ann"}
    wrong: list[object] = [
        good | {"role": "emperor"},
        good | {"role": "viewer", "scopes": ["admin"]},
        good | {"expires_at": time.time() - 1},
        good | {"expires_at": "tomorrow"},
        good | {"name": ""},
        good | {"name": "a\x00b"},
        good | {"nickname": "x"},
        {"name": "ci"},
        [],
    ]
    for bad in wrong:
        answer = api.post(ADDRESS, json=bad)
        assert answer.status_code == 400, bad
        assert answer.json()["hint"]


def test_fewer_rights_than_the_role_has(api: httpx.Client, new_token: NewToken) -> None:
    narrow = {"Authorization": f"Bearer {new_token('admin', scopes=['read'])}"}
    assert api.get(ADDRESS, headers=narrow).status_code == 403
    wide = {"Authorization": f"Bearer {new_token('admin', scopes=sorted(SCOPES))}"}
    assert api.get(ADDRESS, headers=wide).status_code == 200


def test_revoking_is_at_once_and_may_be_said_again(api: httpx.Client) -> None:
    made = api.post(ADDRESS, json={"name": "ci", "user": "ann", "role": "viewer"}).json()
    known = {"Authorization": f"Bearer {made['token']}"}
    assert api.get("/api/v1/nothing", headers=known).status_code == 404
    for _ in range(2):
        answer = api.delete(f"{ADDRESS}/{made['about']['id']}")
        assert answer.status_code == 200
        assert answer.json()["revoked_at"] is not None
    assert api.get("/api/v1/nothing", headers=known).status_code == 401


def test_numbers_of_tokens_that_are_none(api: httpx.Client) -> None:
    for number in ("999", "0", "-1", str(2**63), str(10**30)):
        assert api.delete(f"{ADDRESS}/{number}").status_code == 404, number
    for word in ("1.5", "x", "1e3", "%00"):
        assert api.delete(f"{ADDRESS}/{word}").status_code == 404, word
