"""The daemon's side of notices: who is told, and that no messenger can hurt the daemon."""

import contextlib
import os
import selectors
import signal
import sys
import time

import pytest

from hpcshell.core.records import Array, Job, Launch, Notify, Outcome, Request
from hpcshell.core.settings import NotifySettings
from hpcshell.daemon import notices as module
from hpcshell.daemon.messenger.wire import Ways, session_of
from hpcshell.daemon.notices import Notices, end_word, ways_of
from tests.support.homes import wait_for_exit
from tests.support.receivers import PATIENCE, Receiver, Silent, mailer

OPEN = NotifySettings(webhook_private=True)


class Log:
    def __init__(self):
        self.lines = []

    def write(self, level, message, /, **fields):
        self.lines.append((level, message, fields))

    def count(self, message):
        return sum(said == message for _, said, _ in self.lines)


class Daemon:
    """As much of the daemon as notices need: a selector whose owners are called."""

    def __init__(self, settings=OPEN, session_of_job=None):
        self.log = Log()
        self.selector = selectors.DefaultSelector()
        self.notices = Notices(settings, self.log, self.selector, session_of_job)

    @property
    def pid(self):
        return self.notices._link.pid

    def go_round(self, until):
        """Serve the selector until `until()`; a test fails that waits too long."""
        deadline = time.monotonic() + PATIENCE
        while not until():
            left = deadline - time.monotonic()
            assert left > 0, f"nothing more happens: {self.log.lines}"
            for key, _ in self.selector.select(left):
                key.data()

    def hears(self, message, times=1):
        self.go_round(lambda: self.log.count(message) >= times)


@contextlib.contextmanager
def daemon(*settings, **more):
    it = Daemon(*settings, **more)
    try:
        yield it
    finally:
        pid = it.pid
        it.notices.close()
        assert not it.selector.get_map()
        assert not pid or wait_for_exit(pid, PATIENCE)


def job(*on, array=None, **to):
    return Job(
        id=12,
        name="census",
        user="ada",
        uid=1000,
        submit_time=0.0,
        request=Request(),
        launch=Launch(argv=("true",), cwd="/"),
        array=Array(indices=array) if array else None,
        notify=Notify(on=on, **to),
    )


def view(element=None, **more):
    label = "12" if element is None else f"12_{element}"
    return {
        "id": 12,
        "label": label,
        "name": "census",
        "element": element,
        "state": "COMPLETED",
    } | more


def told(job, *offers):
    """Which of the offers (what, element) would be told of."""
    it = Notices(OPEN, Log(), selectors.DefaultSelector())
    return [(what, element) for what, element in offers if it._wanted(job, what, view(element))]


# -- who is told


def test_nothing_is_started_where_nobody_asked():
    with daemon() as it:
        for silent in (job(), job("end"), Job(**{**fields(job()), "notify": None})):
            it.notices.offer(silent, "begin", view())
        it.notices.offer(job("begin"), "no such event", view())
        assert it.pid == 0
        assert it.log.lines == []


def fields(record):
    return {name: getattr(record, name) for name in record.__struct_fields__}


def test_what_was_asked_is_told():
    everything = [(what, None) for what in ("begin", "end", "fail", "requeue", "time_limit")]
    assert told(job("begin", "requeue"), *everything) == [("begin", None), ("requeue", None)]
    assert told(job("fail"), *everything) == [("fail", None)]


def test_who_wants_to_know_of_every_end_is_told_of_a_bad_one_too():
    assert told(job("end"), ("fail", None)) == [("fail", None)]
    assert told(job("fail"), ("end", None)) == []


def test_a_cancelled_job_has_ended_and_a_killed_one_failed():
    assert {outcome for outcome in Outcome if end_word(outcome) == "end"} == {
        Outcome.COMPLETED,
        Outcome.CANCELLED,
    }


def test_of_an_array_the_whole_is_told():
    array = job("begin", "end", array="0-9")
    offers = [("begin", None), ("begin", 0), ("end", 0), ("fail", 1), ("begin", 1), ("end", None)]
    assert told(array, *offers) == [("begin", None), ("end", None)]


def test_of_an_array_the_elements_are_told_if_that_was_asked():
    array = job("begin", "end", "array_tasks", array="0-9")
    offers = [("begin", None), ("begin", 0), ("end", 0), ("fail", 1), ("begin", 1), ("end", None)]
    assert told(array, *offers) == [("begin", 0), ("end", 0), ("fail", 1), ("begin", 1)]


def test_of_an_array_the_first_requeue_and_time_limit_are_told():
    array = job("requeue", "time_limit", array="0-9")
    offers = [("requeue", 1), ("time_limit", 1), ("requeue", 2), ("time_limit", 3)]
    assert told(array, *offers) == offers[:2]
    assert told(array, ("requeue", 1), ("end", None), ("requeue", 1)) == [("requeue", 1)] * 2


# -- what is told


def test_a_mail_arrives_and_the_log_says_so(tmp_path):
    command, kept = mailer(tmp_path)
    with daemon(NotifySettings(mail_command=command)) as it:
        it.notices.offer(job("end", mail="ada@lab"), "end", view())
        it.hears("notice sent")
        assert (
            "info",
            "notice sent",
            {"job": "12", "event": "end", "to": "ada@lab"},
        ) in it.log.lines
    assert len(list(kept.glob("*.eml"))) == 1


def test_mail_without_a_receiver_goes_to_the_user_of_the_job(tmp_path):
    command, kept = mailer(tmp_path)
    with daemon(NotifySettings(mail_command=command)) as it:
        it.notices.offer(job("end"), "end", view())
        it.hears("notice sent")
    assert "To: ada\n" in next(kept.glob("*.eml")).read_text()


