"""The process: where it listens, how it ends, and who it lets in without a token."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hpcshell.core.errors import Refused, Wrong
from hpcshell.core.settings_web import WebSettings
from hpcshell.machine.paths import places
from hpcshell.web import serving as ours
from hpcshell.web.context import Context
from hpcshell.web.published import published
from hpcshell.web.security.authentication import Authentication
from hpcshell.web.security.gate import EVENTS, Gate
from hpcshell.web.serving import Where, listen, server_of
from tests.conftest import Hpc
from tests.support.disks import fill, small_disk
from tests.support.web import Server, serving

Task = asyncio.Task[Any]


def test_the_address_stands_in_a_file_as_long_as_it_answers(server: Server) -> None:
    path = Path(places(os.environ).web_address)
    assert path.read_text() == server.url + "\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert server.end() == 0
    assert not path.exists()


def test_as_long_as_one_server_answers_its_address_stands_in_the_file(server: Server) -> None:
    path = Path(places(os.environ).web_address)
    with serving() as second, serving() as third:
        assert path.read_text() == third.url + "\n"
        assert second.end() == 0
        assert path.read_text() == third.url + "\n"
        third.process.kill()  # leaves what it wrote
        third.process.wait()
        with serving() as fourth:
            assert path.read_text() == fourth.url + "\n"
            assert fourth.end() == 0
        assert path.read_text() == server.url + "\n"
    assert server.end() == 0
    assert sorted(path.parent.glob("web.url*")) == []


def test_a_restart_on_a_full_disk_says_so(tmp_path: Path, hpc: Hpc) -> None:
    with small_disk(tmp_path / "disk") as disk:
        env = {"HPCSHELL_HOME": str(disk / "home")}
        assert hpc("web", "token", "create", env=env).returncode == 0
        fill(disk)
        done = hpc("web", "--port", "0", env=env)
        assert done.returncode == 1
        assert "the disk of the tracker's database has 0" in done.stderr
        assert f"make room in {disk}/home/state" in done.stderr
        (disk / "ballast").unlink()
        with serving(env=env) as server:
            assert server.ask("GET", "/healthz").status == 200


def test_where_the_address_cannot_be_written_it_serves_and_warns(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with small_disk(tmp_path / "disk") as disk:
        fill(disk)
        with published(str(disk / "web.url"), "http://127.0.0.1:1"):
            assert "HPC_TRACK_URL=http://127.0.0.1:1" in caplog.text
        assert [each.name for each in disk.iterdir()] == ["ballast"]


def test_a_port_that_is_in_use_is_refused(server: Server, hpc: Hpc) -> None:
    done = hpc("web", "--port", server.port)
    assert done.returncode == 4
    assert "in use" in done.stderr
    assert "--port 0" in done.stderr
    assert done.stdout == ""
    assert server.client().get("/healthz").status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_other_machines_are_let_in_only_on_request(host: str) -> None:
    with pytest.raises(Refused) as refused:
        listen(Where(host=host, port=0))
    assert "--allow-remote" in str(refused.value.hint)
    listener, url = listen(Where(host=host, port=0, remote=True))
    listener.close()
    assert url.startswith("http://")


def test_an_address_that_is_none_of_this_machine_is_wrong() -> None:
    with pytest.raises(Wrong):
        listen(Where(host="host.invalid", port=0))
    with pytest.raises(Wrong):
        listen(Where(host="192.0.2.1", port=0, remote=True))


def test_on_a_unix_socket_the_kernel_says_who_is_calling(home: Path) -> None:
    path = home / "w.sock"
    with serving("--socket", str(path)) as server:
        assert server.url == f"http+unix://{str(path).replace('/', '%2F')}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        link = httpx.HTTPTransport(uds=str(path))
        with httpx.Client(transport=link, base_url="http://localhost") as client:
            assert client.get("/api/v1/tokens").status_code == 200
            wrong = {"Authorization": "Bearer wrong"}
            assert client.get("/api/v1/tokens", headers=wrong).status_code == 401
        done = subprocess.run(
            [sys.executable, "-m", "hpcshell", "web", "--socket", str(path)],
            capture_output=True,
            text=True,
        )
        assert (done.returncode, "in use" in done.stderr) == (4, True)
        assert server.end() == 0
    assert not path.exists()


def test_a_socket_that_was_left_behind_is_replaced_and_a_file_is_not(home: Path) -> None:
    stale = home / "w.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(stale))
    listener, _ = listen(Where(host="", port=0, socket=str(stale)))
    listener.close()
    precious = home / "precious"
    precious.write_text("all")
    with pytest.raises(Refused):
        listen(Where(host="", port=0, socket=str(precious)))
    assert precious.read_text() == "all"


def test_it_ends_though_streams_are_open_and_answers_what_was_asked(context: Context) -> None:
    asyncio.run(_end_with_open_streams(context))


async def _end_with_open_streams(context: Context) -> None:
    web, stop, asked = WebSettings(), asyncio.Event(), asyncio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        stream = scope["path"] == "/stream"
        kind = EVENTS if stream else b"text/plain"
        headers = [(b"content-type", kind)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b": begun\n\n", "more_body": True})
        asked.set()
        if stream:
            while (await receive())["type"] != "http.disconnect":
                pass
        else:
            await stop.wait()
            await send({"type": "http.response.body", "body": b"done", "more_body": False})

    gate = Gate(application, web, Authentication(context), lambda path: True)
    listener, url = listen(Where(host="127.0.0.1", port=0))
    server = server_of(gate, web)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    async with httpx.AsyncClient(base_url=url, timeout=20) as client:
        await _until(lambda: server.started)
        streams = [asyncio.create_task(client.get("/stream")) for _ in range(20)]
        slow = asyncio.create_task(client.get("/slow"))
        await _until(lambda: len(server.server_state.tasks) == 21)
        await asked.wait()
        began = time.monotonic()
        server.end()
        answers = await asyncio.gather(*streams)
        stop.set()
        assert (await slow).text.endswith("done")
    assert {answer.text for answer in answers} == {": begun\n\n"}
    await serving
    assert time.monotonic() - began < 5


async def _until(true: Any) -> None:
    while not true():
        await asyncio.sleep(0.01)


HALF_SENT = {
    "a document": ("POST /api/v1/tokens", b"Content-Type: application/json\r\n", b'{"name":'),
    "an upload": ("PUT /api/v1/runs/%s/artifacts/x" % ("0" * 32), b"", b"half"),
}


@pytest.mark.parametrize("what", HALF_SENT)
def test_what_is_half_sent_when_it_ends_is_refused_in_words(
    server: Server, context: Context, what: str
) -> None:
    line, kind, part = HALF_SENT[what]
    if what == "an upload":
        line = line.replace("0" * 32, _new_run(server))
    head = f"{line} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n{server.known}\r\n".encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as link:
        link.sendall(head + kind + b"Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n" + part)
        assert link.recv(1000).startswith(b"HTTP/1.1 100")  # somebody waits for the body now
        began = time.monotonic()
        server.process.send_signal(signal.SIGINT)
        answer = b"".join(iter(lambda: link.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"urn:hpcshell:ending" in answer
    assert b"retry-after" in answer
    assert server.process.wait(20) == 0
    assert time.monotonic() - began < 3
    assert _said(server) == ""


def _new_run(server: Server) -> str:
    with server.client() as client:
        made = client.post("/experiments", json={"name": "x"}).json()
        run: str = client.post(f"/experiments/{made['id']}/runs", json={}).json()["run_id"]
        return run


def _said(server: Server) -> str:
    assert server.process.stderr is not None
    return server.process.stderr.read()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_that_end_programs_end_it_well(server: Server, number: int) -> None:
    server.process.send_signal(number)
    assert server.process.wait(20) == 0
    assert not Path(places(os.environ).web_address).exists()
    assert _said(server) == ""


@contextlib.asynccontextmanager
async def _asked_in_vain(
    context: Context, grace: int
) -> AsyncIterator[tuple[ours.Server, Task, Task]]:
    """A server, what it does, and a request that it would never answer."""
    web, begun = WebSettings(), asyncio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        begun.set()
        await asyncio.Event().wait()

    gate = Gate(application, web, Authentication(context), lambda path: True)
    listener, url = listen(Where(host="127.0.0.1", port=0))
    server = server_of(gate, web)
    server.config.timeout_graceful_shutdown = grace
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    async with httpx.AsyncClient(base_url=url, timeout=20) as client:
        await _until(lambda: server.started)
        asking = asyncio.create_task(client.get("/slow"))
        await begun.wait()
        yield server, serving, asking
        asking.cancel()


def test_what_is_not_answered_in_time_is_told_that_it_ends(
    context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    async def end() -> None:
        async with _asked_in_vain(context, grace=0) as (server, serving, asking):
            server.end()
            answer = await asking
            assert answer.status_code == 503
            assert answer.json()["type"] == "urn:hpcshell:ending"
            await serving

    asyncio.run(end())
    assert caplog.text == ""


def test_told_twice_to_end_it_waits_for_nobody(context: Context) -> None:
    async def end() -> None:
        async with _asked_in_vain(context, grace=3600) as (server, serving, _):
            server.end()
            server.end()
            await asyncio.wait_for(serving, 20)

    asyncio.run(end())


@pytest.mark.parametrize("loaded", ["msgspec", "uvloop", "jinja2", "_sqlite3"])
def test_an_interruption_while_it_starts_is_quiet(home: Path, loaded: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-v", "-m", "hpcshell", "web", "--port", "0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    with process.stderr as said:
        at_last = next(line for line in said if line.startswith(f"import '{loaded}"))
        process.send_signal(signal.SIGINT)
        rest = [line for line in said if not re.match(r"#|import |Python|\[|Type", line)]
    assert at_last
    assert process.wait(30) in (-signal.SIGINT, 130, 0)
    assert rest == []
