"""The words between the daemon and the messenger: one JSON object a line, both ways.

To the messenger: `Ways` first (and again when the configuration changes), then a `Notice` for each
event. From it: a `Report` for each notice that was sent, given up or thrown away.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from hpcshell.core.records import Record

SCHEMA: Final = 1
"""The version of what webhooks are sent."""

LONGEST_LINE: Final = 64 * 1024
LONGEST_REPORT: Final = 4000
"""Less than PIPE_BUF: such a write to a pipe is done whole or not at all."""

SENDMAIL: Final = ("/usr/sbin/sendmail", "-t", "-i")


SESSION: Final = (
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
)
"""What leads to a person's desktop; nothing else of a job's environment is taken."""


def session_of(environment: Mapping[str, str]) -> dict[str, str]:
    """The part of a job's environment that leads to its user's desktop.

    A bus is only reached by a Unix socket: D-Bus also knows addresses that start a program.
    """
    found = {name: environment[name] for name in SESSION if environment.get(name)}
    bus = found.get("DBUS_SESSION_BUS_ADDRESS", "unix:")
    if not bus.startswith("unix:") or ";" in bus:
        del found["DBUS_SESSION_BUS_ADDRESS"]
    return found


class Ways(Record, frozen=True, kw_only=True, tag="ways"):
    """How people are told. After a failure the wait is `delay`, then four times as long, and on."""

    mail_command: tuple[str, ...] = SENDMAIL
    mail_from: str = ""
    mail_timeout: float = 30.0
    desktop_command: tuple[str, ...] = ("notify-send",)
    webhook_timeout: float = 10.0
    webhook_private: bool = False
    attempts: int = 4
    delay: float = 2.0


class Notice(Record, frozen=True, kw_only=True, tag="notice"):
    """One event and who is told: `mail` (addresses), `webhook` (a URL), a desktop (`session`)."""

    event: str
    time: float
    job: dict[str, Any]
    mail: str = ""
    webhook: str = ""
    desktop: bool = False
    session: dict[str, str] = msgspec.field(default_factory=dict)


class Report(Record, frozen=True, kw_only=True):
    """What became of it, for the daemon's log. `to` has no path of a webhook: it may be secret."""

    level: str
    message: str
    job: str = ""
    event: str = ""
    to: str = ""
    error: str = ""


class Failed(Exception):
    """A notice was not taken: why, in a sentence, and whether it may be taken later."""

    def __init__(self, message: str, *, again: bool) -> None:
        super().__init__(message)
        self.message = message
        self.again = again


AnyOrder = Ways | Notice

_encode = msgspec.json.Encoder().encode
read_order = msgspec.json.Decoder(AnyOrder).decode
read_report = msgspec.json.Decoder(Report).decode


def line(words: AnyOrder | Report) -> bytes:
    """The object as one line. Raises TypeError or ValueError for what JSON cannot say."""
    return _encode(words) + b"\n"
