"""A real browser: Chromium, told what to do over a pipe in the words of its DevTools protocol.

    with chromium() as browser:
        page = browser.page(f"{server.url}/login")
        page.type("input[name=token]", token)
        page.click("button.main")
        page.path

It is installed where it is missing, asks nobody but this machine, and is ended with all of its
processes.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from tests.support.clusters.packages import need
from tests.support.homes import clean_environment

PATIENCE: Final = 60.0
"""Seconds for whatever is waited for."""
LOADED: Final = "Page.loadEventFired"
WORDS: Final = (
    *("--headless=new", "--remote-debugging-pipe", "--no-first-run", "--window-size=1100,800"),
    *("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-crash-reporter"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-default-apps", "--no-pings", "--password-store=basic", "--hide-scrollbars"),
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
)


class Browser:
    """A browser that runs."""

    def __init__(self, orders: int, answers: int) -> None:
        self._orders = orders
        self._answers = answers
        self._read = b""
        self._count = 0
        self._told: list[dict[str, Any]] = []

    def page(self, url: str) -> Page:
        """A new tab, which shows this."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        told = self.call("Target.attachToTarget", targetId=target, flatten=True)
        page = Page(self, told["sessionId"])
        page.open(url)
        return page

    def call(self, method: str, session: str | None = None, **named: Any) -> dict[str, Any]:
        """What the browser answers."""
        self._count += 1
        number = self._count
        order = {"id": number, "method": method, "params": named}
        if session is not None:
            order["sessionId"] = session
        os.write(self._orders, json.dumps(order).encode() + b"\0")
        answer = self.wait(lambda told: told.get("id") == number)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def wait(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first message of this kind that nobody has waited for yet."""
        until = time.monotonic() + PATIENCE
        while True:
            for at, told in enumerate(self._told):
                if wanted(told):
                    return self._told.pop(at)
            self._receive(until - time.monotonic())

    def forget(self, session: str) -> None:
        """Whatever this tab has told."""
        self._told = [told for told in self._told if told.get("sessionId") != session]

    def _receive(self, patience: float) -> None:
        there, _, _ = select.select([self._answers], [], [], max(0, patience))
        more = os.read(self._answers, 1 << 16) if there else b""
        assert more, "the browser says nothing more"
        *whole, self._read = (self._read + more).split(b"\0")
        self._told += [json.loads(each) for each in whole]


class Page:
    """A tab."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session
        self._call("Page.enable")
        self._call("Network.enable")

    def open(self, url: str) -> None:
        """Go there, as if somebody had typed the address."""
        self._loading(lambda: self._call("Page.navigate", url=url))

    def click(self, selector: str) -> None:
        """Click on what leads to another page, and wait for that."""
        element = f"document.querySelector({json.dumps(selector)})"
        self._loading(lambda: self.say(f"{element}.click()"))

    def type(self, selector: str, text: str) -> None:
        """Write into a field."""
        self.say(f"document.querySelector({json.dumps(selector)}).focus()")
        self._call("Input.insertText", text=text)

    def say(self, script: str) -> Any:
        """The value of a script's last expression."""
        told = self._call("Runtime.evaluate", expression=script, userGesture=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    @property
    def path(self) -> str:
        """Where the tab is."""
        return str(self.say("location.pathname"))

    @property
    def text(self) -> str:
        """What is to be read."""
        return str(self.say("document.body.innerText"))

    @property
    def kind(self) -> str:
        """The media type of what is shown."""
        return str(self.say("document.contentType"))

    @property
    def status(self) -> int:
        """Of the answer that is shown."""
        return int(self.say("performance.getEntriesByType('navigation')[0].responseStatus"))

    def picture(self, path: Path) -> None:
        """Write what is seen to a PNG file."""
        told = self._call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(told["data"]))

    def _loading(self, act: Callable[[], Any]) -> None:
        self._browser.forget(self._session)
        act()
        self._browser.wait(
            lambda told: (told.get("sessionId"), told.get("method")) == (self._session, LOADED)
        )

    def _call(self, method: str, **named: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **named)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window that knows nobody yet."""
    need({"chromium": "chromium"})
    with contextlib.ExitStack() as held:
        profile = held.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        reads, orders = _pipe(held)
        answers, writes = _pipe(held)
        moved = f'exec "$@" 3<&{reads} 4>&{writes}'  # it reads from 3 and answers on 4
        process = subprocess.Popen(
            ["bash", "-c", moved, "-", "chromium", *WORDS, f"--user-data-dir={profile}"],
            pass_fds=(reads, writes),
            env={**clean_environment(), "HOME": profile},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        held.callback(_end, process)
        yield Browser(orders, answers)


def _pipe(held: contextlib.ExitStack) -> tuple[int, int]:
    """Both ends, with numbers that are in nobody's way."""
    ends = []
    for each in os.pipe():
        ends.append(fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, 10))
        os.close(each)
        held.callback(os.close, ends[-1])
    return ends[0], ends[1]


def _end(process: subprocess.Popen[bytes]) -> None:
    """All of its processes are in one group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
