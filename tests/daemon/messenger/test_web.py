"""One POST: where it may go, how long it may take, what its answer means."""

import socket
import ssl
import subprocess

import pytest
from msgspec.structs import replace

from hpcshell.core.addresses import split_webhook
from hpcshell.daemon.messenger import web as messenger_web
from hpcshell.daemon.messenger.web import post
from hpcshell.daemon.messenger.wire import Failed, Ways
from hpcshell.machine import clock
from tests.support.receivers import PATIENCE, Receiver, Silent, Trickle

OPEN = Ways(webhook_private=True, webhook_timeout=10.0)
HASTY = replace(OPEN, webhook_timeout=0.2)


def leads_to(*addresses):
    """A resolver that answers once; asked again, it would lead to where the secrets are."""
    answers = [addresses, ["169.254.169.254"]]

    def resolve(host, port, type):
        return [
            (socket.AF_INET6 if ":" in each else socket.AF_INET, type, 6, "", (each, port))
            for each in answers.pop(0)
        ]

    return resolve


def test_a_post_carries_the_content_and_our_headers():
    with Receiver() as receiver:
        assert post(receiver.url, b'{"a":1}', OPEN, {"X-HPCShell-Event": "end"}) == 200
        got = receiver.next()
    assert got.path == "/hook/s3cret?a=1"
    assert got.json == {"a": 1}
    assert got.headers["Content-Type"] == "application/json"
    assert got.headers["X-HPCShell-Event"] == "end"
    assert got.headers["Host"] == f"127.0.0.1:{receiver.port}"
    assert got.headers["User-Agent"].startswith("HPCShell/")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/", "http://x:y@127.0.0.1/"])
def test_other_ways_to_send_are_refused_for_good(url):
    with pytest.raises(Failed) as failure:
        post(url, b"", OPEN)
    assert not failure.value.again


def test_this_machine_is_refused_unless_it_is_allowed():
    with Receiver() as receiver:
        with pytest.raises(Failed, match="loopback") as failure:
            post(receiver.url, b"{}", Ways())
        assert not failure.value.again
        assert receiver.got.empty()


def test_the_name_of_a_private_address_does_not_help():
    with Receiver() as receiver:
        with pytest.raises(Failed, match="leads to a loopback address"):
            post(
                f"http://example.org:{receiver.port}/", b"{}", Ways(), resolve=leads_to("127.0.0.1")
            )
        assert receiver.got.empty()


@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254", "0.0.0.0", "::"])
def test_some_addresses_stay_refused_when_private_ones_are_allowed(address):
    with pytest.raises(Failed, match="notices are not sent") as failure:
        post("http://example.org/", b"{}", OPEN, resolve=leads_to(address))
    assert not failure.value.again


def test_a_name_is_resolved_once_and_that_address_is_used():
    with Receiver() as receiver:
        url = f"http://rebind.example.org:{receiver.port}/"
        assert post(url, b"{}", OPEN, resolve=leads_to("127.0.0.1")) == 200
        assert receiver.next().headers["Host"] == f"rebind.example.org:{receiver.port}"


def test_the_next_address_is_tried_when_one_is_dead():
    with Receiver() as receiver:
        url = f"http://example.org:{receiver.port}/"
        assert post(url, b"{}", OPEN, resolve=leads_to("127.0.0.9", "127.0.0.1")) == 200


def test_forbidden_addresses_among_good_ones_are_left_out():
    found = messenger_web.find_addresses(
        split_webhook("http://example.org/"),
        False,
        leads_to("10.0.0.1", "93.184.216.34", "169.254.169.254"),
    )
    assert [each[4][0] for each in found] == ["93.184.216.34"]


