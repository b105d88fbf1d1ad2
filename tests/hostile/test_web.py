"""What other people's pages, and other people, may try against the web server.

The numbers are those of the cases that the server has to stand.
"""

from __future__ import annotations

import base64
import gzip
import json
import socket
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from hpcshell.track.store import tokens
from hpcshell.track.store.store import Store
from tests.support.web import Heard, Server, make_token, serving
from tests.support.web_fixtures import NewToken

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
JSON = "Content-Type: application/json"
NEW = json.dumps({"name": "x", "user": "mallory", "role": "admin"}).encode()


def kind(heard: Heard) -> str:
    return heard.problem if heard.body else ""


# ------------------------------------------------------------------- 33: requests of other pages


def test_33_a_name_that_was_made_to_point_here_is_refused(server: Server) -> None:
    hosts = (
        "rebound.example.org",
        f"rebound.example.org:{server.port}",
        f"127.0.0.1.example.org:{server.port}",
        f"localhost.:{server.port}",
        f"user@127.0.0.1:{server.port}",
        f"127.0.0.1:{server.port}:80",
        f"127.0.0.1:{server.port + 1}",
        "127.0.0.1",
        "169.254.169.254",
        "[::]",
        "0.0.0.0",
    )
    for method, host in product(METHODS, hosts):
        heard = server.ask(method, "/api/v1/tokens", f"Host: {host}", server.known)
        assert heard.status == 403, (method, host)
        assert kind(heard) in ("host-not-allowed", "")


def test_33_who_forgets_the_port_is_told_what_to_write(server: Server) -> None:
    heard = server.ask("GET", "/healthz", "Host: localhost")
    told = json.loads(heard.body)
    assert (heard.status, told["detail"]) == (403, "this server is not called 'localhost'")
    assert f"localhost:{server.port}, 127.0.0.1:{server.port}, [::1]:{server.port};" in told["hint"]
    assert 'web.hosts in the configuration, as in hosts = ["localhost"]' in told["hint"]


def test_33_names_of_this_machine_are_ours(server: Server) -> None:
    for host in ("127.0.0.1", "localhost", "LocalHost", "[::1]"):
        heard = server.ask("GET", "/healthz", f"Host: {host}:{server.port}")
        assert heard.status == 200, host


def test_33_a_request_without_a_name_or_with_two_is_wrong(server: Server) -> None:
    assert server.send(b"GET /healthz HTTP/1.1\r\n\r\n").status == 400
    assert server.send(b"GET /healthz HTTP/1.0\r\n\r\n").status == 400
    assert server.ask("GET", "/healthz", "Host: ").status == 400
    ours = f"Host: 127.0.0.1:{server.port}"
    assert server.ask("GET", "/healthz", ours, "Host: rebound.example.org").status == 400
    assert server.send(b"GET http://rebound.example.org/ HTTP/1.1\r\n\r\n").status == 400


def test_33_a_page_of_another_origin_is_refused(server: Server) -> None:
    port = server.port
    origins = (
        "https://other.example.org",
        "null",
        "",
        f"http://127.0.0.1:{port + 1}",
        f"http://localhost:{port}",  # another origin than 127.0.0.1
        f"https://127.0.0.1:{port}/",
        f"http://user@127.0.0.1:{port}",
        f"ftp://127.0.0.1:{port}",
        "file://",
    )
    for method, origin in product(METHODS, origins):
        heard = server.ask(method, "/api/v1/tokens", f"Origin: {origin}", server.known)
        assert heard.status == 403, (method, origin)
        assert kind(heard) in ("origin-not-allowed", "")


def test_33_what_the_browser_calls_another_site_is_refused(server: Server) -> None:
    for method, site in product(METHODS, ("cross-site", "same-site", "whatever")):
        heard = server.ask(method, "/api/v1/tokens", f"Sec-Fetch-Site: {site}", server.known)
        assert heard.status == 403, (method, site)
        assert kind(heard) in ("origin-not-allowed", "")


def test_33_our_own_pages_and_those_who_follow_a_link_are_let_in(server: Server) -> None:
    own = f"Origin: http://127.0.0.1:{server.port}"
    heard = server.ask("GET", "/api/v1/tokens", own, "Sec-Fetch-Site: same-origin", server.known)
    assert heard.status == 200
    link = ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")
    assert server.ask("GET", "/docs", *link).status == 200
    assert server.ask("GET", "/api/v1/tokens", *link, server.known).status == 403
    assert server.ask("POST", "/docs", *link).status == 403
    assert server.ask("GET", "/docs", *link[:2], "Sec-Fetch-Dest: iframe").status == 403


