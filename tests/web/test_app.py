"""The server as a whole: it lives, it is ready, and it lets in those it knows."""

from __future__ import annotations

import httpx
import pytest

from tests.support.web import Server


def test_health_is_told_to_anybody(api: httpx.Client) -> None:
    del api.headers["Authorization"]
    assert api.get("/healthz").json()["status"] == "ok"
    ready = api.get("/readyz").json()
    assert ready == {"status": "ok", "store": "sqlite", "daemon": "stopped"}


def test_all_else_needs_a_token(api: httpx.Client) -> None:
    del api.headers["Authorization"]
    answer = api.get("/api/v1/nothing")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"


def test_with_a_token_one_learns_what_is_not_there(api: httpx.Client) -> None:
    answer = api.get("/api/v1/nothing")
    assert answer.status_code == 404
    assert answer.json()["kind"] == "not_found"


def test_what_an_address_takes_is_told(api: httpx.Client) -> None:
    answer = api.options("/api/v1/tokens")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS, POST"
    missing = api.options("/api/v1/nothing")
    assert missing.status_code == missing.json()["status"] == 404


def test_head_is_get_without_its_body(api: httpx.Client) -> None:
    got, head = api.get("/api/v1/tokens"), api.head("/api/v1/tokens")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    assert api.head("/api/v1/tokens/1").status_code == 405


@pytest.mark.parametrize(
    ("body", "detail"),
    [(b"", "the body: there is none"), (b"{}", "the body: the field 'name' is missing")],
)
def test_what_is_wrong_with_a_body_is_said(api: httpx.Client, body: bytes, detail: str) -> None:
    headers = {"content-type": "application/json"}
    answer = api.post("/experiments", content=body, headers=headers)
    assert (answer.status_code, answer.json()["detail"]) == (400, detail)


@pytest.mark.parametrize("path", ["/docs", "/login", "/static/site.css", "/metrics"])
def test_how_a_text_is_written_is_said_once(api: httpx.Client, path: str) -> None:
    assert api.get(path).headers["content-type"].count("charset=utf-8") == 1


def test_a_real_server_answers(server: Server) -> None:
    with server.client() as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/api/v1/nothing").status_code == 404
    assert server.end() == 0
