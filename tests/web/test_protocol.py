"""HTTP itself: what stands on one connection, and what a refused client gets to read."""

from __future__ import annotations

import socket

import pytest

from tests.support.web import Server

GET = b"GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n"


def answers(server: Server, sent: bytes, *, until: bytes) -> bytes:
    """What comes back on one connection, until these bytes have come."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as link:
        link.sendall(sent)
        got = b""
        while until not in got:
            more = link.recv(65536)
            assert more, got
            got += more
        return got


def test_requests_in_one_packet_are_answered_in_order(server: Server) -> None:
    sent = b"".join(GET % (path, server.port) for path in (b"/healthz", b"/nothing", b"/readyz"))
    got = answers(server, sent, until=b'"store":"sqlite"')
    first, second, third = (got.index(word) for word in (b"200 OK", b"401 Unauth", b'"store"'))
    assert first < second < third


@pytest.mark.parametrize("size", [1000, 70_000, 3_000_000])
def test_after_a_body_of_any_size_the_connection_goes_on(server: Server, size: int) -> None:
    head = (
        f"POST /api/v1/tokens HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n{server.known}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {size}\r\n\r\n"
    )
    sent = head.encode() + b" " * size + GET % (b"/readyz", server.port)
    got = answers(server, sent, until=b'"store":"sqlite"')
    assert b"400 Bad Request" in got
    assert b"431" not in got


def test_a_client_that_asks_first_sends_nothing_in_vain(server: Server) -> None:
    head = (
        f"POST /api/v1/tokens HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n{server.known}\r\n"
        "Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: "
    )
    refused = answers(server, f"{head}{100 << 30}\r\n\r\n".encode(), until=b"too-large")
    assert b"100 Continue" not in refused
    let_in = answers(server, f"{head}2\r\n\r\n".encode(), until=b"\r\n\r\n")
    assert let_in.startswith(b"HTTP/1.1 100 Continue")


def test_a_client_that_sends_too_much_reads_why(server: Server) -> None:
    with server.client() as client:
        for content in (b"[" + b"1," * (20 << 20) + b"1]", iter([b"x" * (1 << 20)] * 40)):
            told = {"Content-Type": "application/json"}
            answer = client.post("/api/v1/tokens", content=content, headers=told)
            assert answer.status_code == 413
            assert "bytes" in answer.json()["detail"]


def test_another_protocol_is_offered_in_vain(server: Server) -> None:
    upgrade = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
    assert server.ask("GET", "/healthz", *upgrade).status == 200


def test_bytes_that_are_no_http_end_the_connection_with_a_reason(server: Server) -> None:
    for sent in (b"\x16\x03\x01\x02\x00\x01\x00", b"\0" * 100, b"GET / HTTP/9.9\r\n\r\n"):
        assert b"400" in answers(server, sent + b"\r\n\r\n", until=b"urn:hpcshell:wrong")
