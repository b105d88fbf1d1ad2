"""What notices say: one subject line, a printable table, JSON with a version."""

import email
import json
from email import policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.daemon.messenger.letters import body, document, headline, mail
from hpcshell.daemon.messenger.wire import Notice


def notice(event="end", mail="ada@example.org", **job):
    known = {"id": 12, "label": "12", "name": "census", "user": "ada", "state": "COMPLETED"}
    return Notice(event=event, time=1_700_000_000.0, job=known | job, mail=mail)


def parsed(letter):
    return email.message_from_bytes(letter.as_bytes(), policy=policy.default)


@pytest.mark.parametrize(
    ("event", "job", "says"),
    [
        ("begin", {"state": "RUNNING"}, "Job 12 census has begun"),
        ("end", {}, "Job 12 census has ended: COMPLETED"),
        ("end", {"state": "CANCELLED"}, "Job 12 census has ended: CANCELLED"),
        (
            "fail",
            {"state": "FAILED", "exit_code": 3},
            "Job 12 census has failed: FAILED, exit code 3",
        ),
        ("fail", {"state": "FAILED", "signal": 9}, "Job 12 census has failed: FAILED, signal 9"),
        ("requeue", {"label": "12_3"}, "Job 12_3 census goes back to the queue"),
        ("time_limit", {}, "Job 12 census has reached its time limit"),
    ],
)
def test_the_subject_says_what_happened(event, job, says):
    assert headline(notice(event, **job)) == says


def test_a_mail_says_who_when_and_how_much():
    text = body(
        notice(
            start_time=1_700_000_000.0,
            end_time=1_700_000_090.0,
            usage={"max_rss": 3 << 30},
            elements={"total": 1000, "counts": {"COMPLETED": 998, "FAILED": 2}},
            stdout="/home/ada/hpc-12.out",
            nodes=["lab1"],
        )
    )
    for expected in ("1m 30s", "3G", "998 COMPLETED, 2 FAILED", "/home/ada/hpc-12.out", "lab1"):
        assert expected in text


def test_a_mail_is_marked_as_written_by_a_machine():
    letter = parsed(mail(notice(), "", "d1"))
    assert letter["To"] == "ada@example.org"
    assert letter["From"] is None
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["X-HPCShell-Job"] == "12"
    assert parsed(mail(notice(), "hpc@example.org", "d1"))["From"] == "hpc@example.org"


@pytest.mark.parametrize(
    "name",
    [
        "x\nBcc: eve@example.org",
        "x\r\nBcc: eve@example.org\r\n\r\nhello",
        "x\n.\nQUIT",
        "x\u2028Bcc: eve@example.org",
        "x\x85Bcc: eve@example.org",
        "\x1b]52;c;aGk=\x07",
        "‮gnp.exe",
        "\udcff",
        "日本語" * 80,
        "x" * 10_000,
    ],
)
def test_no_name_adds_a_header_or_speaks_to_a_terminal(name):
    letter = parsed(mail(notice(name=name, comment=name, reason=name), "", "d1"))
    assert letter["Bcc"] is None
    assert letter["To"] == "ada@example.org"
    assert letter["Subject"].startswith("Job 12 ")
    assert "\x1b" not in letter.as_string()
    assert all(line.isprintable() for line in letter.get_content().split("\n"))


@given(st.text(max_size=300))
def test_whatever_a_job_is_called_a_mail_has_our_headers_and_no_others(name):
    letter = parsed(mail(notice(name=name), "", "d1"))
    assert set(letter.keys()) <= {
        "To",
        "Subject",
        "Date",
        "Auto-Submitted",
        "X-HPCShell-Job",
        "X-HPCShell-Event",
        "X-HPCShell-Delivery",
        "MIME-Version",
        "Content-Type",
        "Content-Transfer-Encoding",
    }


@pytest.mark.parametrize("bad", ["a@b\nBcc: c@d", "-f", "a;b", ""])
def test_a_receiver_is_checked_again(bad):
    with pytest.raises(Wrong):
        mail(notice(mail=bad), "", "d1")
    with pytest.raises(Wrong):
        mail(notice(), bad or "\n", "d1")


def test_a_document_has_a_version_an_id_and_the_job():
    found = json.loads(document(notice("begin"), "d1", "lab1"))
    assert found["schema"] == 1
    assert (found["event"], found["delivery"], found["host"]) == ("begin", "d1", "lab1")
    assert found["text"] == "Job 12 census has begun"
    assert found["job"]["id"] == 12