def test_33_what_any_form_can_send_changes_nothing(server: Server) -> None:
    length = f"Content-Length: {len(NEW)}"
    origin = "Origin: https://other.example.org"
    for form in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        sent = (f"Content-Type: {form}; charset=utf-8", length, server.known)
        assert server.ask("POST", "/api/v1/tokens", *sent, body=NEW).status == 415
        assert server.ask("POST", "/api/v1/tokens", *sent, origin, body=NEW).status == 403
    with server.client() as client:
        assert len(client.get("/api/v1/tokens").json()["rows"]) == 1


def test_33_a_method_within_a_method_is_refused(server: Server) -> None:
    for name in ("X-HTTP-Method-Override", "X-Method-Override", "x-http-METHOD"):
        assert server.ask("POST", "/api/v1/tokens", f"{name}: DELETE", server.known).status == 400
    assert server.ask("GET", "/api/v1/tokens?_method=DELETE", server.known).status == 400


def test_33_there_are_no_websockets(server: Server) -> None:
    upgrade = (
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    )
    other = "Origin: https://other.example.org"
    assert server.ask("GET", "/api/v1/events", *upgrade, other, server.known).status == 403
    own = f"Origin: http://127.0.0.1:{server.port}"
    assert server.ask("GET", "/api/v1/events", *upgrade, own, server.known).status == 400
    assert server.ask("GET", "/api/v1/events", *upgrade, "Host: x.example.org").status == 403


def test_33_no_other_origin_is_ever_allowed_to_read(server: Server) -> None:
    asking = ("Origin: https://other.example.org", "Access-Control-Request-Method: DELETE")
    heard = [server.ask("OPTIONS", "/api/v1/tokens", *asking)]
    heard += [server.ask("GET", path, server.known) for path in ("/docs", "/api/v1/tokens", "/x")]
    for each in heard:
        assert not [name for name in each.headers if name.lower().startswith("access-control")]


def test_33_methods_that_only_attack_use(server: Server) -> None:
    for method in ("TRACE", "PROPFIND", "QUERY"):
        heard = server.ask(method, "/api/v1/tokens", server.known)
        assert heard.status == 405, method
        assert "GET" in heard.headers["allow"]
        assert server.token.encode() not in heard.body
    assert server.send(b"CONNECT example.org:443 HTTP/1.1\r\n\r\n").status == 405
    heard = server.ask("PUT", "/api/v1/tokens", server.known)
    assert (heard.status, heard.headers["allow"]) == (405, "GET, HEAD, OPTIONS, POST")


# ------------------------------------------------------------------------- 35: sessions, tokens


def test_35_no_page_of_others_shows_ours_in_a_frame(server: Server) -> None:
    for path in ("/docs", "/login", "/healthz", "/openapi.json", "/nothing", "/api/v1/tokens"):
        headers = server.ask("GET", path).headers
        assert headers["x-frame-options"] == "DENY", path
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe-inline" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"


def test_35_what_cannot_even_be_read_is_refused_with_the_same_care(server: Server) -> None:
    heard = server.send(b"NONSENSE\r\n\r\n")
    assert heard.status == 400
    assert heard.headers["content-type"] == "application/problem+json"
    assert heard.headers["x-content-type-options"] == "nosniff"


def test_35_guessing_is_slowed_down_and_keeps_nobody_out(server: Server) -> None:
    def guess(number: int) -> Heard:
        return server.ask("GET", "/api/v1/tokens", f"Authorization: Bearer hpc_{number:043}")

    wrong = [guess(number) for number in range(14)]
    assert [each.status for each in wrong] == [401] * 10 + [429] * 4
    assert 1 <= int(wrong[-1].headers["retry-after"]) <= 60
    assert server.ask("GET", "/api/v1/tokens", server.known).status == 200
    assert guess(3).status == 401  # again, which tells nothing new


def test_35_the_same_wrong_token_is_told_each_time_that_it_is_wrong(server: Server) -> None:
    old = f"Authorization: Bearer hpc_{'x' * 43}"
    assert {server.ask("GET", "/api/v1/tokens", old).status for _ in range(100)} == {401}


def test_35_wrong_tokens_count_among_requests_and_keep_out_nobody_who_was_known(
    home: Path, new_token: NewToken
) -> None:
    with serving(token=new_token(), env={"HPC_WEB__RATE": "5"}) as server:
        assert server.ask("GET", "/api/v1/tokens", server.known).status == 200
        for way in (
            "Authorization: Bearer hpc_%043d",
            f"Cookie: hpc_session_{server.port}=hpc_%043d",
        ):
            wrong = [server.ask("GET", "/api/v1/tokens", way % n) for n in range(40)]
            assert wrong[-1].status == 429
            assert b"too many requests" in b"".join(each.body for each in wrong)
        assert server.ask("GET", "/api/v1/tokens", server.known).status == 200


