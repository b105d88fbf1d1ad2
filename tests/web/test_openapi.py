"""The OpenAPI document: one, valid, and complete."""

from __future__ import annotations

from typing import Any

import httpx
import jsonschema
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31

from hpcshell.web.security.callers import SCOPES

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


def test_it_is_what_the_specification_says_such_a_document_is(document: dict[str, Any]) -> None:
    assert list(jsonschema.Draft202012Validator(OPENAPI_31).iter_errors(document)) == []


def test_each_operation_says_which_right_it_needs_or_that_it_needs_none(
    document: dict[str, Any],
) -> None:
    for where, operation in operations(document).items():
        assert (operation.get("x-right") in SCOPES) or operation.get("security") == [], where


def test_each_refusal_is_a_problem(document: dict[str, Any]) -> None:
    shared = document["components"]["responses"]
    for where, operation in operations(document).items():
        for status, answer in operation["responses"].items():
            if status[0] in "45d":
                named = answer["$ref"].rpartition("/")[2]
                assert list(shared[named]["content"]) == ["application/problem+json"], where


def test_bodies_say_what_they_may_hold(document: dict[str, Any]) -> None:
    """Fields that are not known are refused, and names that are kept can be printed."""
    schemas = document["components"]["schemas"]
    for where, operation in operations(document).items():
        for kind, content in operation.get("requestBody", {"content": {}})["content"].items():
            if kind != "application/json":
                continue
            for schema in alternatives(content["schema"], schemas):
                if schema.get("type") == "object":
                    assert schema.get("additionalProperties") is False or named(schema), where


def test_a_job_is_either_a_command_or_a_script(document: dict[str, Any]) -> None:
    job = jsonschema.Draft202012Validator(document["components"]["schemas"]["NewJob"])
    for good in ({"command": ["a"]}, {"command": "a"}, {"script": "a", "args": ["b"]}):
        assert job.is_valid(good)
    for bad in ({}, {"command": "a", "script": "a"}, {"command": None}, {"script": "a", "x": 1}):
        assert not job.is_valid(bad)


def alternatives(schema: dict[str, Any], schemas: dict[str, Any]) -> list[dict[str, Any]]:
    if "$ref" in schema:
        return [schemas[schema["$ref"].rpartition("/")[2]]]
    parts = [*schema.get("oneOf", ()), *schema.get("anyOf", ()), schema.get("items")]
    found = [each for part in parts if part for each in alternatives(part, schemas)]
    return found or [schema]


def named(schema: dict[str, Any]) -> bool:
    return "propertyNames" in schema


def test_a_body_that_may_be_left_out_is_not_required(document: dict[str, Any]) -> None:
    found = operations(document)
    assert found["post /api/v1/whatif"]["requestBody"]["required"] is False
    assert found["post /api/v1/experiments"]["requestBody"]["required"] is True


def test_what_is_answered_other_than_json_says_so(document: dict[str, Any]) -> None:
    answer = operations(document)["get /api/v1/experiments/{id}/export"]["responses"]["200"]
    lines = {"text/csv", "application/x-ndjson"}
    assert set(answer["content"]) == {*lines, "application/json", "application/vnd.apache.parquet"}


def test_each_json_body_has_an_example_that_its_schema_allows(document: dict[str, Any]) -> None:
    found = 0
    for where, operation in operations(document).items():
        content = operation.get("requestBody", {}).get("content", {})
        if (schema := content.get("application/json", {}).get("schema")) is None:
            continue
        examples = [e for part in parts(document, schema) for e in part.get("examples", ())]
        assert examples, where
        checker = jsonschema.Draft202012Validator(schema | {"components": document["components"]})
        for example in examples:
            checker.validate(example)
            found += 1
    assert found > 20


def parts(document: dict[str, Any], schema: dict[str, Any]) -> list[dict[str, Any]]:
    """What a body may be, but for lists of it."""
    if "oneOf" in schema:
        return [part for each in schema["oneOf"] for part in parts(document, each)]
    if "$ref" in schema:
        return [document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]]
    return [schema]


def test_fields_say_what_they_mean(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert (
        schemas["NewJob"]["properties"]["args"]["description"] == "What the script is called with."
    )
    assert schemas["Logged"]["properties"]["time"]["description"].startswith("Unix seconds")
