"""Commands that carry a notice: mail programs, the desktop's notifier. No shell; a time limit."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from typing import Final

from hpcshell.core.words import safe
from hpcshell.daemon.messenger.wire import Failed

MAILER_PATH: Final = "/usr/sbin:/usr/lib:/usr/bin:/usr/local/bin"
"""Where mail programs live beside the PATH."""

LONGEST_COMPLAINT: Final = 300


def find_mailer(command: tuple[str, ...]) -> tuple[list[str], bool]:
    """The command to run, and whether it takes a whole mail (sendmail) or a body (mail, mailx)."""
    path = os.pathsep.join((os.environ.get("PATH", ""), MAILER_PATH))
    if command and (program := shutil.which(command[0], path=path)):
        return [program, *command[1:]], True
    if command and os.path.basename(command[0]) != "sendmail":
        raise Failed(f"the mail command {safe(command[0])} was not found", again=False)
    if program := shutil.which("sendmail", path=path):
        return [program, "-t", "-i"], True
    if program := shutil.which("mail", path=path) or shutil.which("mailx", path=path):
        return [program], False
    raise Failed(
        "no mail program was found: install a sendmail, or set [notify] mail_command", again=False
    )


class Commands:
    """Runs commands and knows those that run, so that none is left behind."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._guard = threading.Lock()

    def run(
        self, argv: list[str], text: bytes, timeout: float, env: Mapping[str, str] | None = None
    ) -> None:
        """Run it with `text` on standard input. Raises `Failed` unless it ends with 0 in time."""
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
            given.write(text)
            given.seek(0)
            try:
                child = subprocess.Popen(
                    argv,
                    stdin=given,
                    stdout=subprocess.DEVNULL,
                    stderr=said,
                    env=None if env is None else {**os.environ, **env},
                    cwd="/",
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                raise Failed(
                    f"{safe(argv[0])} could not be started: {error}", again=True
                ) from error
            self._wait(child, timeout)
            if child.returncode != 0:
                said.seek(0)
                complaint = said.read(LONGEST_COMPLAINT).decode("utf-8", "replace").strip()
                raise Failed(
                    f"{safe(argv[0])} {_end(child.returncode)}: {safe(complaint)}", again=True
                )

    def _wait(self, child: subprocess.Popen[bytes], timeout: float) -> None:
        with self._guard:
            self._running.add(child)
        try:
            child.wait(timeout)
        except subprocess.TimeoutExpired:
            _kill(child)
            child.wait()
            raise Failed(f"the command did not end within {timeout:g} s", again=True) from None
        finally:
            with self._guard:
                self._running.discard(child)

    def kill_all(self) -> None:
        """Kill what runs, with all it has started."""
        with self._guard:
            for child in self._running:
                _kill(child)


def _kill(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def _end(code: int) -> str:
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
