"""Which lines of a file of jobs were submitted: kept in a file (and in the tags of the jobs).

The file is written after the submission, and whole or not at all: whoever is killed between the two
finds the job by its tags, and submits nothing twice.
"""

from __future__ import annotations

import fcntl
import os

import msgspec

from hpcshell.core.errors import Broken, Refused
from hpcshell.core.words import quote, safe
from hpcshell.gpu.lines import file_key
from hpcshell.machine.paths import Places


class _Kept(msgspec.Struct, kw_only=True):
    """The file: the id of the job by the key of its line."""

    schema: int = 1
    jobs_file: str = ""
    submitted: dict[str, str] = {}


class Memory:
    """What is known of one file of jobs. Only one process at a time has it."""

    def __init__(self, jobs_file: str, state_file: str) -> None:
        self.jobs_file = os.path.realpath(jobs_file)
        self.path = state_file
        self.submitted: dict[str, str] = {}
        self._unsaved = False
        self._lock = -1

    @classmethod
    def of(cls, jobs_file: str, places: Places, state_file: str = "") -> Memory:
        """That of a file of jobs; its place is `state_file`, or in the state directory."""
        name = file_key(jobs_file)
        return cls(jobs_file, state_file or f"{places.state}/gpu-jobs-{name}.json")

    def open(self) -> None:
        """Read what is kept. Raises `Refused` while another process follows the file."""
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
        self.submitted |= self._read()

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
        """What is kept; nothing where it is damaged: the queue knows it, too."""
        try:
            with open(self.path, "rb") as file:
                return msgspec.json.decode(file.read(), type=_Kept).submitted
        except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return {}
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> Broken:
        return Broken(f"{safe(self.path)} cannot be used: {error.strerror}", "see: hpc doctor")