def test_a_name_nobody_knows_may_be_known_later():
    def resolve(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(Failed, match="not found") as failure:
        post("http://example.org/", b"{}", OPEN, resolve=resolve)
    assert failure.value.again


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status):
    with Receiver() as within, Receiver([status], location=within.url) as receiver:
        with pytest.raises(Failed, match="are not followed") as failure:
            post(receiver.url, b"{}", OPEN)
        assert not failure.value.again
        assert within.got.empty()


@pytest.mark.parametrize(
    ("status", "again"),
    [
        (400, False),
        (401, False),
        (404, False),
        (410, False),
        (408, True),
        (429, True),
        (500, True),
        (503, True),
    ],
)
def test_a_refusal_is_final_or_for_now(status, again):
    with Receiver([status]) as receiver, pytest.raises(Failed, match=str(status)) as failure:
        post(receiver.url, b"{}", OPEN)
    assert failure.value.again is again


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_success_is_one(status):
    with Receiver([status]) as receiver:
        assert post(receiver.url, b"{}", OPEN) == status


@pytest.mark.parametrize("server", [Silent, Trickle])
def test_a_slow_receiver_gets_no_more_than_the_time_it_has(server):
    with server() as slow, pytest.raises(Failed, match=r"no answer within 0\.2 s") as failure:
        post(slow.url, b"{}", HASTY)
    assert failure.value.again


def test_nobody_there_is_for_now():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(Failed, match="no connection") as failure:
        post(f"http://127.0.0.1:{port}/", b"{}", OPEN)
    assert failure.value.again


class Says:
    """One side of a connection that has its answer ready."""

    def __init__(self, answer):
        self.ours, self.theirs = socket.socketpair()
        self.theirs.sendall(answer)
        self.theirs.shutdown(socket.SHUT_WR)

    def verdict(self):
        with self.ours, self.theirs:
            return messenger_web._verdict(
                messenger_web._answer(self.ours, clock.monotonic() + PATIENCE)
            )


def test_interim_answers_are_passed_over():
    interim = b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    assert Says(interim + b"HTTP/1.1 201 Created\r\n\r\n").verdict() == 201


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 999 X\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"\x16\x03\x01\x02" * 20_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 50,
    ],
)
def test_an_answer_that_is_no_answer_fails(answer):
    with pytest.raises(Failed):
        Says(answer).verdict()


@pytest.fixture
def certificate(tmp_path):
    """A certificate for hooks.example.org that signs itself, made by openssl."""
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    words = f"req -x509 -newkey rsa:2048 -nodes -days 2 -keyout {key} -out {cert}"
    name = ["-subj", "/CN=hooks.example.org", "-addext", "subjectAltName=DNS:hooks.example.org"]
    try:
        subprocess.run(["openssl", *words.split(), *name], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no openssl to make a certificate with")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert, key)
    messenger_web._tls.cache_clear()
    yield server, cert
    messenger_web._tls.cache_clear()


def test_https_goes_to_the_address_and_checks_the_name(certificate, monkeypatch):
    server, cert = certificate
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    with Receiver(tls=server) as receiver:
        url = f"https://hooks.example.org:{receiver.port}/"
        assert post(url, b"{}", OPEN, resolve=leads_to("127.0.0.1")) == 200
        other = f"https://other.example.org:{receiver.port}/"
        with pytest.raises(Failed, match="certificate is not good") as failure:
            post(other, b"{}", OPEN, resolve=leads_to("127.0.0.1"))
    assert not failure.value.again


def test_a_certificate_nobody_vouches_for_is_refused(certificate):
    with Receiver(tls=certificate[0]) as receiver:
        url = f"https://hooks.example.org:{receiver.port}/"
        with pytest.raises(Failed, match="certificate is not good"):
            post(url, b"{}", OPEN, resolve=leads_to("127.0.0.1"))
        assert receiver.got.empty()


def test_a_handshake_that_never_ends_is_held_to_the_deadline():
    with Silent() as silent, pytest.raises(Failed, match=r"no answer within 0\.2 s"):
        post(silent.url.replace("http:", "https:"), b"{}", HASTY)
