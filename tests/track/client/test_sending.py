"""What reaches the server: each line once, whatever happens on the way."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hpcshell import track
from hpcshell.track.client import courier, delivery
from hpcshell.track.client.addresses import parse
from hpcshell.track.client.delivery import Delivery
from hpcshell.track.client.wire import Server
from tests.support.clusters.packages import need
from tests.support.homes import clean_environment
from tests.support.ingest_server import Answered, Half, Hang, IngestServer, Unsaid
from tests.support.receivers import Silent, Trickle
from tests.support.runners import eventually
from tests.track.client.conftest import of_kind, spooled, surroundings

NOBODY = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """Pauses of a test's measure."""
    monkeypatch.setattr(courier, "PACE", 0.02)
    monkeypatch.setattr(delivery, "FIRST_PAUSE", 0.02)


def test_what_is_logged_arrives_while_the_run_goes_on_and_the_end_with_its_end(tmp_path):
    with IngestServer(token="t0k3n") as server:
        with track.run("x", url=server.url, token="t0k3n") as run:
            run.log(loss=1, step=1)
            server.wait(lambda: server.values("loss") == [1.0])
            run.log(loss=2, step=2)
        lines = server.lines(run.spool.source)
        assert [line["k"] for line in lines] == ["run", "m", "m", "end"]
    assert spooled(tmp_path / "spool") == [], "what has been taken in is not kept"


def test_a_long_run_is_sent_in_batches_that_are_packed(monkeypatch):
    with IngestServer() as server, track.run("x", url=server.url) as run:
        for step in range(20_000):
            run.log(loss=step, step=step)
        run.end()
        assert server.values("loss") == list(range(20_000))
        sizes = [size for _, headers, size in server.requests if "Content-Encoding" in headers]
        assert len(sizes) > 3
        assert max(sizes) <= delivery.BATCH


@pytest.mark.parametrize(
    "faults",
    [
        [503, 500, 502],
        [Half(), Half(0), Unsaid()],
        [Unsaid(), Unsaid(), 504],
        [Answered(429, {"Retry-After": "0"}), Answered(503, {"Retry-After": "0"})],
        [408, 507, 425],
        [Answered(200, {}, {"surprise": True}), Answered(200, {}, {"offset": "x"})],
        [Answered(409, {}, {"detail": "no offset"})],
        [Answered(409, {}, {"offset": 0})],
    ],
    ids=repr,
)
def test_after_a_failure_of_any_kind_each_line_arrives_once(faults, monkeypatch):
    monkeypatch.setattr(courier, "HOPELESS", 100)
    with IngestServer(faults=faults) as server:
        with track.run("x", url=server.url) as run:
            for step in range(100):
                run.log(loss=step, step=step)
            server.wait(lambda: not server.faults)
        assert server.values("loss") == list(range(100))
        assert len(of_kind("end", server.lines())) == 1


def test_what_a_server_did_not_take_is_said_once_with_its_reason(caplog):
    with IngestServer() as server:
        server.bad = [{"offset": 0, "message": "param 'lr' is '0.1' already"}]
        with track.run("x", url=server.url) as run:
            run.log(loss=1)
            server.wait(lambda: server.values("loss") == [1.0])
            run.log(loss=2)
    said = [record.message for record in caplog.records]
    assert [
        text.endswith("did not take all of it: param 'lr' is '0.1' already") for text in said
    ] == [True]


def test_a_server_that_has_lost_what_it_had_is_sent_it_again():
    with IngestServer() as server:
        with track.run("x", url=server.url) as run:
            run.log(loss=1)
            server.wait(lambda: server.values("loss"))
            with server.changed:
                kept = server.taken[run.spool.source].splitlines(keepends=True)[0]
                server.taken[run.spool.source] = kept
            run.log(loss=2)
        assert server.values("loss") == [1.0, 2.0]


def test_batches_become_smaller_until_the_server_takes_them():
    with IngestServer(largest=2000) as server:
        with track.run("x", url=server.url) as run:
            for step in range(500):
                run.log(loss=step, step=step)
        assert server.values("loss") == list(range(500))


def test_one_line_that_is_too_large_ends_the_sending_and_not_the_training(tmp_path, caplog):
    with IngestServer(largest=2000) as server:
        with track.run("x", url=server.url, config={"text": "x" * 5000}) as run:
            run.log(loss=1)
            eventually(lambda: "413" in caplog.text)
        assert server.lines() == []
    assert [line["k"] for line in spooled(tmp_path / "spool")] == ["run", "m", "end"]


def test_a_line_that_is_too_large_is_sent_alone_before_it_is_given_up(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b'{"small":1}\n' + b"x" * 5000 + b"\n" + b'{"small":2}\n' * 3)
    with IngestServer(largest=2000) as server, path.open("rb") as file:
        sent = Delivery(file.fileno(), "f", Server(parse(server.url)))
        steps = [sent.step() for _ in range(20)]
        assert [step.over for step in steps[-2:]] == [True, True]
        assert "413" in steps[-1].trouble
        assert sent.offset == len(b'{"small":1}\n')
        assert server.requests[-1][2] == 5001


