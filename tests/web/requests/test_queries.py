"""Parameters that an address does not have, or has once, are refused, and not passed over."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest


def operations(api: httpx.Client) -> list[tuple[str, str, set[str]]]:
    """Method, path and parameters of all below /api/v1, as the document has them."""
    paths: dict[str, Any] = api.get("/openapi.json").json()["paths"]
    return [
        (
            method,
            re.sub(r"{\w+}", "1", path.replace("{run_id}", "0" * 32)),
            {each["name"] for each in told.get("parameters", ()) if each["in"] == "query"},
        )
        for path, methods in paths.items()
        if path.startswith("/api/v1")
        for method, told in methods.items()
    ]


def test_no_address_takes_what_it_does_not_have(api):
    for method, path, _ in operations(api):
        answer = api.request(method, path, params={"nonsense-of-mine": "1"})
        assert answer.status_code == 400, (method, path)
        assert "'nonsense-of-mine'" in answer.json()["detail"]


def test_every_parameter_that_the_document_names_is_known(api):
    for method, path, names in operations(api):
        for name in names:
            answer = api.request(method, path, params={name: "\x00"})
            assert "has no parameter" not in answer.text, (method, path, name)


def test_what_an_address_has_once_may_not_come_twice(api):
    paths = api.get("/openapi.json").json()["paths"]
    many = {
        (method, path, each["name"])
        for path, methods in paths.items()
        for method, told in methods.items()
        for each in told.get("parameters", ())
        if "'type': 'array'" in str(each["schema"])
    }
    assert ("get", "/api/v1/compare", "runs") in many
    for path, methods in paths.items():
        for method, told in methods.items():
            for each in told.get("parameters", ()):
                if each["in"] == "query" and path.startswith("/api/v1"):
                    name, at = each["name"], re.sub(r"{\w+}", "1", path)
                    twice = [(name, "1"), (name, "2"), ("nonsense-of-mine", "3")]
                    answer = api.request(method, at, params=twice)
                    refused = "comes 2 times" in answer.text
                    assert refused != ((method, path, name) in many), (method, path, name)
                    assert not refused or (answer.status_code, answer.json()["hint"]) == (
                        400,
                        "send it once",
                    )


@pytest.mark.parametrize(
    "address",
    [
        f"/api/2.0/mlflow/runs/get?run_id={'0' * 32}&run_id={'1' * 32}",
        "/api/2.0/mlflow-artifacts/artifacts?path=a&path=b",
        "/login?next=/docs&next=//example.org",
    ],
)
def test_nor_may_it_at_addresses_that_others_gave_their_form(api, address):
    answer = api.get(address)
    assert answer.status_code == 400
    assert "comes 2 times" in answer.text


@pytest.mark.parametrize(
    ("address", "hint"),
    [
        ("/api/v1/experiments/1/export?form=csv", "did you mean format?"),
        ("/api/v1/runs?status=FAILED", "there are filter, sort, limit, cursor, deleted"),
        ("/api/v1/tokens?limit=1", "leave it out"),
        ("/api/v1/experiments/1?id=2", "leave it out"),
        ("/api/v1/runs?context=1", "there are filter, sort, limit, cursor, deleted"),
    ],
)
def test_it_is_said_what_there_is(api, address, hint):
    assert api.get(address).json()["hint"] == hint