def test_a_webhook_gets_what_is_documented_and_no_secrets():
    with Receiver() as receiver, daemon() as it:
        elements = {"total": 9, "counts": {"FAILED": 9}, "failed": [{"element": 1}] * 1000}
        document = view(command=["login", "--password", "x"], env={"A": "b"}, elements=elements)
        it.notices.offer(job("fail", webhook=receiver.url), "fail", document)
        it.go_round(lambda: not receiver.got.empty())
        found = receiver.next().json["job"]
    assert found["id"] == 12
    assert found["elements"] == {"total": 9, "counts": {"FAILED": 9}}
    assert not {"command", "env", "script"} & set(found)


def test_the_desktop_is_that_of_the_job():
    asked = []

    def environment(of):
        asked.append(of.id)
        return {"DISPLAY": ":7", "PATH": "/evil"}

    it = Notices(OPEN, Log(), selectors.DefaultSelector(), environment)
    assert it._notice(job("end", desktop=True), "end", view()).session == {"DISPLAY": ":7"}
    assert it._notice(job("end", mail="ada"), "end", view()).session == {}
    assert asked == [12]
    assert session_of({}) == {}


def test_the_configuration_reaches_the_messenger():
    assert ways_of(object()) == Ways()
    assert ways_of(OPEN).webhook_private
    with Receiver() as receiver, daemon(NotifySettings()) as it:
        hook = job("end", webhook=receiver.url)
        it.notices.offer(hook, "end", view())
        it.hears("notice not delivered")
        it.notices.settle(OPEN)
        it.notices.offer(hook, "end", view())
        it.hears("notice sent")


# -- the messenger's life


def test_one_messenger_serves_all_and_another_follows_when_it_dies():
    with Receiver() as receiver, daemon() as it:
        hook = job("end", webhook=receiver.url)
        it.notices.offer(hook, "end", view())
        it.hears("notice sent")
        first = it.pid
        it.notices.offer(hook, "end", view())
        it.hears("notice sent", 2)
        assert it.pid == first
        os.kill(first, signal.SIGKILL)
        it.hears("the messenger has died")
        assert it.pid == 0
        it.notices.offer(hook, "end", view())
        it.hears("notice sent", 3)
        assert it.pid not in (0, first)


def test_a_death_that_was_not_noticed_yet_loses_no_new_notice():
    with Receiver() as receiver, daemon() as it:
        hook = job("end", webhook=receiver.url)
        it.notices.offer(hook, "end", view())
        it.hears("notice sent")
        first = it.pid
        os.kill(first, signal.SIGKILL)
        assert wait_for_exit(first, PATIENCE)
        it.notices.offer(hook, "end", view())
        it.hears("notice sent", 2)


@pytest.mark.parametrize(
    "command", [("/bin/false",), ("/no/such/program",), (sys.executable, "-c", "")]
)
def test_a_messenger_that_cannot_live_is_not_started_for_ever(monkeypatch, command):
    monkeypatch.setattr(module, "COMMAND", command)
    with daemon() as it:
        for _ in range(10):
            it.notices.offer(job("end", mail="ada"), "end", view())
            it.go_round(lambda: it.pid == 0)
        started = it.log.count("the messenger has started")
        failed = it.log.count("the messenger could not be started")
        assert started + failed == module.MOST_STARTS


def test_a_messenger_that_does_not_read_costs_the_daemon_a_bounded_queue():
    with Receiver() as receiver, daemon() as it:
        hook = job("end", webhook=receiver.url)
        it.notices.offer(hook, "end", view())
        it.hears("notice sent")
        os.kill(it.pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            for _ in range(200):
                it.notices.offer(hook, "end", view(comment="x" * 20_000))
            assert time.monotonic() - began < PATIENCE
            assert it.notices._link._waiting <= module.QUEUE
            assert it.log.count("the messenger does not keep up: notices are dropped") == 1
        finally:
            os.kill(it.pid, signal.SIGCONT)
        it.hears("notices were dropped")
        [count] = [
            fields["count"] for _, said, fields in it.log.lines if said == "notices were dropped"
        ]
        it.hears("notice sent", 1 + 200 - count)
        assert receiver.got.qsize() == 1 + 200 - count


def test_a_notice_that_cannot_be_said_is_logged_and_dropped():
    with daemon() as it:
        it.notices.offer(job("end", mail="ada"), "end", view(comment=object()))
        it.notices.offer(job("end", mail="ada"), "end", view(comment="x" * 100_000))
        assert it.log.count("a notice could not be made") == 1
        assert it.log.count("a notice is too long and was dropped") == 1
        assert it.pid == 0


def test_closing_hands_over_what_waits():
    with Receiver() as receiver:
        with daemon() as it:
            for _ in range(100):
                it.notices.offer(job("end", webhook=receiver.url), "end", view(comment="x" * 4000))
        assert receiver.got.qsize() == 100
        assert it.log.count("the messenger has died") == 0


def test_closing_does_not_wait_for_a_receiver_that_never_answers(monkeypatch):
    monkeypatch.setattr(module, "GOODBYE", 0.1)
    with Silent() as silent, daemon() as it:
        it.notices.offer(job("end", webhook=silent.url), "end", view())
        began = time.monotonic()
        it.notices.close()
        assert time.monotonic() - began < 1.0


def test_closing_twice_or_unused_is_nothing():
    it = Daemon()
    it.notices.close()
    it.notices.close()
    assert it.log.lines == []