def test_a_line_without_end_is_not_waited_for_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(delivery, "LONGEST_LINE", 1 << 20)
    path = tmp_path / "file"
    path.write_bytes(b"x" * (1 << 20))
    with path.open("rb") as file:
        step = Delivery(file.fileno(), "f", Server(parse(NOBODY))).step()
    assert (step.over, step.trouble) == (True, "a line has more than 1 MiB")


def test_what_comes_when_all_has_been_sent_stays_on_the_disk_and_is_told(tmp_path, caplog):
    with IngestServer() as server:
        run = track.run("x", url=server.url)
        run.log(loss=1)
        server.wait(lambda: server.values("loss"))
        size = run.spool.size
        run.spool.write(b'{"k":"m","t":1.0,"s":2,"v":{"loss":2.0}}\n')
        assert not run.spool.remove(size)
        assert Path(run.spool.path).exists()
        assert run.spool.remove(run.spool.size)
        run.spool.write(b"late\n")
        run.spool.close()
    assert "1 lines of" in caplog.text
    assert "were lost" in caplog.text


@pytest.mark.parametrize("status", [400, 401, 403, 404, 301])
def test_a_refusal_is_said_once_and_what_is_logged_is_kept(status, tmp_path, caplog):
    with IngestServer(faults=[status] * 50) as server:
        with track.run("x", url=server.url, token="s3cret") as run:
            run.log(loss=1)
            server.wait(lambda: server.requests)
            for step in range(50):
                run.log(loss=step)
        assert len(server.requests) == 1
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert str(status) in caplog.text
    assert "s3cret" not in caplog.text
    assert len(of_kind("m", spooled(tmp_path / "spool"))) == 51


def test_a_retry_after_is_kept_to():
    with IngestServer(faults=[Answered(429, {"Retry-After": "1"})]) as server:
        begun = time.monotonic()
        with track.run("x", url=server.url):
            server.wait(lambda: server.taken)
            assert time.monotonic() - begun >= 1
        assert len(server.requests) == 3


def test_a_server_that_is_down_delays_neither_training_nor_its_end(tmp_path, caplog):
    begun = time.monotonic()
    with track.run("x", url=NOBODY) as run:
        run.log(loss=1)
    assert time.monotonic() - begun < 2
    assert [line["k"] for line in spooled(tmp_path / "spool")] == ["run", "m", "end"]
    assert len(caplog.records) == 1
    assert NOBODY in caplog.text
    assert "connection refused" in caplog.text


@pytest.mark.parametrize("kind", [Silent, Trickle])
def test_a_server_that_never_answers_delays_the_end_as_long_as_is_allowed(kind):
    with kind() as silent:
        begun = time.monotonic()
        with track.run("x", url=silent.url, flush=0.3) as run:
            run.log(loss=1)
        assert 0.25 < time.monotonic() - begun < 3


def test_the_time_that_an_end_waits_is_configured_by_the_environment_too(monkeypatch, caplog):
    monkeypatch.setenv("HPC_TRACK_FLUSH", "0.25")
    assert track.run("x").patience == 0.25
    assert track.run("x", flush=0).patience == 0
    monkeypatch.setenv("HPC_TRACK_FLUSH", "soon")
    assert track.run("x").patience == 5
    assert "'soon'" in caplog.text


def test_a_hanging_request_is_given_up_and_repeated(monkeypatch):
    monkeypatch.setattr("hpcshell.track.client.wire.ANSWER", 0.1)
    with IngestServer(faults=[Hang()]) as server, track.run("x", url=server.url) as run:
        run.log(loss=1)
        server.wait(lambda: server.values("loss") == [1.0])


def test_nothing_is_heard_of_a_server_that_comes_back_but_its_data(tmp_path):
    path = str(tmp_path / "s")
    with track.run("x", url=parse_unix(path)) as run:
        run.log(loss=1)
        with IngestServer(socket=path) as server:
            server.wait(lambda: server.values("loss") == [1.0])
            run.log(loss=2)
            run.end()
            assert server.values("loss") == [1.0, 2.0]


def parse_unix(path: str) -> str:
    return "http+unix://" + path.replace("/", "%2F")


