"""The messenger: what it is told arrives, bad receivers delay nobody, nothing is left behind."""

import contextlib
import email
import os
import queue
import subprocess
import sys
from email import policy
from pathlib import Path

import msgspec
import pytest

from hpcshell.daemon.messenger import process as messenger
from hpcshell.daemon.messenger.commands import find_mailer
from hpcshell.daemon.messenger.process import read_lines, serve
from hpcshell.daemon.messenger.wire import (
    Failed,
    Notice,
    Report,
    Ways,
    line,
    read_report,
    session_of,
)
from tests.support.homes import wait_for_exit
from tests.support.receivers import PATIENCE, Receiver, Silent, mailer, script

COMMAND = [sys.executable, "-P", "-m", "hpcshell.daemon.messenger"]
OPEN = Ways(webhook_private=True, delay=0.01, attempts=3)


def notice(event="end", **to):
    job = {"id": 12, "label": "12", "name": "census", "state": "COMPLETED"} | to.pop("job", {})
    return Notice(event=event, time=1_700_000_000.0, job=job, **to)


class Messenger:
    """The real process: lines in, reports out."""

    def __init__(self, *first, env=None):
        self.child = subprocess.Popen(
            COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | (env or {})
        )
        self.say(*first)

    def say(self, *orders):
        self.write(b"".join(line(each) for each in orders))

    def write(self, raw):
        assert self.child.stdin is not None
        self.child.stdin.write(raw)
        self.child.stdin.flush()

    def report(self):
        assert self.child.stdout is not None
        return read_report(self.child.stdout.readline())

    def leave(self):
        """Close its input; what else it had to report."""
        out, _ = self.child.communicate(timeout=PATIENCE)
        assert self.child.returncode == 0
        return [read_report(text) for text in out.splitlines()]


@contextlib.contextmanager
def running(*first, **more):
    process = Messenger(*first, **more)
    try:
        yield process
    finally:
        if process.child.poll() is None:
            process.child.kill()
        process.child.communicate()


def carried(*orders, farewell=PATIENCE):
    """Serve these orders in this process until all is done; the reports."""
    reports: list[Report] = []
    serve((line(each).rstrip() for each in orders), reports.append, farewell)
    return reports


def mails_in(folder):
    return [
        email.message_from_bytes(path.read_bytes(), policy=policy.default)
        for path in sorted(folder.glob("*.eml"))
    ]


# -- mail


def test_a_mail_goes_out_by_the_configured_command(tmp_path):
    command, kept = mailer(tmp_path)
    with running(Ways(mail_command=command, mail_from="hpc@lab"), notice(mail="ada@lab,bob")) as it:
        report = it.report()
        assert it.leave() == []
    assert (report.level, report.message) == ("info", "notice sent")
    assert (report.job, report.event, report.to) == ("12", "end", "ada@lab,bob")
    [letter] = mails_in(kept)
    assert letter["To"] == "ada@lab, bob"
    assert letter["From"] == "hpc@lab"
    assert letter["Subject"] == "Job 12 census has ended: COMPLETED"
    assert next(kept.glob("*.args")).read_text() == "-t\n-i\n"


def test_no_name_of_a_job_becomes_a_header(tmp_path):
    command, kept = mailer(tmp_path)
    evil = "x\nBcc: eve@example.org\n\n.\n$(touch /tmp/evil)"
    [report] = carried(Ways(mail_command=command), notice(mail="ada", job={"name": evil}))
    assert report.message == "notice sent"
    [letter] = mails_in(kept)
    assert letter["Bcc"] is None
    assert letter["Subject"].count("\n") == 0


@pytest.mark.parametrize("bad", ["-f/etc/passwd", "a;rm -rf ~", "a@b\nBcc: c@d", "|sh", "a b"])
def test_a_receiver_that_is_none_is_refused_and_no_command_runs(tmp_path, bad):
    command, kept = mailer(tmp_path)
    [report] = carried(Ways(mail_command=command), notice(mail=bad))
    assert report.message == "notice not delivered"
    assert "no mail address" in report.error
    assert list(kept.iterdir()) == []


def test_a_command_that_fails_is_tried_again_and_then_given_up(tmp_path):
    tries = tmp_path / "tries"
    command = (script(tmp_path / "fails", f"echo x >> {tries}; echo queue full >&2; exit 75"),)
    [report] = carried_patiently(
        Ways(mail_command=command, delay=0.001, attempts=3), notice(mail="ada")
    )
    assert report.message == "notice not delivered"
    assert "exit code 75: queue full" in report.error
    assert tries.read_text() == "x\n" * 3


def carried_patiently(*orders):
    """The reports of the real process, which is not told to leave before it has one."""
    with running(*orders) as it:
        return [it.report(), *it.leave()]


def test_a_mail_program_that_hangs_is_killed_with_all_it_started(tmp_path):
    pipe, pids = tmp_path / "pipe", tmp_path / "pids"
    os.mkfifo(pipe)
    hang = script(tmp_path / "hangs", f"cat {pipe} &\necho $$ $! > {pids}\nwait\n")
    ways = Ways(mail_command=(hang,), mail_timeout=1.0, attempts=1)
    [report] = carried(ways, notice(mail="ada"))
    assert "did not end within 1 s" in report.error
    for pid in pids.read_text().split():
        assert wait_for_exit(int(pid), PATIENCE)