def test_35_words_that_can_be_no_token_are_borne_with_longer(server: Server) -> None:
    wrong = [server.ask("GET", "/api/v1/tokens", f"Authorization: Bearer {n}") for n in range(64)]
    assert [each.status for each in wrong] == [401] * 60 + [429] * 4
    guess = f"Authorization: Bearer hpc_{'x' * 43}"
    assert server.ask("GET", "/api/v1/tokens", guess).status == 401
    assert server.ask("GET", "/api/v1/tokens", server.known).status == 200


def test_35_a_token_in_an_address_is_refused_and_stands_in_no_log(
    home: Path, new_token: NewToken
) -> None:
    token = new_token()
    basic = base64.b64encode(f"ann:{token}".encode()).decode()
    with serving("--port", "0", "--log-requests", token=token) as server:
        for path in (
            f"/api/v1/tokens?token={token}",
            f"/api/v1/tokens?access_token={token}",
            f"/api/v1/tokens?filter={token}",
            f"/api/v1/tokens?filter=hpc%5F{token[4:]}",
            f"/api/v1/tokens?TOKEN={token[:30]}",
            f"/api/v1/{token}/tokens",
        ):
            heard = server.ask("GET", path)
            assert heard.status == 400, path
            assert token.encode() not in heard.body
        assert server.ask("GET", "/api/v1/tokens", f"Authorization: Basic {basic}").status == 200
        server.ask("GET", "/api/v1/tokens", f"Cookie: hpc_session_{server.port}={token}")
        for under in ("%255f", "%25255F", "%25%32%35%35f"):
            server.ask("GET", f"/api/v1/tokens?filter=hpc{under}{token[4:]}")
        assert server.end() == 0
        assert server.process.stderr is not None
        log = server.process.stderr.read()
    assert '"GET /api/v1/tokens' in log
    assert token not in log
    assert token[4:] not in log
    assert basic not in log


def test_35_tokens_that_are_not_quite_one(server: Server, store: Store) -> None:
    good = server.token
    row = store.change(lambda connection: tokens.find(connection, tokens.digest_of(good)))
    assert row is not None
    expired = make_token(store, expires_at=time.time() - 1)
    for text in (
        good[:-1],
        good[:8],
        good + "A",
        good.swapcase(),
        good.upper(),
        good[4:],
        f"{good} {good}",
        "hpc_" + "é" * 43,
        "hpc_" + "٣" * 43,
        "",
        expired,
    ):
        heard = server.send(
            f"GET /api/v1/tokens HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
            f"Authorization: Bearer {text}\r\n\r\n".encode()
        )
        assert heard.status == 401, text


def test_35_a_token_that_is_revoked_over_rest_is_nothing_at_once(
    server: Server, store: Store
) -> None:
    victim = make_token(store, "viewer")
    known = f"Authorization: Bearer {victim}"
    assert server.ask("GET", "/api/v1/nothing", known).status == 404
    row = store.change(lambda connection: tokens.find(connection, tokens.digest_of(victim)))
    assert row is not None
    assert server.ask("DELETE", f"/api/v1/tokens/{row.id}", server.known).status == 200
    assert server.ask("GET", "/api/v1/nothing", known).status == 401


# -------------------------------------------------------------------------------- 37: too much


@pytest.fixture
def narrow(home: Path, new_token: NewToken) -> Iterator[Server]:
    """A server that takes little, and waits for a short time only."""
    limits = {"HPC_WEB__BODY_LIMIT": "1M", "HPC_WEB__REQUEST_TIMEOUT": "1s"}
    with serving(token=new_token(), env=limits) as running:
        yield running


def test_37_a_body_that_says_that_it_is_too_large_is_not_read(narrow: Server) -> None:
    length = f"Content-Length: {10 << 30}"
    heard = narrow.ask("POST", "/api/v1/tokens", JSON, length, narrow.known, body=b"{")
    assert heard.status == 413
    assert heard.problem == "too-large"
    assert heard.headers["connection"] == "close"


def test_37_of_who_is_not_known_no_more_than_a_form_is_taken_in(server: Server) -> None:
    length = f"Content-Length: {1 << 20}"
    for method, path in (("POST", "/login"), ("GET", "/healthz"), ("GET", "/docs")):
        heard = server.ask(method, path, length, body=b"x" * 1000)
        assert (heard.status, heard.problem) == (413, "too-large"), path
    chunks = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    heard = server.ask("POST", "/login", "Transfer-Encoding: chunked", body=chunks * 20)
    assert heard.status == 413
    chunked = ("Transfer-Encoding: chunked", "Content-Type: application/json", server.known)
    body = chunks * 20 + b"2\r\n{}\r\n0\r\n\r\n"
    assert server.ask("POST", "/api/v1/tokens", *chunked, body=body).status == 400


