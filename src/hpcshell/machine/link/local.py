"""The cluster whose login node this is."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence

from hpcshell.core.commands import Answer, Words
from hpcshell.core.errors import Broken
from hpcshell.machine.link import process
from hpcshell.machine.link.contract import (
    MOST_OUTPUT,
    Link,
    check_name,
    check_path,
    check_pattern,
    check_removable,
    check_words,
)


class LocalLink(Link):
    """Commands and files of this machine."""

    def say(self, words: Words) -> Answer:
        return self._said(words)

    def say_while(self, words: Words, work: Callable[[], None]) -> Answer:
        return self._said(words, work=work)

    def say_aloud(self, words: Words, hear: Callable[[bytes], None] | None = None) -> Answer:
        return self._said(words, hear=hear)

    def _said(
        self,
        words: Words,
        work: Callable[[], None] = process.nothing,
        hear: Callable[[bytes], None] | None = None,
    ) -> Answer:
        check_words(words)
        env = {**os.environ, "LC_ALL": "C", **words.env}
        ended = process.run(
            words.argv, env, words.stdin, words.patience, session=False, work=work, hear=hear
        )
        err = ended.err.decode(errors="replace")
        if ended.code is None:
            err = "\n".join(text for text in (err, ended.why) if text)
        out = ended.out.decode(errors="replace")
        return Answer(code=ended.code, out=out, err=err, missing=ended.missing)

    def home(self) -> str:
        return os.path.expanduser("~")

    def user(self) -> str:
        import pwd

        try:
            return pwd.getpwuid(os.geteuid()).pw_name
        except KeyError:
            return str(os.geteuid())

    def write(self, directory: str, files: Mapping[str, tuple[bytes, int]]) -> None:
        directory = check_path(directory)
        for name in files:
            check_name(name)
        try:
            _write(directory, files)
        except OSError as error:
            raise _broken(directory, "written", error) from error

    def read(self, directory: str, names: str | Sequence[str]) -> dict[str, bytes]:
        directory = check_path(directory)
        if isinstance(names, str):
            import glob

            names = glob.glob(check_pattern(names), root_dir=directory)
        found: dict[str, bytes] = {}
        for name in names:
            content = self.read_from(f"{directory}/{check_name(name)}", 0, MOST_OUTPUT)
            if content is not None:
                found[name] = content
        return found

    def read_from(self, path: str, offset: int, most: int) -> bytes | None:
        path = check_path(path)
        if not os.path.isfile(path):
            return None
        try:
            with open(path, "rb") as file:
                file.seek(offset)
                return file.read(most)
        except OSError:
            return None

    def sizes(self, paths: Sequence[str]) -> dict[str, int | None]:
        return {path: _size(check_path(path)) for path in paths}

    def remove(self, directory: str) -> None:
        import shutil

        directory = check_removable(directory, self.home())
        try:
            if os.path.isdir(directory) and not os.path.islink(directory):
                shutil.rmtree(directory)
            elif os.path.lexists(directory):
                os.unlink(directory)
        except OSError as error:
            raise _broken(directory, "removed", error) from error

    def put(self, local: str, remote: str) -> None:
        from hpcshell.machine.link import copies

        copies.here(local, check_path(remote))

    def fetch(self, remote: str, local: str) -> None:
        from hpcshell.machine.link import copies

        copies.here(check_path(remote), local)

    def close(self) -> None:
        return


def _size(path: str) -> int | None:
    try:
        return os.stat(path).st_size if os.path.isfile(path) else None
    except OSError:
        return None


def _write(directory: str, files: Mapping[str, tuple[bytes, int]]) -> None:
    passing = f"{directory}.{os.urandom(6).hex()}"
    _make(os.path.dirname(directory))
    os.mkdir(passing, 0o700)
    made = {""}
    try:
        for name, (content, mode) in files.items():
            folder, _, last = name.rpartition("/")
            if folder not in made:
                made.add(folder)
                _make(f"{passing}/{folder}")
            if last:
                _file(f"{passing}/{name}", content, mode)
            else:
                os.chmod(f"{passing}/{name}", mode)
        _settle(passing, directory, files)
    except BaseException:
        import shutil

        shutil.rmtree(passing, ignore_errors=True)
        raise


def _file(path: str, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def _settle(passing: str, directory: str, files: Mapping[str, tuple[bytes, int]]) -> None:
    """To its name, or file by file into the directory that has it."""
    if not os.path.lexists(directory):
        os.rename(passing, directory)
        return
    for name in files:
        folder = os.path.dirname(name)
        _make(f"{directory}/{folder}".rstrip("/"))
        if not name.endswith("/"):
            os.rename(f"{passing}/{name}", f"{directory}/{name}")
    import shutil

    shutil.rmtree(passing)


def _make(directory: str) -> None:
    if not os.path.isdir(directory):
        _make(os.path.dirname(directory))
        with contextlib.suppress(FileExistsError):
            os.mkdir(directory, 0o700)


def _broken(path: str, done: str, error: OSError) -> Broken:
    return Broken(
        f"{path} cannot be {done}: {error.strerror}.",
        hint="Is there room, and is the directory yours?",
    )