def test_leaving_kills_what_does_not_end(tmp_path):
    pipe, pids = tmp_path / "pipe", tmp_path / "pids"
    os.mkfifo(pipe)
    os.mkfifo(pids)
    hang = script(tmp_path / "hangs", f"echo $$ > {pids}\ncat {pipe}\n")
    started = []

    def lines():
        yield line(Ways(mail_command=(hang,), attempts=1)).rstrip()
        yield line(notice(mail="ada")).rstrip()
        started.append(int(Path(pids).read_text()))

    serve(lines(), lambda _: None, farewell=0.05)
    assert wait_for_exit(started[0], PATIENCE)


def test_without_a_configured_program_the_path_is_searched(tmp_path, monkeypatch):
    monkeypatch.setattr(messenger_commands(), "MAILER_PATH", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Failed, match="no mail program") as failure:
        find_mailer(("/nowhere/sendmail", "-t"))  # the usual one may well be on this machine
    assert not failure.value.again
    mail = script(tmp_path / "mail", "")
    assert find_mailer(("/nowhere/sendmail", "-t")) == ([mail], False)
    sendmail = script(tmp_path / "sendmail", "")
    assert find_mailer(("/nowhere/sendmail", "-t")) == ([sendmail, "-t", "-i"], True)
    with pytest.raises(Failed, match="msmtp was not found"):
        find_mailer(("msmtp", "-t"))


def messenger_commands():
    from hpcshell.daemon.messenger import commands as messenger_commands

    return messenger_commands


def test_the_program_called_mail_gets_subject_receivers_and_text(tmp_path, monkeypatch):
    kept = tmp_path / "kept"
    kept.mkdir()
    script(tmp_path / "mail", f'printf "%s\\n" "$@" > {kept}/args\ncat > {kept}/body\n')
    monkeypatch.setattr(messenger_commands(), "MAILER_PATH", "")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    if find_mailer(())[1]:
        pytest.skip("this machine has a sendmail")
    [report] = carried(Ways(mail_command=()), notice(mail="ada,bob", job={"name": "~!id\n~!id"}))
    assert report.message == "notice sent"
    arguments = (kept / "args").read_text().splitlines()
    assert arguments == ["-s", r"Job 12 ~!id\x0a~!id has ended: COMPLETED", "ada", "bob"]
    assert not any(text.startswith("~") for text in (kept / "body").read_text().splitlines())


# -- webhooks


def test_a_webhook_is_sent_the_documented_object():
    with Receiver() as receiver, running(OPEN, notice("begin", webhook=receiver.url)) as it:
        got = receiver.next()
        report = it.report()
    assert got.json["schema"] == 1
    assert got.json["event"] == got.headers["X-HPCShell-Event"] == "begin"
    assert got.json["delivery"] == got.headers["X-HPCShell-Delivery"]
    assert got.json["job"]["name"] == "census"
    assert report.message == "notice sent"
    assert report.to == f"http://127.0.0.1:{receiver.port}"  # without the path, which is a secret


def test_a_receiver_that_is_busy_is_tried_again_with_the_same_id():
    with Receiver([503, 429, 200]) as receiver, running(OPEN, notice(webhook=receiver.url)) as it:
        assert it.report().message == "notice sent"
        deliveries = {receiver.next().json["delivery"] for _ in range(3)}
    assert len(deliveries) == 1


def test_a_receiver_that_stays_busy_is_given_up_and_the_next_notice_is_tried():
    with Receiver([503, 503, 503, 200]) as receiver:
        orders = [notice(event, webhook=receiver.url) for event in ("begin", "end")]
        with running(OPEN, *orders) as it:
            first, second = it.report(), it.report()
    assert (first.event, first.message) == ("begin", "notice not delivered")
    assert first.error == "it answered 503"
    assert (second.event, second.message) == ("end", "notice sent")


def test_a_receiver_that_refuses_is_not_asked_again():
    with Receiver([404]) as receiver:
        [report] = carried(OPEN, notice(webhook=receiver.url))
        assert report.error == "it answered 404"
        receiver.next()
        assert receiver.got.empty()


def test_private_receivers_need_the_configuration():
    with Receiver() as receiver:
        [report] = carried(Ways(), notice(webhook=receiver.url))
        assert "a loopback address" in report.error
        assert receiver.got.empty()


def test_bad_receivers_delay_nobody_else(tmp_path):
    command, kept = mailer(tmp_path)
    ways = msgspec.structs.replace(OPEN, mail_command=command, webhook_timeout=PATIENCE)
    with contextlib.ExitStack() as stack:
        dead = [stack.enter_context(Silent()) for _ in range(8)]
        good = stack.enter_context(Receiver())
        it = stack.enter_context(running(ways))
        it.say(*(notice(webhook=each.url) for each in dead for _ in range(10)))
        it.say(*(notice(webhook=good.url, mail="ada") for _ in range(5)))
        reports = [it.report() for _ in range(10)]
    assert {report.message for report in reports} == {"notice sent"}
    assert len(mails_in(kept)) == 5


