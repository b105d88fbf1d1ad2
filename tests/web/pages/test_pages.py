"""The pages: the API to try, and to log in and out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import httpx
import pytest
from litestar.testing import TestClient

from hpcshell.track.store.store import Store
from hpcshell.web.app import make_app
from hpcshell.web.context import Context
from tests.support.web_fixtures import NewToken


@pytest.fixture
def browser(context: Context) -> Iterator[httpx.Client]:
    """One that keeps cookies, says where its requests come from, and has not logged in."""
    with TestClient(make_app(context), "http://127.0.0.1") as client:
        client.follow_redirects = False
        client.headers["Origin"] = "http://127.0.0.1"
        yield client


def word(text: str) -> str:
    """What the page's forms have to carry."""
    found = re.search(r'name="csrf" (?:value|content)="([^"]+)"', text)
    assert found, text
    return unescape(found[1])


def log_in(browser: httpx.Client, token: str, next: str = "/docs") -> httpx.Response:
    form = browser.get("/login", params={"next": next})
    fields = {"csrf": word(form.text), "token": token, "next": next}
    return browser.post("/login", data=fields)


def test_pages_run_nothing_that_stands_in_them(browser: httpx.Client) -> None:
    for path in ("/docs", "/login"):
        page = browser.get(path)
        assert page.status_code == 200
        assert "script-src 'self'" in page.headers["content-security-policy"]
        assert "unsafe" not in page.headers["content-security-policy"]
        assert not re.search(r"<script(?! src=)|<style| on\w+=| style=|javascript:", page.text)
        assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page.text)
        for file in re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text):
            script = browser.get(file)
            assert script.status_code == 200
            for other in re.findall(r'from "\./([^"]+)"', script.text):
                assert browser.get(f"/static/{other}").status_code == 200


def test_there_are_no_other_files(browser: httpx.Client) -> None:
    for name in ("nothing.js", "..%2froutes.py", "%2e%2e/routes.py", "..\\routes.py", "%00", ""):
        assert browser.get(f"/static/{name}").status_code in (401, 404), name


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/nothing", {}, 401),
        ("GET", "/static/nothing", {}, 404),
        ("PUT", "/docs", {}, 405),
        ("POST", "/logout", {"Origin": "null"}, 403),
        ("GET", "/docs", {"Host": "<b>other</b>"}, 403),
    ],
)
def test_who_looks_at_a_refusal_gets_a_page_and_a_program_gets_a_problem(
    browser: httpx.Client, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    looks = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", **headers}
    page = browser.request(method, path, headers=looks)
    problem = browser.request(method, path, headers=headers)
    assert (page.status_code, problem.status_code) == (status, status)
    assert problem.headers["content-type"] == "application/problem+json"
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert problem.json()["detail"][1:] in unescape(page.text)
    assert "<b>" not in page.text
    for name in ("www-authenticate", "allow"):
        assert page.headers.get(name) == problem.headers.get(name)


def test_the_api_answers_in_its_own_words_whoever_looks(browser: httpx.Client) -> None:
    for path in ("/api/v1/runs", "/runs", "/metrics", "/api/2.0/mlflow/runs/get"):
        answer = browser.get(path, headers={"Accept": "text/html"})
        assert answer.status_code == 401
        assert answer.json()


def test_the_bare_address_leads_to_a_page(browser: httpx.Client, new_token: NewToken) -> None:
    assert browser.get("/").headers["location"] == "/login"
    log_in(browser, new_token("viewer"))
    assert browser.get("/").headers["location"] == "/docs"


@pytest.mark.parametrize("planted", ["", "x", "<b>" * 15, "a" * 44])
def test_no_cookie_but_ours_proves_a_form(browser: httpx.Client, planted: str) -> None:
    browser.cookies.set("hpc_form_80", planted)
    given = browser.get("/login").headers["set-cookie"]
    assert given.startswith("hpc_form_80=")
    assert f"={planted};" not in given


def test_one_logs_in_with_a_token_and_out_with_a_form(
    browser: httpx.Client, new_token: NewToken
) -> None:
    token = new_token("viewer", user="<b>ann</b>")
    entered = log_in(browser, token)
    assert entered.status_code == 303
    assert entered.headers["location"] == "/docs"
    cookie = entered.headers["set-cookie"]
    assert token not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    page = browser.get("/docs")
    assert "&lt;b&gt;ann&lt;/b&gt;" in page.text
    assert browser.get("/api/v1/nothing").status_code == 404
    assert browser.post("/logout", data={}).status_code == 403
    assert browser.get("/api/v1/nothing").status_code == 404
    left = browser.post("/logout", data={"csrf": word(page.text)})
    assert left.headers["location"] == "/login"
    browser.cookies.update(entered.cookies)
    assert browser.get("/api/v1/nothing").status_code == 401


def test_a_session_changes_nothing_without_the_word_of_its_page(
    browser: httpx.Client, new_token: NewToken
) -> None:
    log_in(browser, new_token("admin"))
    other = {"name": "x", "user": "mallory"}
    for wrong in (None, "", "0" * 64, "é"):
        sent = {} if wrong is None else {b"X-CSRF-Token": wrong.encode()}
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            answer = browser.request(method, "/api/v1/tokens", json=other, headers=sent)
            assert answer.status_code == 403, (method, wrong)
    right = {"X-CSRF-Token": word(browser.get("/docs").text)}
    assert browser.post("/api/v1/tokens", json=other, headers=right).status_code == 201


def test_the_form_to_log_in_has_to_be_one_of_ours(
    browser: httpx.Client, new_token: NewToken
) -> None:
    token = new_token()
    assert browser.post("/login", data={"token": token}).status_code == 403
    form = browser.get("/login").text
    browser.cookies.clear()
    answer = browser.post("/login", data={"token": token, "csrf": word(form)})
    assert answer.status_code == 403
    assert "hpc_session" not in answer.headers["set-cookie"]


def test_wrong_tokens_are_counted_and_right_ones_let_in(
    browser: httpx.Client, new_token: NewToken
) -> None:
    statuses = [log_in(browser, f"wrong {number}").status_code for number in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    assert log_in(browser, "wrong 3").status_code == 401
    assert log_in(browser, new_token()).status_code == 303


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://other.example.org",
        "//other.example.org",
        "/\\other.example.org",
        "javascript:x",
        "",
    ],
)
def test_nobody_is_sent_elsewhere_after_logging_in(
    browser: httpx.Client, new_token: NewToken, elsewhere: str
) -> None:
    assert log_in(browser, new_token(), elsewhere).headers["location"] == "/docs"


def test_a_session_ends_with_the_token_that_began_it(
    browser: httpx.Client, new_token: NewToken
) -> None:
    admin = {"Authorization": f"Bearer {new_token('admin')}"}
    token = new_token("viewer")
    session = log_in(browser, token).cookies
    assert browser.get("/api/v1/nothing").status_code == 404
    browser.delete("/api/v1/tokens/2", headers=admin)
    browser.cookies.update(session)
    assert browser.get("/api/v1/nothing").status_code == 401


def test_a_cookie_is_no_token_and_a_token_no_cookie(
    browser: httpx.Client, new_token: NewToken, store: Store
) -> None:
    token = new_token()
    name, value = next(iter(log_in(browser, token).cookies.items()))
    browser.cookies.clear()
    as_token = {"Authorization": f"Bearer {value}"}
    assert browser.get("/api/v1/nothing", headers=as_token).status_code == 401
    browser.cookies.set(name, token)
    assert browser.get("/api/v1/nothing").status_code == 401
