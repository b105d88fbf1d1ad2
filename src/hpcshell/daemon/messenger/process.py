"""Carries notices to people: a process of its own, so that no mail or web server delays the daemon.

    python -m hpcshell.daemon.messenger      reads `messenger.wire` lines, reports on each notice

Every receiver has a lane: its notices go out one after the other, failures wait in it and nowhere
else. A few threads serve the lanes. When standard input closes, what lies ready is sent once, for a
few seconds, and the process ends. Nothing is kept on disk: a notice may be lost, or told twice.
"""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import socket
import stat
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import msgspec

from hpcshell.core.addresses import split_webhook
from hpcshell.core.errors import HpcError
from hpcshell.core.words import safe
from hpcshell.daemon.messenger.commands import Commands, find_mailer
from hpcshell.daemon.messenger.wire import (
    LONGEST_LINE,
    LONGEST_REPORT,
    Failed,
    Notice,
    Report,
    Ways,
    line,
    read_order,
    session_of,
)
from hpcshell.machine import clock

MOST_THREADS: Final = 32
LONGEST_LANE: Final = 200
MOST_LETTERS: Final = 10_000
FAREWELL: Final = 3.0
"""Seconds for what is under way once standard input has closed."""

LONGEST_ERROR: Final = 500

Tell = Callable[[Report], None]


@dataclass(frozen=True, slots=True)
class Letter:
    """A notice on its way to one receiver. `to` may be logged; `delivery` stays in every try."""

    notice: Notice
    to: str
    lane: str
    ways: Ways
    send: Callable[[Letter], None]
    delivery: str = field(default_factory=lambda: secrets.token_hex(8))

    def report(self, level: str, message: str, error: str = "") -> Report:
        job = self.notice.job
        return Report(
            level=level,
            message=message,
            job=str(job.get("label") or job.get("id") or "")[:64],
            event=self.notice.event,
            to=self.to[:LONGEST_ERROR],
            error=safe(error)[:LONGEST_ERROR],
        )


@dataclass(slots=True)
class Lane:
    """The letters of one receiver; `due` is when the first may be tried (again)."""

    letters: deque[Letter] = field(default_factory=deque)
    due: float = 0.0
    tries: int = 0
    busy: bool = False


class Lanes:
    """Hands letters to threads: one at a time for each receiver, many receivers at once."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._lanes: dict[str, Lane] = {}
        self._changed = threading.Condition()
        self._threads = 0
        self._letters = 0
        self._dropped = 0
        self._closing = False

    def put(self, letter: Letter) -> None:
        """Queue a letter. Beyond what a lane, or all together, may hold it is dropped."""
        with self._changed:
            lane = self._lanes.get(letter.lane) or Lane()
            if len(lane.letters) >= LONGEST_LANE or self._letters >= MOST_LETTERS:
                self._drop(letter)
                return
            self._lanes[letter.lane] = lane
            lane.due = lane.due or clock.monotonic()
            lane.letters.append(letter)
            self._letters += 1
            if self._threads < min(MOST_THREADS, len(self._lanes)):
                self._threads += 1
                threading.Thread(target=self._serve, daemon=True).start()
            self._changed.notify()

    def _drop(self, letter: Letter) -> None:
        """Reported when it begins, and with the number when a lane has emptied."""
        self._dropped += 1
        if self._dropped == 1:
            self._tell(letter.report("warning", "too many notices wait: this one is dropped"))

    def finish(self, seconds: float) -> bool:
        """Try what lies ready, wait for nothing else. Whether all threads were done in time."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._threads == 0, seconds)

    def _serve(self) -> None:
        while (taken := self._take()) is not None:
            name, lane = taken
            failure = _try(lane.letters[0])
            with self._changed:
                self._settle(name, lane, failure)
                self._changed.notify()
        with self._changed:
            self._threads -= 1
            self._changed.notify_all()

    def _take(self) -> tuple[str, Lane] | None:
        """The lane due the longest, waited for; None when closing and nothing is due."""
        with self._changed:
            while True:
                free = [(lane.due, name) for name, lane in self._lanes.items() if not lane.busy]
                due, name = min(free, default=(None, ""))
                wait = None if due is None else due - clock.monotonic()
                if wait is not None and wait <= 0:
                    self._lanes[name].busy = True
                    return name, self._lanes[name]
                if self._closing:
                    return None
                self._changed.wait(wait)

    def _settle(self, name: str, lane: Lane, failure: Failed | None) -> None:
        """The first letter is done with, or tried again later."""
        letter = lane.letters[0]
        lane.busy = False
        lane.tries += 1
        if failure is not None and failure.again and lane.tries < letter.ways.attempts:
            wait = letter.ways.delay * 4 ** (lane.tries - 1) * random.uniform(0.9, 1.1)
            lane.due = clock.monotonic() + wait
            return
        lane.letters.popleft()
        self._letters -= 1
        lane.due, lane.tries = clock.monotonic(), 0
        if failure is None:
            self._tell(letter.report("info", "notice sent"))
        else:
            self._tell(letter.report("warning", "notice not delivered", failure.message))
        if not lane.letters:
            del self._lanes[name]
            if self._dropped:
                self._tell(Report(level="warning", message=f"{self._dropped} notices were dropped"))
                self._dropped = 0