def test_tls_is_spoken_and_a_certificate_nobody_trusts_is_refused(tmp_path, monkeypatch, caplog):
    need({"openssl": "openssl"})
    certificate, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    words = (
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
        " -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run(
        ["openssl", *words.split(), "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with IngestServer(tls=tls) as server:
        with track.run("x", url=server.url) as run:
            run.log(loss=1)
            eventually(lambda: "certificate is not trusted" in caplog.text)
        assert server.taken == {}
        monkeypatch.setenv("SSL_CERT_FILE", certificate)
        with track.run("x", url=server.url) as run:
            run.log(loss=1)
        assert server.values("loss") == [1.0]


def test_a_proxy_is_never_used_for_ourselves_and_is_for_others(monkeypatch):
    with IngestServer() as proxy, IngestServer() as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        with track.run("x", url=server.url) as run:
            run.log(loss=1)
        assert server.values("loss") == [1.0]
        assert not proxy.requests
        with track.run("x", url="http://tracker.example.org/hpc") as run:
            run.log(loss=2)
        assert proxy.values("loss") == [2.0]
        assert proxy.requests[0][0].startswith(
            "http://tracker.example.org:80/hpc/api/v1/ingest?source="
        )


def test_what_a_killed_process_has_spooled_is_sent_later_each_line_once(tmp_path):
    """It is killed while it sends; whatever had arrived is not counted again."""
    program = """
import sys
from hpcshell import track
from hpcshell.track.client import courier
courier.PACE = 0.001
run = track.run("x", url=sys.argv[1])
for step in range(10**9):
    run.log(loss=step, step=step)
    if step % 100 == 0:
        print(step, flush=True)
"""
    with IngestServer() as server:
        child = subprocess.Popen(
            [sys.executable, "-c", program, server.url],
            env=clean_environment() | surroundings(tmp_path),
            stdout=subprocess.PIPE,
        )
        assert child.stdout is not None
        server.wait(lambda: len(server.values("loss")) > 1000)
        child.kill()
        said = int(child.stdout.read().split()[-1])
        child.wait()
        (path,) = (tmp_path / "spool").glob("*.jsonl")
        with open(path, "rb") as file:
            late = Delivery(file.fileno(), path.stem, Server(parse(server.url)))
            assert late.ask().moved
            assert late.offset == len(server.taken[path.stem])
            while late.step().moved:
                pass
        steps = server.values("loss")
    assert steps == list(range(len(steps)))
    assert len(steps) > said


def test_a_forked_child_s_file_is_delivered_by_its_parent_and_the_child_sends_nothing(
    tmp_path, monkeypatch
):
    with IngestServer() as server:
        with track.run("x", url=server.url) as run:
            run.log(who=0, step=0)
            server.wait(lambda: server.values("who"))
            child = os.fork()
            if child == 0:
                run.log(who=1, step=1)
                os._exit(0)
            os.waitpid(child, 0)
        assert sorted(server.values("who")) == [0.0, 1.0]
        assert len(server.taken) == 2
        assert {path.partition("=")[2][:32] for path, _, _ in server.requests} == {run.run_id}


def test_heartbeats_are_sent_as_often_as_is_configured(monkeypatch):
    monkeypatch.setenv("HPC_TRACK__HEARTBEAT", "0.05s")
    with IngestServer() as server, track.run("x", url=server.url):
        server.wait(lambda: len(of_kind("h", server.lines())) > 2)


def test_heartbeats_are_written_without_any_server(tmp_path, monkeypatch):
    monkeypatch.setenv("HPC_TRACK__HEARTBEAT", "0.05s")
    with track.run("x") as run:
        written = threading.Event()
        real = run.spool.write

        def write(line: bytes) -> None:
            real(line)
            if b'"k":"h"' in line:
                written.set()

        monkeypatch.setattr(run.spool, "write", write)
        assert written.wait(20)
    assert of_kind("h", spooled(tmp_path / "spool"))


def test_a_url_that_is_none_is_said_and_training_goes_on(tmp_path, caplog):
    with track.run("x", url="htp://user:s3cret@there") as run:
        run.log(loss=1)
    assert "no URL of a tracker" in caplog.text
    assert "s3cret" not in caplog.text
    assert len(spooled(tmp_path / "spool")) == 3


def test_a_file_that_has_lost_its_name_is_sent_all_the_same():
    with IngestServer() as server:
        with track.run("x", url=server.url) as run:
            Path(run.spool.path).unlink()
            run.log(loss=1)
        assert server.values("loss") == [1.0]


def test_pauses_grow_vary_and_stay_below_a_minute_or_so(monkeypatch):
    monkeypatch.setattr(delivery, "FIRST_PAUSE", 0.5)
    with open(os.devnull, "rb") as file:
        chances = iter([0.0, 0.5, 1.0] * 10)
        one = Delivery(file.fileno(), "s", Server(parse(NOBODY)), lambda: next(chances))
        pauses = [one._later("x").pause or 0 for _ in range(20)]
        assert pauses[:3] == [0.25, 1.0, 3.0]
        assert max(pauses) == 90.0
        assert one._later("x", 7.0).pause == 7.0
        assert one._later("x", 1e9).pause == delivery.LONGEST_ASKED
