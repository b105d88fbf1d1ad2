"""What a notice says: to people as a mail or a note on the desktop, to programs as JSON. Pure."""

from __future__ import annotations

from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any, Final

import msgspec

from hpcshell.core.addresses import check_mail
from hpcshell.core.units import format_duration, format_size
from hpcshell.core.words import safe
from hpcshell.daemon.messenger.wire import SCHEMA, Notice

_WHAT: Final = {
    "begin": "has begun",
    "end": "has ended",
    "fail": "has failed",
    "requeue": "goes back to the queue",
    "time_limit": "has reached its time limit",
}
LONGEST_SUBJECT: Final = 200


def headline(notice: Notice) -> str:
    """`Job 12 census has failed: FAILED, exit code 3`, on one line."""
    job = notice.job
    text = f"Job {job.get('label') or job.get('id')} {job.get('name') or ''}".rstrip()
    text = f"{text[:LONGEST_SUBJECT]} {_WHAT.get(notice.event, notice.event)}"
    if notice.event in ("end", "fail"):
        text += f": {job.get('state')}" + _code(job)
    return safe(text)


def _code(job: dict[str, Any]) -> str:
    if job.get("signal"):
        return f", signal {job['signal']}"
    return f", exit code {job['exit_code']}" if job.get("exit_code") else ""


def details(notice: Notice) -> list[tuple[str, str]]:
    """What else a person wants to know: names and printable values."""
    job = notice.job
    found = [
        ("Job", f"{job.get('label') or job.get('id')} ({job.get('name')})"),
        ("State", f"{job.get('state')}{_code(job)}"),
        ("Why", job.get("reason")),
        ("Elements", _elements(job.get("elements"))),
        ("User", job.get("user")),
        ("Machine", ", ".join(job.get("nodes") or ())),
        ("Submitted", _instant(job.get("submit_time"))),
        ("Started", _instant(job.get("start_time"))),
        ("Ended", _instant(job.get("end_time"))),
        ("Ran for", _between(job.get("start_time"), job.get("end_time"))),
        ("Time limit", _duration(job.get("time_limit"))),
        ("Peak memory", _memory(job.get("usage"))),
        ("Output", job.get("stdout")),
        ("Errors", job.get("stderr")),
        ("Directory", job.get("cwd")),
        ("Comment", job.get("comment")),
    ]
    return [(name, safe(str(value))) for name, value in found if value]


def _elements(elements: Any) -> str:
    counts = elements.get("counts", {}) if elements else {}
    return ", ".join(f"{number:,} {state}" for state, number in counts.items())


def _memory(usage: Any) -> str:
    if not usage or not usage.get("max_rss"):
        return ""
    return ("at most " if usage.get("max_rss_at_most") else "") + format_size(usage["max_rss"])


def _duration(seconds: float | None) -> str:
    return format_duration(seconds) if seconds else ""


def _between(start: float | None, end: float | None) -> str:
    return format_duration(round(end - start)) if start and end and end >= start else ""


def _instant(unix: float | None) -> str:
    """Local time with its zone, to the second."""
    if not unix:
        return ""
    return datetime.fromtimestamp(int(unix)).astimezone().isoformat(" ", "seconds")


def body(notice: Notice) -> str:
    """The text of a mail: a sentence and a table. Every line begins with a word of ours."""
    table = "".join(f"{name + ':':13}{value}\n" for name, value in details(notice))
    story = f"hpc show --story {notice.job.get('label')}"
    return f"{headline(notice)}.\n\n{table}\nThe whole story: {story}\n"


def mail(notice: Notice, sender: str, delivery: str) -> EmailMessage:
    """The whole mail. Raises `Wrong` for a receiver or sender that is no address."""
    letter = EmailMessage()
    letter["To"] = check_mail(notice.mail, "mail").replace(",", ", ")
    if sender:
        letter["From"] = check_mail(sender, "notify.mail_from")
    letter["Subject"] = headline(notice)
    letter["Date"] = format_datetime(datetime.fromtimestamp(notice.time).astimezone())
    letter["Auto-Submitted"] = "auto-generated"
    letter["X-HPCShell-Job"] = str(notice.job.get("label") or notice.job.get("id"))
    letter["X-HPCShell-Event"] = notice.event
    letter["X-HPCShell-Delivery"] = delivery
    letter.set_content(body(notice))
    return letter


def document(notice: Notice, delivery: str, host: str) -> bytes:
    """What a webhook is sent; `docs/how-to/notifications.md` describes it."""
    return msgspec.json.encode(
        {
            "schema": SCHEMA,
            "event": notice.event,
            "delivery": delivery,
            "time": notice.time,
            "host": host,
            "text": headline(notice),
            "job": notice.job,
        }
    )
