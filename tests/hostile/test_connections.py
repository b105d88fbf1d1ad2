"""What may be tried on one connection: words behind the body, bodies without end, readers that do
not read, addresses that begin like none of ours."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpcshell.track.store.store import Store
from tests.support.web import Heard, Server, make_token, serving
from tests.support.web_fixtures import NewToken

CHUNKED = "Transfer-Encoding: chunked"
JSON = "Content-Type: application/json"
NEW = json.dumps({"name": "x"}).encode()
EXPERIMENTS = "/api/v1/experiments"
PATIENCE = 1.0


@pytest.fixture
def impatient(home: Path, new_token: NewToken) -> Iterator[Server]:
    with serving(token=new_token(), env={"HPC_WEB__REQUEST_TIMEOUT": f"{PATIENCE}s"}) as running:
        yield running


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(body), body)


def post(server: Server, *trailers: str, known: bool = False) -> Heard:
    """A new experiment, with these lines behind its body."""
    headers = (JSON, CHUNKED, *([server.known] if known else ()))
    behind = "".join(f"{line}\r\n" for line in trailers).encode()
    body = chunk(NEW) + b"0\r\n" + behind + b"\r\n"
    return server.ask("POST", EXPERIMENTS, *headers, body=body)


def resident(server: Server) -> int:
    """Bytes that the server has in memory."""
    with open(f"/proc/{server.process.pid}/statm") as file:
        return int(file.read().split()[1]) * 4096


def sent_until_closed(link: socket.socket, piece: bytes, seconds: float) -> int:
    """How many bytes the other end takes, until it closes; it has to, in this time."""
    sent, until = 0, time.monotonic() + seconds
    with contextlib.suppress(ConnectionError):
        while True:
            sent += link.send(piece)
            assert time.monotonic() < until, f"{sent:,} bytes were taken, and more would be"
    return sent


# ---------------------------------------------------------------------------------- trailers


def test_nothing_behind_the_body_says_who_is_calling(server: Server) -> None:
    for trailer in (server.known, f"X: y\r\n{server.known}", f"Cookie: a=b\r\n{server.known}"):
        assert post(server, trailer).status == 401
    assert post(server, "Host: other.example.org", known=True).status == 201


def test_trailers_are_none_of_the_next_requests_headers(server: Server) -> None:
    head = f"POST {EXPERIMENTS} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n{JSON}\r\n"
    first = f"{head}{server.known}\r\n{CHUNKED}\r\n\r\n".encode() + chunk(NEW)
    first += f"0\r\n{server.known}\r\n\r\n".encode()
    second = f"GET /api/v1/tokens HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as link:
        link.sendall(first + second)
        got = b""
        while b"401 Unauthorized" not in got:
            more = link.recv(65536)
            assert more, got
            got += more
    assert got.startswith(b"HTTP/1.1 201")


def test_a_proxys_user_is_said_by_no_trailer(home: Path, store: Store, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.touch(0o600)
    secret.write_text("s" * 32)
    trusted = {"HPC_WEB__PROXIES": "127.0.0.1", "HPC_WEB__PROXY_SECRET": str(secret)}
    with serving(env=trusted) as server:
        said, shown = "X-Forwarded-User: root", f"X-Hpc-Proxy-Secret: {'s' * 32}"
        assert post(server, said, shown).status == 401
        headers = (JSON, CHUNKED, shown)
        body = chunk(NEW) + f"0\r\n{said}\r\n\r\n".encode()
        assert server.ask("POST", EXPERIMENTS, *headers, body=body).status == 401


def test_trailers_are_bounded_in_number_and_in_size(server: Server) -> None:
    few = [f"X-{number}: {number}" for number in range(100)]
    assert post(server, *few, known=True).status == 201
    assert post(server, *few, "X: y", known=True).status == 431
    headers = (JSON, CHUNKED, server.known)
    for piece in (b"X: " + b"a" * (1 << 16) + b"\r\n", b"X" * (1 << 16)):
        with opened(server, *headers, body=chunk(NEW)) as link:
            link.sendall(b"0\r\n")
            assert sent_until_closed(link, piece, 20) < 256 << 20
    assert resident(server) < 400 << 20


def test_trailers_that_do_not_end_are_not_waited_for(impatient: Server) -> None:
    with opened(impatient, JSON, CHUNKED, impatient.known, body=chunk(NEW) + b"0\r\nX: ") as link:
        began = time.monotonic()
        got = b""
        while more := link.recv(65536):
            got += more
        assert time.monotonic() - began < 15 * PATIENCE
    assert got.startswith(b"HTTP/1.1 408")


# ------------------------------------------------------------------------- what nobody wants


@contextlib.contextmanager
def opened(server: Server, *headers: str, body: bytes) -> Iterator[socket.socket]:
    """A connection on which a request has begun, which is not complete."""
    lines = [f"POST {EXPERIMENTS} HTTP/1.1", f"Host: 127.0.0.1:{server.port}", *headers, "", ""]
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as link:
        link.sendall("\r\n".join(lines).encode() + body)
        yield link


@pytest.mark.parametrize(
    ("piece", "first"),
    [(chunk(bytes(4096)), b""), (b"X-A: " + b"b" * 8192 + b"\r\n", b"0\r\n")],
    ids=["body", "trailers"],
)
def test_after_a_refusal_no_more_is_read(server: Server, piece: bytes, first: bytes) -> None:
    before = resident(server)
    with opened(server, JSON, CHUNKED, body=first) as link:
        got = link.recv(65536)
        assert got.startswith(b"HTTP/1.1 401")
        assert b"connection: close" in got
        assert sent_until_closed(link, piece * 16, 10) < 256 << 20
    assert resident(server) - before < 50 << 20
    assert server.ask("GET", "/healthz").status == 200


def test_a_refused_client_that_is_silent_is_let_go(server: Server) -> None:
    with opened(server, JSON, CHUNKED, body=b"") as link:
        began = time.monotonic()
        while link.recv(65536):
            pass
        assert time.monotonic() - began < 10


def test_what_was_sent_whole_keeps_the_connection(server: Server) -> None:
    one = (
        f"POST {EXPERIMENTS} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n{JSON}\r\n"
        f"Content-Length: {len(NEW)}\r\n\r\n"
    ).encode() + NEW
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as link:
        for _ in range(3):
            link.sendall(one)
            got = b""
            while not got.endswith(b"}"):
                got += link.recv(65536) or b"closed}"
            assert got.startswith(b"HTTP/1.1 401")
            assert b"connection: close" not in got


# -------------------------------------------------------------------------------- addresses


@pytest.mark.parametrize("path", ["/%s", "//%s", "/%%2F%s"])
def test_an_address_with_an_empty_part_is_none(server: Server, path: str) -> None:
    length = f"Content-Length: {len(NEW)}"
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        for asked in ("/api/v1/experiments", "/api//v1/experiments", "/experiments"):
            headers = (f"Content-Type: {kind}", length, server.known)
            assert server.ask("POST", path % asked, *headers, body=NEW).status == 404
    link = ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")
    for asked in ("/api/v1/runs", "/metrics", "/openapi.json", "/api/v1//runs"):
        assert server.ask("GET", path % asked, *link, server.known).status in (403, 404)


# ---------------------------------------------------------------------------- slow readers


@pytest.fixture
def long_export(impatient: Server) -> str:
    """The address of an export of some megabytes, which do not fit between two programs."""
    with impatient.client() as client:
        number = client.post("/experiments", json={"name": "long"}).json()["id"]
        run_id = client.post(f"/experiments/{number}/runs", json={}).json()["run_id"]
        for begin in range(0, 200_000, 20_000):
            points = [
                {"name": "loss", "value": random.random(), "step": step}
                for step in range(begin, begin + 20_000)
            ]
            assert client.post(f"/runs/{run_id}/metrics", json=points).is_success
    return f"/api/v1/experiments/{number}/export?what=points"


def stalled(server: Server, path: str, token: str) -> socket.socket:
    """A connection of one who asks for this, and reads no more than that it comes."""
    link = socket.socket()
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    link.settimeout(20)
    link.connect(("127.0.0.1", server.port))
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
    link.sendall(f"{head}Authorization: Bearer {token}\r\n\r\n".encode())
    assert link.recv(12) == b"HTTP/1.1 200"
    return link


def test_who_does_not_read_keeps_nobody_else_from_exports(
    impatient: Server, store: Store, long_export: str
) -> None:
    slow = make_token(store, "viewer", user="mallory")
    with stalled(impatient, long_export, slow):
        with impatient.client(slow) as again:
            refused = again.get(long_export)
            assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
        with impatient.client() as other:
            assert len(other.get(long_export).content) > 4 << 20
        until = time.monotonic() + 20
        with impatient.client(slow) as again:
            while again.get(long_export).status_code == 503:  # it was ended, and let go of all
                assert time.monotonic() < until


def test_who_reads_slowly_but_reads_gets_everything(impatient: Server, long_export: str) -> None:
    began, got = time.monotonic(), 0
    with stalled(impatient, long_export, impatient.token) as link:
        while time.monotonic() - began < 4 * PATIENCE:
            got += len(link.recv(1024))
            time.sleep(0.002)
        link.setblocking(True)
        tail = b""
        while not tail.endswith(b"0\r\n\r\n"):
            more = link.recv(1 << 16)
            assert more, "it was cut off"
            tail = (tail + more)[-16:]


def test_the_server_ends_at_once_though_somebody_does_not_read(
    home: Path, new_token: NewToken, impatient: Server, long_export: str
) -> None:
    token = new_token()
    with serving(token=token) as patient, stalled(patient, long_export, token):
        began = time.monotonic()
        assert patient.end() == 0
        assert time.monotonic() - began < 3
        assert patient.process.stderr is not None
        assert "Traceback" not in patient.process.stderr.read()
