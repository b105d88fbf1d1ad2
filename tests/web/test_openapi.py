"""The OpenAPI document: one, valid, and complete."""

from __future__ import annotations

from typing import Any

import httpx
import jsonschema
import pytest

METHODS = {"get", "put", "post", "delete", "patch"}


@pytest.fixture
def document(api: httpx.Client) -> dict[str, Any]:
    del api.headers["Authorization"]
    answer = api.get("/openapi.json")
    assert answer.status_code == 200
    assert api.get("/api/v1/openapi.json").content == answer.content
    found: dict[str, Any] = answer.json()
    return found


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method} {path}": operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


def test_it_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert document["info"]["title"] == "HPCShell"
    for name, schema in document["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema | {"$id": f"urn:x:{name}"})


def test_each_operation_has_a_name_of_its_own_and_says_what_it_does(
    document: dict[str, Any],
) -> None:
    found = operations(document)
    names = [operation["operationId"] for operation in found.values()]
    assert len(names) == len(set(names))
    for where, operation in found.items():
        assert operation.get("summary"), where
        assert operation.get("tags"), where


def test_each_operation_says_how_it_is_refused(document: dict[str, Any]) -> None:
    for where, operation in operations(document).items():
        answers = operation["responses"]
        assert {"400", "404", "429", "503", "default"} <= answers.keys(), where
        if operation.get("security") != []:
            assert {"401", "403"} <= answers.keys(), where


def test_only_what_needs_no_token_says_so(document: dict[str, Any], api: httpx.Client) -> None:
    assert document["components"]["securitySchemes"].keys() == {"token", "password"}
    for where, operation in operations(document).items():
        method, _, path = where.partition(" ")
        if method != "get" or "{" in path:
            continue
        opened = api.get(path).status_code != 401
        assert opened == (operation.get("security") == []), where


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def walk(part: Any) -> None:
        if isinstance(part, dict):
            if isinstance(target := part.get("$ref"), str):
                at: Any = document
                for step in target.removeprefix("#/").split("/"):
                    at = at[step]
            for each in part.values():
                walk(each)
        elif isinstance(part, list):
            for each in part:
                walk(each)

    walk(document)
