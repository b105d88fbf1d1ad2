"""The client against a daemon that is made to misbehave."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hpcshell.client import client as client_module
from hpcshell.client import connection as connection_module
from hpcshell.client.client import Client
from hpcshell.core import errors
from tests.support.fake_daemon import HELLO, Answer, FakeDaemon, Places, fake_places, ok

Serve = Callable[..., FakeDaemon]


@pytest.fixture
def where() -> Iterator[Places]:
    with fake_places() as places:
        yield places


@pytest.fixture
def serve(where: Places) -> Iterator[Serve]:
    daemons: list[FakeDaemon] = []

    def start(answer: Answer, hello: dict[str, Any] | None = None) -> FakeDaemon:
        daemons.append(FakeDaemon(where, answer, hello))
        return daemons[-1]

    yield start
    for daemon in daemons:
        daemon.close()


def test_a_call_sends_its_arguments_and_returns_the_answer(where, serve):
    daemon = serve(ok(rows=[1, 2]))
    client = Client(where)
    assert client.call("queue", user="ada") == {"rows": [1, 2]}
    assert daemon.asked[0]["verb"] == "queue"
    assert daemon.asked[0]["args"] == {"user": "ada"}


def test_one_thread_uses_one_connection_and_another_thread_another(where, serve):
    daemon = serve(ok())
    client = Client(where)
    for _ in range(3):
        client.call("queue")
    assert daemon.connections == 1
    thread = threading.Thread(target=client.call, args=("queue",))
    thread.start()
    thread.join()
    assert daemon.connections == 2


def test_a_daemon_that_dies_as_it_is_greeted_is_as_good_as_none(where, serve):
    daemon = serve(ok(jobs=[]))
    daemon.deaf = 1
    assert Client(where).call("submit", submissions=[]) == {"jobs": []}
    assert len(daemon.asked) == 1


def test_a_daemon_that_dies_whenever_it_is_greeted_is_given_up(where, serve):
    daemon = serve(ok())
    daemon.deaf = 1000
    with pytest.raises(errors.Unreachable, match="went away"):
        Client(where).call("queue")
    assert daemon.greetings == 2


@pytest.mark.parametrize(
    ("kind", "code", "expected"),
    [
        ("wrong", 2, errors.Wrong),
        ("not_found", 3, errors.NotFound),
        ("refused", 4, errors.Refused),
        ("not_yet", 75, errors.NotYet),
        ("broken", 1, errors.Broken),
        ("a kind of the future", 1, errors.Broken),
    ],
)
def test_an_error_comes_out_as_the_class_it_was(where, serve, kind, code, expected):
    failure = {"kind": kind, "message": "no such job", "hint": "look", "exit_code": code}
    serve(lambda ask: {"error": failure})
    with pytest.raises(expected) as caught:
        Client(where).call("show", ids=["99"])
    assert caught.value.message == "no such job"
    assert caught.value.hint == "look"
    assert caught.value.exit_code == code


def test_without_autostart_a_missing_daemon_is_unreachable(where):
    with pytest.raises(errors.Unreachable) as caught:
        Client(where, autostart=False).call("queue")
    assert caught.value.exit_code == 5


def test_another_protocol_is_refused_with_the_way_out(where, serve):
    serve(ok(), HELLO | {"protocol": 2, "version": "9.0"})
    with pytest.raises(errors.Refused, match="hpc daemon restart"):
        Client(where).call("queue")


def test_a_question_is_asked_again_when_the_daemon_hangs_up(where, serve):
    answers: list[Any] = [None, {"ok": {"rows": []}}]
    daemon = serve(lambda ask: answers.pop(0))
    assert Client(where).call("queue") == {"rows": []}
    assert len(daemon.asked) == 2


def test_a_change_is_not_asked_again_when_the_daemon_hangs_up(where, serve):
    daemon = serve(lambda ask: None)
    with pytest.raises(errors.Unreachable, match="not known"):
        Client(where).call("submit", submissions=[])
    assert len(daemon.asked) == 1


def test_a_change_reaches_the_daemon_that_came_after_the_last_call(where, serve):
    client = Client(where)
    first = serve(ok(daemon=1))
    assert client.call("queue") == {"daemon": 1}
    first.close()
    serve(ok(daemon=2))
    assert client.call("submit", submissions=[]) == {"daemon": 2}


def test_a_wait_outlives_a_restart_of_the_daemon(where, serve):
    client = Client(where, autostart=False)
    waiting = threading.Event()

    def hang(ask: dict[str, Any]) -> None:
        waiting.set()
        threading.Event().wait(60)

    first = serve(hang)
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(client.call("wait", ids=["1"])))
    thread.start()
    assert waiting.wait(10)
    first.close()
    serve(ok(done=[], pending=[], timed_out=False))
    thread.join(10)
    assert found == [{"done": [], "pending": [], "timed_out": False}]


def test_a_wait_gives_up_on_a_daemon_that_stays_away(where, serve, monkeypatch):
    monkeypatch.setattr(client_module, "RETURN", 0.1)
    daemons: list[FakeDaemon] = []
    daemons.append(serve(lambda ask: daemons[0].close()))
    with pytest.raises(errors.Unreachable, match="stopped"):
        Client(where, autostart=False).call("wait", ids=["1"])


def test_a_silent_daemon_is_given_up(where, serve, monkeypatch, request):
    monkeypatch.setattr(connection_module, "PATIENCE", 1)
    over = threading.Event()
    request.addfinalizer(over.set)

    def say_nothing(ask: dict[str, Any]) -> None:
        over.wait(30)

    serve(say_nothing)
    with pytest.raises(errors.Unreachable, match="not answered"):
        Client(where).call("queue")


def test_after_a_fork_the_child_speaks_over_a_connection_of_its_own(where, serve):
    daemon = serve(ok(fine=True))
    client = Client(where)
    client.call("queue")
    child = os.fork()
    if child == 0:  # pragma: no cover - runs in the child
        code = 1
        try:
            code = 0 if client.call("queue") == {"fine": True} else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert client.call("queue") == {"fine": True}
    assert daemon.connections == 2


def test_a_stream_goes_on_after_its_last_event_when_the_daemon_hangs_up(where, serve):
    told = [
        [{"event": {"seq": 1}}, {"event": {"seq": 2}}],
        [{"event": {"seq": 3}}, {"ok": {"cursor": 3, "more": False}}],
    ]
    hung_up = False

    def answer(ask: dict[str, Any]) -> Any:
        nonlocal hung_up
        since = ask["args"]["since"]
        if since is None:
            return [*told[0], {"ok": {"cursor": 2, "more": True}}]
        if not hung_up:
            hung_up = True
            return None
        return told[1]

    daemon = serve(answer)
    client = Client(where)
    assert [event["seq"] for event in client.stream("events", since=None)] == [1, 2, 3]
    assert [ask["args"]["since"] for ask in daemon.asked] == [None, 2, 2]


def test_text_that_is_no_utf8_is_refused_here(where, serve):
    serve(ok())
    with pytest.raises(errors.Wrong, match="not valid UTF-8"):
        Client(where).call("show", ids=["\udcff"])


def test_an_answer_larger_than_any_buffer_arrives_whole(where, serve):
    text = "x" * 5_000_000
    serve(ok(text=text))
    assert Client(where).call("show") == {"text": text}


def test_a_socket_path_that_is_too_long_says_what_to_do(where):
    where.daemon_socket = f"{where.state}/{'x' * 120}"
    with pytest.raises(errors.Wrong, match="HPCSHELL_HOME"):
        Client(where).call("queue")