def test_one_receiver_gets_its_notices_in_order():
    with Receiver() as receiver:
        carried(OPEN, *(notice(webhook=receiver.url, job={"id": n}) for n in range(50)))
        assert [receiver.next().json["job"]["id"] for _ in range(50)] == list(range(50))


def test_too_many_notices_for_one_receiver_are_dropped_and_counted(monkeypatch):
    monkeypatch.setattr(messenger, "LONGEST_LANE", 3)
    free: queue.Queue[None] = queue.Queue()

    def blocked(letter):
        free.get(timeout=PATIENCE)

    monkeypatch.setattr(messenger, "send_webhook", blocked)

    def lines():
        for _ in range(10):
            yield line(notice(webhook="http://example.org/")).rstrip()
        for _ in range(3):
            free.put(None)

    reports: list[Report] = []
    serve(lines(), reports.append, PATIENCE)
    sent = [report for report in reports if report.message == "notice sent"]
    assert len(sent) == 3
    assert reports[0].message.startswith("too many notices wait")
    assert reports[-1].message == "7 notices were dropped"


# -- the desktop


def test_a_desktop_note_is_shown_on_the_desktop_of_the_job(tmp_path):
    told = tmp_path / "told"
    command = script(
        tmp_path / "notify-send",
        f'printf "%s|" "$DISPLAY" "$DBUS_SESSION_BUS_ADDRESS" "$LD_PRELOAD" "$@" > {told}',
    )
    session = {
        "DISPLAY": ":7",
        "DBUS_SESSION_BUS_ADDRESS": "unix:path=/x",
        "LD_PRELOAD": "/evil.so",
    }
    order = notice(desktop=True, session=session, job={"reason": "<b>done</b> & gone"})
    [report] = carried(Ways(desktop_command=(command,)), order)
    assert report.message == "notice sent"
    display, bus, preload, title, text, _ = told.read_text().split("|")
    assert (display, bus, preload) == (":7", "unix:path=/x", "")
    assert title == "Job 12 census has ended: COMPLETED"
    assert "&lt;b&gt;done&lt;/b&gt; &amp; gone" in text


def test_without_a_notifier_the_log_says_so():
    [report] = carried(Ways(desktop_command=("no-such-notifier",)), notice(desktop=True))
    assert report.message == "notice not delivered"
    assert "no-such-notifier" in report.error


@pytest.mark.parametrize(
    "bus", ["unixexec:path=/bin/sh", "unix:path=/x;unixexec:path=/bin/sh", "tcp:host=x"]
)
def test_a_bus_that_starts_a_program_is_no_bus(bus):
    assert session_of({"DBUS_SESSION_BUS_ADDRESS": bus, "DISPLAY": ":0", "PATH": "/x"}) == {
        "DISPLAY": ":0"
    }


# -- the process


def test_it_leaves_by_itself_when_its_input_closes():
    with running() as it:
        assert it.leave() == []


def test_it_leaves_though_a_receiver_never_answers():
    with Silent() as silent, running(OPEN, notice(webhook=silent.url)) as it:
        assert it.leave() == []


def test_what_was_told_before_its_input_closed_is_still_sent():
    with Receiver() as receiver:
        with running(OPEN, *(notice(webhook=receiver.url) for _ in range(20))) as it:
            assert len(it.leave()) == 20
        assert receiver.got.qsize() == 20


def test_it_outlives_nonsense():
    with Receiver() as receiver, running() as it:
        it.write(b'garbage\n{}\n[]\n\xff\xfe\n{"type":"notice"}\n' + b"[" * 50_000 + b"\n")
        it.write(b"x" * 1_000_000 + b"\n")
        it.say(OPEN, notice(webhook=receiver.url))
        receiver.next()
        messages = [it.report().message for _ in range(7)]
    assert messages == ["a notice was not understood"] * 6 + ["notice sent"]


def test_lines_are_whole_whatever_the_pieces(tmp_path):
    reading, writing = os.pipe()
    for piece in (b"on", b"e\ntwo\nth", b"ree\n", b"half"):
        os.write(writing, piece)
    os.close(writing)
    assert list(read_lines(reading)) == [b"one", b"two", b"three"]
    os.close(reading)


def test_a_reader_that_does_not_read_delays_nothing():
    reading, writing = os.pipe()
    tell = messenger.reporter(writing)
    for _ in range(10_000):
        tell(Report(level="info", message="notice sent"))
    os.close(reading)
    tell(Report(level="info", message="notice sent"))
    os.close(writing)


def test_a_defect_of_ours_takes_no_other_notice_along(tmp_path):
    command, _ = mailer(tmp_path)
    orders = [notice(mail="ada", job={"start_time": 1e300}), notice(mail="ada")]
    first, second = carried(Ways(mail_command=command), *orders)
    assert "defect" in first.error
    assert second.message == "notice sent"
