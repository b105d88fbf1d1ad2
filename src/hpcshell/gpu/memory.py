"""Which lines of a file of jobs were submitted: kept in a file (and in the tags of the jobs).

The file is written after the submission, and whole or not at all: whoever is killed between the two
finds the job by its tags, and submits nothing twice.
"""

from __future__ import annotations

import fcntl
import os
import stat

import msgspec

from hpcshell.core.errors import Broken, Refused
from hpcshell.core.settings_box import BoxSettings
from hpcshell.core.words import quote, safe
from hpcshell.gpu.lines import file_key
from hpcshell.machine.paths import Places


class _Kept(msgspec.Struct, kw_only=True):
    """The file: the id of the job by the key of its line."""

    submitted: dict[str, str]
    schema: int = 1
    jobs_file: str = ""


class Memory:
    """What is known of one file of jobs. Only one process at a time has it. `private`: nobody but
    this program writes where `state_file` lies, so that whatever is there may be replaced."""

    def __init__(self, jobs_file: str, state_file: str, *, private: bool = False) -> None:
        self.jobs_file = os.path.realpath(jobs_file)
        self.path = state_file
        self.private = private
        self.submitted: dict[str, str] = {}
        self._unsaved = False
        self._lock = -1

    @classmethod
    def of(cls, jobs_file: str, places: Places, box: BoxSettings | None = None) -> Memory:
        """That of a file of jobs. Its place is the one configured, if that is for this file or for
        whichever is followed; else in the state directory."""
        if box is not None and box.state_file and _meant(box.jobs_file, jobs_file):
            return cls(jobs_file, os.path.abspath(box.state_file))
        path = f"{places.state}/gpu-jobs-{file_key(jobs_file)}.json"
        return cls(jobs_file, path, private=True)

    def open(self) -> None:
        """Read what is kept. Raises `Refused` while another process follows the file, and where
        something else lies in the place of what is kept."""
        try:
            os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
            self._lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise Refused(
                f"another process follows {quote(self.jobs_file, 200)}", "end that one first"
            ) from None
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            self.submitted |= self._read()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let another process have it."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def remember(self, key: str, job: str) -> None:
        """Keep that a line was submitted; on disk after `save`."""
        self.submitted[key] = job
        self._unsaved = True

    def save(self) -> None:
        """Write it, if there is anything new."""
        if not self._unsaved:
            return
        kept = _Kept(jobs_file=self.jobs_file, submitted=self.submitted)
        new = f"{self.path}.new"
        try:
            with open(new, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                file.write(msgspec.json.format(msgspec.json.encode(kept)) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, self.path)
        except OSError as error:
            raise self._unwritable(error) from None
        self._unsaved = False

    def _read(self) -> dict[str, str]:
        """What is kept; nothing where a private file is damaged: the queue knows it, too."""
        try:
            content = self._content()
            kept = msgspec.json.decode(content, type=_Kept) if content else _Kept(submitted={})
        except FileNotFoundError:
            return {}
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            if self.private:
                return {}
            raise self._foreign("is no file that such lines were kept in") from None
        except OSError as error:
            raise self._unwritable(error) from None
        if kept.jobs_file not in ("", self.jobs_file) and os.path.exists(kept.jobs_file):
            raise self._foreign(f"is about another file of jobs, {quote(kept.jobs_file, 200)}")
        return kept.submitted

    def _content(self) -> bytes:
        """What lies there; a pipe is not waited for."""
        with open(self.path, "rb", opener=_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise self._foreign("is no plain file")
            return file.read()

    def _foreign(self, why: str) -> Refused:
        return Refused(
            f"{quote(self.path, 200)} {why}: it is not replaced",
            "give box.state_file (files.state_file) a file of its own",
        )

    def _unwritable(self, error: OSError) -> Broken:
        return Broken(f"{safe(self.path)} cannot be used: {error.strerror}", "see: hpc doctor")


def _meant(configured: str, jobs_file: str) -> bool:
    return not configured or os.path.realpath(configured) == os.path.realpath(jobs_file)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
