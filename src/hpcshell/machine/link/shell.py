"""Programs for `sh` on the far side of a shared connection, and what comes back of them."""

from __future__ import annotations

import contextlib
import os
from typing import Final

from hpcshell.core.errors import Broken
from hpcshell.machine import clock
from hpcshell.machine.link import far, process
from hpcshell.machine.link.contract import LinkDown
from hpcshell.machine.link.local import LocalLink
from hpcshell.machine.link.master import Master
from hpcshell.machine.link.troubles import link_down, nothing_sent

_AT_ONCE: Final = 8
"""Sessions of one connection; servers take ten unless they are told otherwise."""
_SSH_FAILED: Final = 255
_FOR_FILES: Final = 300.0
_KNOWN_FOR: Final = 3600.0
_TO_GREET = 30.0
_TO_END: Final = 5.0


class FarShell:
    """What the far `sh` does for a link."""

    def __init__(self, master: Master) -> None:
        import threading

        self.master = master
        self._few = threading.BoundedSemaphore(_AT_ONCE)
        self._greeting = threading.Lock()
        self._greeted: far.Greeted | None = None

    def greeted(self) -> far.Greeted:
        """Who we are there; asked once by all who share the connection, and again every hour."""
        with self._greeting:
            if self._greeted is None:
                self.master.ensure()
                self._greeted = self._known() or self._greet()
            return self._greeted

    def _known(self) -> far.Greeted | None:
        """What another process has learnt."""
        try:
            with open(self.master.account, "rb") as file:
                fresh = clock.now() - os.fstat(file.fileno()).st_mtime < _KNOWN_FOR
                return far.unpacked(file.read()) if fresh else None
        except OSError:
            return None

    def _greet(self) -> far.Greeted:
        word = far.new_word()
        program = far.command_program(word, {}, far.greeting(word))
        ended = self.exchange(word, program, b"", _TO_GREET)
        said = far.heard(word, len(far.GREETING), ended.out, ended.err)
        greeted = far.greeted(word, said, noisy=not ended.out.startswith(b"\n" + word.encode()))
        if not greeted.home:
            raise link_down(self.master.destination, ended.err.decode(errors="replace"))
        directory, name = os.path.split(self.master.account)
        with contextlib.suppress(Broken):
            LocalLink().write(directory, {name: (far.packed(greeted), 0o600)})
        return greeted

    def forget(self) -> None:
        self._greeted = None

    def exchange(self, word: str, program: bytes, stdin: bytes, patience: float) -> process.Ended:
        """Has a program run by `sh` over there. Raises `LinkDown` when it certainly was not."""
        self.master.ensure()
        argv = self.master.session(far.first_line(len(program), word))
        with self._few:
            ended = process.run(argv, os.environ, program + stdin, patience)
        if f"\n{word} ".encode() not in ended.out:
            self._check_begun(ended)
        elif ended.code is None:
            self._end(word, ended)
        return ended

    def _check_begun(self, ended: process.Ended) -> None:
        err = ended.err.decode(errors="replace")
        if ended.missing or (ended.code == _SSH_FAILED and nothing_sent(err)):
            raise link_down(self.master.destination, err)
        if ended.code not in (None, _SSH_FAILED):
            raise LinkDown(
                f"{self.master.destination} runs no commands"
                f" ({(err or ended.out.decode(errors='replace')).strip()[:200]}).",
                hint="Does `ssh HOST true` work by hand? The account may be closed or restricted.",
            )

    def _end(self, word: str, ended: process.Ended) -> None:
        """Kills over there what has been given up here, as far as it can be reached."""
        begun = max((each.begun for each in far.heard(word, 1, ended.out, b"")), default=0)
        if begun and self.master.up():
            with contextlib.suppress(LinkDown):
                body = f"case $(tr '\\0' ' ' </proc/{begun}/cmdline) in"
                body += f" *{word}*) kill -s KILL -- -{begun} ;; esac"
                mine = far.new_word()
                self.exchange(mine, far.body_program(mine, body), b"", _TO_END)

    def ask(self, body: str, stdin: bytes = b"", patience: float = _FOR_FILES) -> far.Said:
        """Has lines of `sh` run over there. Raises `LinkDown` when no end of it is seen: it may
        have been done, and can be done again."""
        word = far.new_word()
        ended = self.exchange(word, far.body_program(word, body), stdin, patience)
        (said,) = far.heard(word, 1, ended.out, ended.err)
        if said.code is None:
            raise link_down(self.master.destination, loss(ended))
        return said

    def broken(self, what: str, said: far.Said) -> Broken:
        """The error for what an `ask` could not do."""
        told = said.err.decode(errors="replace").strip() or f"exit code {said.code}"
        where = self.master.destination
        return Broken(f"{what} on {where}: {told}.", hint="Is there room, and is it yours?")


def loss(ended: process.Ended) -> str:
    """Why there is no end of an answer."""
    last = [line for line in ended.err.decode(errors="replace").splitlines() if line.strip()]
    return ended.why or "\n".join(["the connection broke", *last[-1:]])
