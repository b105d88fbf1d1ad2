"""The pages in a real browser, which says of its requests what browsers say."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest

from tests.support.browsers import Browser, Page, chromium
from tests.support.web import Server
from tests.support.web_fixtures import NewToken

FORM = b"""<!DOCTYPE html><form method="post" action="%s/logout"><button>Win</button></form>"""


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def log_in(page: Page, token: str) -> None:
    page.type("input[name=token]", token)
    page.click("button.main")


def test_one_logs_in_and_out(browser: Browser, server: Server, new_token: NewToken) -> None:
    page = browser.page(f"{server.url}/login")
    log_in(page, "no token of anybody's")
    assert (page.path, page.status) == ("/login", 401)
    assert "that token is not known" in page.text
    log_in(page, new_token("viewer", user="ann"))
    assert (page.path, page.status) == ("/docs", 200)
    assert "ann" in page.text
    page.open(f"{server.url}/api/v1/runs")
    assert page.status == 200
    page.open(f"{server.url}/docs")
    page.click(".who button")
    assert (page.path, page.status) == ("/login", 200)
    page.open(f"{server.url}/api/v1/runs")
    assert page.status == 401
