"""What a link does, whichever way it goes."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from hpcshell.core.commands import Answer, Words
from hpcshell.core.errors import Unreachable, Wrong

MOST_OUTPUT: Final = 256 << 20
"""Bytes of one answer; a command that says more is ended."""
NO_COMMAND: Final = 127
CANNOT_RUN: Final = 126
_NAME: Final = r"(?a)[A-Za-z_][A-Za-z0-9_]*\Z"
_GLOB: Final = r"(?a)[A-Za-z0-9_./*?-]+\Z"


class LinkDown(Unreachable):
    """The way to the cluster does not work."""


class Link(ABC):
    """The way to one cluster's login node. All methods may be called by several threads.

    One rule for everything that can go wrong with the way itself: when nothing was done yet,
    `LinkDown` is raised. When it broke after a command was handed over, that command may have been
    run: its `Answer` has the code None, and nothing is tried again. What is done to files can be
    done again: there `LinkDown` is raised in both cases.
    """

    @abstractmethod
    def say(self, words: Words) -> Answer:
        """Runs one command. Standard input is `words.stdin` and never a terminal; LC_ALL is C
        unless `words.env` says otherwise. When its patience is over, or when it says more than
        `MOST_OUTPUT`, all its process group is killed and the code is None. The end by signal N is
        the code 128 + N, as in a shell."""

    def say_aloud(self, words: Words, hear: Callable[[bytes], None]) -> Answer:
        """The same, and where the way allows it `hear` is told each piece of standard output as it
        comes, nearly to the end."""
        return self.say(words)

    def say_all(self, many: Sequence[Words]) -> list[Answer]:
        """Runs commands one after the other, whatever comes of each; their answers in order."""
        return [self.say(words) for words in many]

    def say_while(self, words: Words, work: Callable[[], None]) -> Answer:
        """Runs one command that waits for its input, and does some work before it gets that: where
        it can be, while the command starts. What the work raises ends a command that was begun."""
        work()
        return self.say(words)

    @abstractmethod
    def home(self) -> str:
        """The user's home directory there."""

    @abstractmethod
    def user(self) -> str:
        """The user's name there."""

    @abstractmethod
    def write(self, directory: str, files: Mapping[str, tuple[bytes, int]]) -> None:
        """Makes a directory (mode 0700, parents too) with these files: contents and mode by name.

        A name may have directories in it; one that ends in / is an empty directory. A new directory
        appears whole or not at all; in one that is there each file is replaced whole.
        """

    @abstractmethod
    def read(self, directory: str, names: str | Sequence[str]) -> dict[str, bytes]:
        """Small files of a directory by name: those in a list, or those that fit a pattern with *
        and ?, like `record/*.end`. What is not there is left out."""

    @abstractmethod
    def read_from(self, path: str, offset: int, most: int) -> bytes | None:
        """At most `most` bytes of a file from an offset on; None: it cannot be read."""

    @abstractmethod
    def sizes(self, paths: Sequence[str]) -> dict[str, int | None]:
        """The size of each file; None: there is no such file."""

    @abstractmethod
    def remove(self, directory: str) -> None:
        """Removes a directory, or a file, with all that is in it. None there is as well."""

    @abstractmethod
    def put(self, local: str, remote: str) -> None:
        """Copies a file or a tree of files from here; `remote` is the name of the copy. What else
        is in a directory of that name stays. Every copy is read again and compared by SHA-256."""

    @abstractmethod
    def fetch(self, remote: str, local: str) -> None:
        """The way back of `put`."""

    def fetch_some(self, directory: str, digests: Mapping[str, str], local: str) -> None:
        """Copies regular files of a directory from there into one here; `digests` are their SHA-256
        by name. What is here already from a transfer that broke is not copied again."""
        for name in digests:
            self.fetch(f"{directory}/{check_name(name)}", os.path.join(local, name))

    @abstractmethod
    def close(self) -> None:
        """Ends what the link keeps open. It may be used again."""


def check_words(words: Words) -> None:
    """Wrong for what no system can be told."""
    program = words.argv[0] if words.argv else ""
    if not program or program.startswith("-"):
        raise Wrong(f"{program!r} is not the name of a program.", "Name one.")
    for text in (*words.argv, *words.env.values()):
        _check_text(text)
    for name in words.env:
        if not re.match(_NAME, name):
            raise Wrong(f"{name!r} cannot be the name of an environment variable.", "Rename it.")


def check_path(path: str) -> str:
    """The path without a slash at its end. Wrong unless it is absolute."""
    _check_text(path)
    if not path.startswith("/"):
        raise Wrong(f"{path!r} is not an absolute path.", hint="Give it from / on.")
    return path.rstrip("/") or "/"


def check_removable(path: str, home: str) -> str:
    """Wrong for what nobody means to remove."""
    path = check_path(path)
    plain = os.path.normpath(path)
    if plain.count("/") < 2 or (home + "/").startswith(plain + "/") or ".." in path.split("/"):
        raise Wrong(f"{path} will not be removed.", hint="Name a directory of a job.")
    return path


def check_name(name: str) -> str:
    """A name within a directory; Wrong if it leads elsewhere."""
    _check_text(name)
    if any(part in ("", ".", "..") for part in name.removesuffix("/").split("/")):
        raise Wrong(f"{name!r} is not the name of a file within a directory.", "Leave .. out.")
    return name


def check_pattern(pattern: str) -> str:
    """A pattern that every shell reads alike."""
    if not re.match(_GLOB, pattern):
        raise Wrong(f"{pattern!r} is not a pattern of plain characters, * and ?.", "Name files.")
    return check_name(pattern)


def _check_text(text: str) -> None:
    try:
        whole = b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        whole = False
    if not whole:
        raise Wrong(
            f"{text!a} holds a character that no command or file name can have.", "Leave it out."
        )
