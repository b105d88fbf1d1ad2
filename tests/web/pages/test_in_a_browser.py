"""The pages in a real browser, which says of its requests what browsers say."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator

import pytest

from tests.support.browsers import Browser, Page, chromium
from tests.support.web import Server
from tests.support.web_fixtures import NewToken

FORM = """<!DOCTYPE html><form method="post" action="%s/logout"><button>Win</button></form>"""


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@contextlib.contextmanager
def somebody_else(page: str) -> Iterator[str]:
    """The address of another server with this page."""

    class Answering(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        yield f"http://localhost:{other.server_port}/"
        other.shutdown()


def log_in(page: Page, token: str) -> None:
    page.type("input[name=token]", token)
    page.click("button.main")


def test_one_logs_in_and_out(browser: Browser, server: Server, new_token: NewToken) -> None:
    page = browser.page(f"{server.url}/login")
    log_in(page, "no token of anybody's")
    assert (page.path, page.status) == ("/login", 401)
    assert "That token is not known" in page.text
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


def test_each_of_two_tabs_logs_in(browser: Browser, server: Server, new_token: NewToken) -> None:
    tabs = [browser.page(f"{server.url}/login") for _ in range(2)]
    for tab, user in zip(tabs, ("ann", "bob"), strict=True):
        log_in(tab, new_token("viewer", user=user))
        assert (tab.path, tab.status) == ("/docs", 200)
        assert user in tab.text


def test_a_page_of_somebody_else_changes_nothing_and_one_reads_why(
    browser: Browser, server: Server, new_token: NewToken
) -> None:
    page = browser.page(f"{server.url}/login")
    log_in(page, new_token("viewer", user="ann"))
    with somebody_else(FORM % server.url) as other:
        page.open(other)
        page.click("button")
    assert (page.path, page.status, page.kind) == ("/logout", 403, "text/html")
    assert "A page of another origin sent this request" in page.text
    page.open(server.url)
    assert page.path == "/docs"
    assert "ann" in page.text


def test_an_old_page_is_refused_in_words(
    browser: Browser, server: Server, new_token: NewToken
) -> None:
    old, new = (browser.page(f"{server.url}/login") for _ in range(2))
    log_in(old, new_token("viewer", user="ann"))
    log_in(new, new_token("viewer", user="bob"))
    old.click(".who button")
    assert (old.status, old.kind) == (403, "text/html")
    assert "Load the page again" in old.text
    assert "bob" in old.text
    new.click(".who button")
    old.click(".who button")
    assert (old.status, old.kind) == (401, "text/html")
    assert "Log in" in old.text


def test_who_knows_only_the_address_is_led_to_the_form(browser: Browser, server: Server) -> None:
    page = browser.page(server.url)
    assert (page.path, page.status) == ("/login", 200)
