"""The cluster whose login node is reached by the system's ssh, with the user's own configuration.

Nothing is installed there: `sh`, `dd`, `tar` and their like are enough.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Final

from hpcshell.core.commands import Answer, Words
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
from hpcshell.machine.link.master import Master
from hpcshell.machine.link.shell import FarShell, loss

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
        self.master = Master(destination, jump, options, control or _own_control())
        self._shell = FarShell(self.master)

    # --------------------------------------------------------------------------------- commands

    def say(self, words: Words) -> Answer:
        return self.say_all([words])[0]

    def say_all(self, many: Sequence[Words]) -> list[Answer]:
        """As many as can be in one session; one that reads standard input has its own. Those of a
        session have their patience together."""
        for words in many:
            check_words(words)
        answers: list[Answer] = []
        while len(answers) < len(many):
            group = _group(many[len(answers) :])
            try:
                answers += self._said(group)
            except LinkDown as down:
                if not answers:
                    raise
                rest = len(many) - len(answers)
                answers += [Answer(code=None, err=down.message)] * rest
        return answers

    def home(self) -> str:
        return self._shell.greeted().home

    def user(self) -> str:
        return self._shell.greeted().user

    def _said(self, group: Sequence[Words]) -> list[Answer]:
        word = far.new_word()
        program = far.command_program(word, self._shell.greeted().login, group)
        stdin = group[0].stdin if len(group) == 1 else b""
        ended = self._shell.exchange(word, program, stdin, sum(words.patience for words in group))
        said = far.heard(word, len(group), ended.out, ended.err)
        return [_answer(words, each, ended) for words, each in zip(group, said, strict=True)]

    # ------------------------------------------------------------------------------------ files

    def write(self, directory: str, files: Mapping[str, tuple[bytes, int]]) -> None:
        from hpcshell.machine.link import archive

        directory = check_path(directory)
        last = far.new_word()
        packed = archive.packed({check_name(name): file for name, file in files.items()}, last)
        passing = f"{directory}.{last}"
        said = self._shell.ask(archive.unpacking(directory, passing, files, last), packed)
        if said.code != 0:
            raise self._shell.broken(f"{directory} cannot be written", said)

    def read(self, directory: str, names: str | Sequence[str]) -> dict[str, bytes]:
        from hpcshell.machine.link import archive

        directory = check_path(directory)
        if isinstance(names, str):
            listed = check_pattern(names)
        else:
            listed = " ".join(far.quoted(check_name(name)) for name in names)
        said = self._shell.ask(archive.packing(directory, listed))
        if said.code and not said.out:
            raise self._shell.broken(f"{directory} cannot be read", said)
        return archive.unpacked(said.out)

    def read_from(self, path: str, offset: int, most: int) -> bytes | None:
        file = far.quoted(check_path(path))
        said = self._shell.ask(
            f"if [ -f {file} ] && [ -r {file} ]\n"
            f"then tail -c +{offset + 1} {file} | head -c {most}\n"
            f"else exit {_NOT_THERE}; fi"
        )
        return said.out if said.code == 0 else None

    def sizes(self, paths: Sequence[str]) -> dict[str, int | None]:
        listed = " ".join(far.quoted(check_path(path)) for path in paths)
        said = self._shell.ask(
            f"for path in {listed}; do\n"
            'if [ -f "$path" ]; then wc -c <"$path" || echo -; else echo -; fi\n'
            "done"
        )
        counts = said.out.split()
        if len(counts) != len(paths):
            raise self._shell.broken("The sizes of files cannot be asked for", said)
        return {
            path: None if count == b"-" else int(count)
            for path, count in zip(paths, counts, strict=True)
        }

    def remove(self, directory: str) -> None:
        directory = check_removable(directory, self.home())
        said = self._shell.ask(f"rm -rf {far.quoted(directory)}")
        if said.code != 0:
            raise self._shell.broken(f"{directory} cannot be removed", said)

    def put(self, local: str, remote: str) -> None:
        from hpcshell.machine.link import copies

        copies.put(self._shell, local, check_path(remote))

    def fetch(self, remote: str, local: str) -> None:
        from hpcshell.machine.link import copies

        copies.fetch(self._shell, check_path(remote), local)

    def fetch_some(self, directory: str, digests: Mapping[str, str], local: str) -> None:
        from hpcshell.machine.link import copies

        for name in digests:
            check_name(name)
        copies.fetch_some(self._shell, check_path(directory), digests, local)

    def close(self) -> None:
        self.master.close()
        self._shell.forget()


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
        text = "\n".join(each for each in (text.strip(), loss(ended)) if each)
    out = said.out.decode(errors="replace")
    return Answer(code=said.code, out=out, err=text, missing=said.missing)