def test_37_a_body_that_does_not_say_how_large_it_is(narrow: Server) -> None:
    chunks = b"".join(b"10000\r\n" + b" " * 0x10000 + b"\r\n" for _ in range(40))
    chunked = "Transfer-Encoding: chunked"
    heard = narrow.ask("POST", "/api/v1/tokens", JSON, chunked, narrow.known, body=chunks)
    assert heard.status == 413
    length = "Content-Length: 5"
    both = narrow.ask("POST", "/api/v1/tokens", JSON, chunked, length, narrow.known, body=b"{}")
    assert both.status == 400


def test_37_a_bomb_of_gzip_is_not_unpacked(narrow: Server) -> None:
    bomb = gzip.compress(bytes(200 << 20), 9)
    heard = narrow.ask(
        *("POST", "/api/v1/tokens", JSON, "Content-Encoding: gzip", narrow.known),
        f"Content-Length: {len(bomb)}",
        body=bomb,
    )
    assert len(bomb) < 1 << 20
    assert heard.status == 413
    with open(f"/proc/{narrow.process.pid}/status") as file:
        peak = next(line for line in file if line.startswith("VmHWM"))
    assert int(peak.split()[1]) < 300 << 10


def test_37_packed_bodies_are_unpacked_where_they_are_whole(narrow: Server) -> None:
    packed = gzip.compress(NEW)
    for encoding, body, status in (
        ("gzip", packed, 201),
        ("gzip", packed[:-4], 400),
        ("gzip", packed + b"more", 400),
        ("gzip", NEW, 400),
        ("br", NEW, 415),
        ("gzip, gzip", gzip.compress(packed), 415),
    ):
        heard = narrow.ask(
            *("POST", "/api/v1/tokens", JSON, f"Content-Encoding: {encoding}", narrow.known),
            f"Content-Length: {len(body)}",
            body=body,
        )
        assert heard.status == status, (encoding, body)


def test_37_a_head_that_never_ends_ends_the_connection(narrow: Server) -> None:
    with socket.create_connection(("127.0.0.1", narrow.port), timeout=20) as link:
        link.sendall(b"GET /healthz HTTP/1.1\r\nHost: ")
        assert link.recv(1) == b""
    with socket.create_connection(("127.0.0.1", narrow.port), timeout=20) as silent:
        assert silent.recv(1) == b""


def test_37_a_body_that_does_not_come_is_not_waited_for(narrow: Server) -> None:
    began = time.monotonic()
    length = "Content-Length: 100"
    heard = narrow.ask("POST", "/api/v1/tokens", JSON, length, narrow.known, body=b"{")
    assert heard.status == 408
    assert time.monotonic() - began < 10


def test_37_a_head_that_is_too_long(narrow: Server) -> None:
    assert narrow.ask("GET", "/healthz", f"X-Long: {'a' * 70_000}").status == 431
    assert narrow.ask("GET", f"/{'a' * 70_000}").status == 431
    assert narrow.ask("GET", "/healthz", *(f"X-{n}: 1" for n in range(200))).status == 431
    assert narrow.ask("GET", "/healthz?" + "a&" * 500).status == 400


def test_37_brackets_within_brackets(narrow: Server) -> None:
    deep = [b"[" * depth + b"]" * depth for depth in (65, 1000, 100_000)]
    deep += [b'{"a":' * depth + b"1" + b"}" * depth for depth in (65, 100_000)]
    deep += [b'["]",' * 1000 + b"1" + b"]" * 1000, b'{"\\"":' * 1000 + b"1" + b"}" * 1000]
    for body in deep:
        length = f"Content-Length: {len(body)}"
        heard = narrow.ask("POST", "/api/v1/tokens", JSON, length, narrow.known, body=body)
        assert heard.status == 400
        assert b"nested" in heard.body


def test_37_too_many_requests_of_one_caller(home: Path, store: Store) -> None:
    one, other = make_token(store), make_token(store)
    with serving(token=one, env={"HPC_WEB__RATE": "5"}) as server:
        with server.client() as client:
            statuses = [client.get("/api/v1/tokens").status_code for _ in range(15)]
            refused = client.get("/api/v1/tokens")
        assert statuses[:10] == [200] * 10
        assert 429 in statuses
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert server.ask("GET", "/api/v1/tokens", f"Authorization: Bearer {other}").status == 200