def _try(letter: Letter) -> Failed | None:
    try:
        letter.send(letter)
    except Failed as failure:
        return failure
    except HpcError as error:
        return Failed(error.message, again=False)
    except Exception as error:  # one notice that trips us must not take the others along
        return Failed(f"a defect of ours: {error!r}", again=False)
    return None


# ------------------------------------------------------------------------------------ ways to tell


def letters_of(notice: Notice, ways: Ways, commands: Commands) -> Iterator[Letter]:
    """One letter for each way the notice goes."""
    if notice.mail:
        send = partial(send_mail, commands)
        yield Letter(notice, notice.mail, f"mail {notice.mail}", ways, send)
    if notice.webhook:
        site = _site(notice.webhook)
        yield Letter(notice, site, f"webhook {site}", ways, send_webhook)
    if notice.desktop:
        yield Letter(notice, "desktop", "desktop", ways, partial(send_desktop, commands))


def _site(url: str) -> str:
    try:
        return split_webhook(url).site
    except HpcError:
        return "webhook"


def send_mail(commands: Commands, letter: Letter) -> None:
    """By the configured command, else by the sendmail, mail or mailx there is."""
    from hpcshell.daemon.messenger.letters import body, headline, mail

    ways, notice = letter.ways, letter.notice
    whole = mail(notice, ways.mail_from, letter.delivery)
    argv, takes_all = find_mailer(ways.mail_command)
    text = whole.as_bytes() if takes_all else body(notice).encode("utf-8", "replace")
    if not takes_all:
        argv += ["-s", headline(notice), *str(whole["To"]).split(", ")]
    commands.run(argv, text, ways.mail_timeout)


def send_webhook(letter: Letter) -> None:
    """By one POST; a receiver tells repetitions by the delivery's id."""
    from hpcshell.daemon.messenger.letters import document
    from hpcshell.daemon.messenger.web import post

    content = document(letter.notice, letter.delivery, socket.gethostname())
    headers = {"X-HPCShell-Event": letter.notice.event, "X-HPCShell-Delivery": letter.delivery}
    post(letter.notice.webhook, content, letter.ways, headers)


def send_desktop(commands: Commands, letter: Letter) -> None:
    """By notify-send or the configured command, on the desktop the job was submitted from."""
    import html
    import shutil

    from hpcshell.daemon.messenger.letters import details, headline

    command, *more = letter.ways.desktop_command or ("",)
    program = shutil.which(command) if command else None
    if program is None:
        raise Failed(f"the desktop command {safe(command)!r} was not found", again=False)
    wanted = ("State", "Elements", "Ran for", "Why")
    text = "\n".join(f"{name}: {value}" for name, value in details(letter.notice) if name in wanted)
    if os.path.basename(command) == "notify-send":  # which reads mark-up in the text
        text = html.escape(text, quote=False)
    session = session_of(letter.notice.session)
    commands.run(
        [program, *more, headline(letter.notice), text], b"", letter.ways.mail_timeout, session
    )


# ------------------------------------------------------------------------------------ the process


def read_lines(descriptor: int) -> Iterator[bytes]:
    """Whole lines until the other side closes; one longer than a notice can be is skipped."""
    rest, skipping = b"", False
    while chunk := os.read(descriptor, LONGEST_LINE):
        first, *lines = chunk.split(b"\n")
        rest += first
        for following in lines:
            if not skipping and len(rest) <= LONGEST_LINE:
                yield rest
            rest, skipping = following, False
        if len(rest) > LONGEST_LINE:
            rest, skipping = b"", True


def reporter(descriptor: int) -> Tell:
    """Writes reports; what does not fit at once is dropped: a slow reader delays nothing."""
    if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        os.set_blocking(descriptor, False)

    def tell(report: Report) -> None:
        text = line(report)
        if len(text) <= LONGEST_REPORT:
            with contextlib.suppress(OSError):
                os.write(descriptor, text)

    return tell


def serve(lines: Iterator[bytes], tell: Tell, farewell: float = FAREWELL) -> None:
    """Carry notices until the lines end, then finish what is under way."""
    ways, commands, lanes = Ways(), Commands(), Lanes(tell)
    for text in lines:
        try:
            order = read_order(text)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            tell(
                Report(level="error", message="a notice was not understood", error=str(error)[:200])
            )
            continue
        if isinstance(order, Ways):
            ways = order
            continue
        for letter in letters_of(order, ways, commands):
            lanes.put(letter)
    if not lanes.finish(farewell):
        commands.kill_all()


def main() -> None:
    """Serve standard input until it closes."""
    serve(read_lines(0), reporter(1))
    sys.stderr.flush()
    os._exit(0)  # threads that hang in a look-up are not waited for
