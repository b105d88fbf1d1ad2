"""The cluster whose login node is reached by the system's ssh, with the user's own configuration.

Nothing is installed there: `sh`, `head`, `tar` and their like are enough.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from typing import Final

from hpcshell.core.commands import Answer, Words
from hpcshell.core.errors import Broken
from hpcshell.machine import clock
from hpcshell.machine.link import far, process
from hpcshell.machine.link.contract import (
    Link,
    LinkDown,
    check_name,
    check_path,
    check_pattern,
    check_removable,
    check_words,
)
from hpcshell.machine.link.local import LocalLink
from hpcshell.machine.link.master import Master
from hpcshell.machine.link.troubles import link_down, nothing_sent

_AT_ONCE: Final = 8
"""Sessions of one connection; servers take ten unless they are told otherwise."""
_SSH_FAILED: Final = 255
_TO_GREET: Final = 30.0
_FOR_FILES: Final = 300.0
_KNOWN_FOR: Final = 3600.0
_TO_END: Final = 5.0
_NOT_THERE: Final = 44


class SshLink(Link):
    """Commands and files of another machine. One connection is shared by all that use the same
    `control` directory (that of the runtime files unless it is given); `options` are more words
    for ssh, `jump` is what its -J takes."""

    def __init__(
        self,
        destination: str,
        jump: str = "",
        options: Sequence[str] = (),
        control: str = "",
    ) -> None:
        import threading

        self.master = Master(destination, jump, options, control or _own_control())
        self._few = threading.BoundedSemaphore(_AT_ONCE)
        self._greeting = threading.Lock()
        self._greeted: far.Greeted | None = None

    # --------------------------------------------------------------------------------- commands

    def say(self, words: Words) -> Answer:
        return self.say_all([words])[0]

    def say_all(self, many: Sequence[Words]) -> list[Answer]:
        """As many as can be in one session; one that reads standard input has its own."""
        for words in many:
            check_words(words)
        answers: list[Answer] = []
        while len(answers) < len(many):
            group = _group(many[len(answers) :])
            answers += self._said(group, self._login())
        return answers

    def home(self) -> str:
        return self.greeted().home

    def user(self) -> str:
        return self.greeted().user

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

    def _login(self) -> Mapping[str, str]:
        return self.greeted().login

    def _greet(self) -> far.Greeted:
        word = far.new_word()
        program = far.command_program(word, {}, far.greeting(word))
        ended = self.exchange(word, program, b"", _TO_GREET)
        said = far.heard(word, len(far.GREETING), ended.out, ended.err)
        greeted = far.greeted(word, said, noisy=not ended.out.startswith(b"\n" + word.encode()))
        if not greeted.home:
            raise link_down(self.master.destination, ended.err.decode(errors="replace"))
        LocalLink().write(
            os.path.dirname(self.master.account),
            {os.path.basename(self.master.account): (far.packed(greeted), 0o600)},
        )
        return greeted

    def _said(self, group: Sequence[Words], login: Mapping[str, str]) -> list[Answer]:
        word = far.new_word()
        program = far.command_program(word, login, group)
        stdin = group[0].stdin if len(group) == 1 else b""
        ended = self.exchange(word, program, stdin, sum(words.patience for words in group))
        said = far.heard(word, len(group), ended.out, ended.err)
        return [_answer(words, each, ended) for words, each in zip(group, said, strict=True)]

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

    # ------------------------------------------------------------------------------------ files

    def write(self, directory: str, files: Mapping[str, tuple[bytes, int]]) -> None:
        from hpcshell.machine.link import archive

        directory = check_path(directory)
        last = far.new_word()
        packed = archive.packed({check_name(name): file for name, file in files.items()}, last)
        passing = f"{directory}.{last}"
        said = self.ask(archive.unpacking(directory, passing, files, last), packed)
        if said.code != 0:
            raise self.broken(f"{directory} cannot be written", said)

    def read(self, directory: str, names: str | Sequence[str]) -> dict[str, bytes]:
        from hpcshell.machine.link import archive

        directory = check_path(directory)
        if isinstance(names, str):
            listed = check_pattern(names)
        else:
            listed = " ".join(far.quoted(check_name(name)) for name in names)
        said = self.ask(archive.packing(directory, listed))
        return archive.unpacked(said.out)

    def read_from(self, path: str, offset: int, most: int) -> bytes | None:
        file = far.quoted(check_path(path))
        said = self.ask(
            f"if [ -f {file} ] && [ -r {file} ]\n"
            f"then tail -c +{offset + 1} {file} | head -c {most}\n"
            f"else exit {_NOT_THERE}; fi"
        )
        return said.out if said.code == 0 else None

    def sizes(self, paths: Sequence[str]) -> dict[str, int | None]:
        listed = " ".join(far.quoted(check_path(path)) for path in paths)
        said = self.ask(
            f"for path in {listed}; do\n"
            'if [ -f "$path" ]; then wc -c <"$path" || echo -; else echo -; fi\n'
            "done"
        )
        counts = said.out.split()
        if len(counts) != len(paths):
            raise self.broken("The sizes of files cannot be asked for", said)
        return {
            path: None if count == b"-" else int(count)
            for path, count in zip(paths, counts, strict=True)
        }

    def remove(self, directory: str) -> None:
        directory = check_removable(directory, self.home())
        said = self.ask(f"rm -rf {far.quoted(directory)}")
        if said.code != 0:
            raise self.broken(f"{directory} cannot be removed", said)

    def put(self, local: str, remote: str) -> None:
        from hpcshell.machine.link import copies

        copies.put(self, local, check_path(remote))

    def fetch(self, remote: str, local: str) -> None:
        from hpcshell.machine.link import copies

        copies.fetch(self, check_path(remote), local)

    def ask(self, body: str, stdin: bytes = b"", patience: float = _FOR_FILES) -> far.Said:
        """Has lines of `sh` run over there. Raises `LinkDown` when no end of it is seen: it may
        have been done, and can be done again."""
        word = far.new_word()
        ended = self.exchange(word, far.body_program(word, body), stdin, patience)
        (said,) = far.heard(word, 1, ended.out, ended.err)
        if said.code is None:
            raise link_down(self.master.destination, _loss(ended))
        return said

    def broken(self, what: str, said: far.Said) -> Broken:
        """The error for what an `ask` could not do."""
        told = said.err.decode(errors="replace").strip() or f"exit code {said.code}"
        where = self.master.destination
        return Broken(f"{what} on {where}: {told}.", hint="Is there room, and is it yours?")

    def close(self) -> None:
        self.master.close()
        self._greeted = None


def _own_control() -> str:
    from hpcshell.machine.paths import places

    return f"{places(os.environ).runtime}/ssh"


def _group(many: Sequence[Words]) -> list[Words]:
    """The first, and those after it that can have the same session."""
    group = [many[0]]
    if not many[0].stdin:
        for words in many[1:]:
            if words.stdin:
                break
            group.append(words)
    return group


def _answer(words: Words, said: far.Said, ended: process.Ended) -> Answer:
    err = said.err
    if said.missing:
        err = process.not_found(words.argv[0])
    text = err.decode(errors="replace")
    if said.code is None:
        text = "\n".join(each for each in (text.strip(), _loss(ended)) if each)
    out = said.out.decode(errors="replace")
    return Answer(code=said.code, out=out, err=text, missing=said.missing)


def _loss(ended: process.Ended) -> str:
    """Why there is no end of an answer."""
    last = [line for line in ended.err.decode(errors="replace").splitlines() if line.strip()]
    return ended.why or "\n".join(["the connection broke", *last[-1:]])
