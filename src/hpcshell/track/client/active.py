"""`ActiveRun`: what a training script holds.

Each call appends one line to the run's spool file and is done. What cannot be recorded is passed
over with one warning; nothing is ever raised into training.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from hpcshell.core.errors import Wrong
from hpcshell.track.client import lines, say
from hpcshell.track.store import texts
from hpcshell.track.words import ENDED, status_of

if TYPE_CHECKING:
    from types import TracebackType

    from hpcshell.track.client.spool import Spool

_MANY: Final = 1000
"""Metrics of one line."""


class Courier(Protocol):
    """Who carries a spool file to the server."""

    def finish(self, patience: float) -> None:
        """Send what is left, for so many seconds at most."""

    def abandon(self) -> None:
        """In a forked child: it is the parent's."""

    def look_for_children(self) -> None:
        """This process has forked: its children may write files of their own."""


class ActiveRun:
    """A run that goes on. Any thread may log; so may forked children, into files of their own."""

    def __init__(
        self, run_id: str, experiment: str, opening: Callable[[], Spool], *, rank: int = 0
    ) -> None:
        self.run_id = run_id
        """32 hexadecimal digits."""
        self.experiment = experiment
        self.patience = 5.0
        """Seconds for which the end waits for the server."""
        self.courier: Courier | None = None
        self.when_ended: Callable[[ActiveRun], None] | None = None
        self._opening = opening
        self._spool: Spool | None = opening()
        self._rank = rank
        self._process = os.getpid()
        self._ended = False
        self._keys: set[str] = set()
        self._next = 0

    @property
    def spool(self) -> Spool:
        """The file of this process, made when a forked child first logs."""
        if self._spool is None:
            self._spool = self._opening()
        return self._spool

    # --------------------------------------------------------------------------------- recording

    def log(self, step: int | None = None, **metrics: Any) -> None:
        """Record metrics of a step; without one, of the step after the last."""
        self.log_many(metrics, step)

    def log_many(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """The same for names that no keyword may have: `{"train/loss": 0.3}`."""
        try:
            values: dict[str, float | str] = {}
            for key, value in metrics.items():
                if key not in self._keys and not self._takes(key):
                    continue
                if type(value) is float and value - value == 0.0:
                    values[key] = value
                elif (found := _number(key, value)) is not None:
                    values[key] = found
            if values:
                self._write_metrics(self._step(step), values)
        except Exception as error:  # values of the user's may fail in any way
            say.once("log", f"metrics were not recorded: {type(error).__name__}: {error}")

    def params(self, params: Any = None, /, **more: Any) -> None:
        """Record parameters besides those of the configuration: a mapping, or keywords."""
        self._write_texts("p", params, more)

    def tag(self, tags: Any = None, /, **more: Any) -> None:
        """Tag the run: a mapping, or keywords. A tag that is there already is replaced."""
        self._write_texts("g", tags, more)

    def artifact(self, path: str | os.PathLike[str], name: str | None = None) -> None:
        """Record where a file or directory lies. `name`: what it is called within the run."""
        self._write_file(path, name, "artifact", None)

    def checkpoint(self, path: str | os.PathLike[str], step: int | None = None) -> None:
        """Record where the checkpoint of a step lies."""
        self._write_file(path, None, "checkpoint", step)

    def note(self, text: str) -> None:
        """Write the note of the run, for people, instead of the one it has."""
        self._write("n", v=lines.text_of(text))

    # ------------------------------------------------------------------------------------ ending

    def end(
        self, status: str = "COMPLETED", reason: str | None = None, exit_code: int | None = None
    ) -> None:
        """Say how it ended, and wait a little for the server to have it all. Again: nothing.

        Of a distributed training, the process of rank 0 ends the run; others close their files.
        """
        if self._ended:
            return
        ours = os.getpid() == self._process
        last = _last_words(self._rank, _ending(status), reason, exit_code)
        if ours and last is not None:
            self._write(last[0], **last[1])
        self._ended = True
        if self.when_ended is not None:
            self.when_ended(self)
        if self.courier is not None and ours:
            self.courier.finish(self.patience)
        if self._spool is not None:
            self._spool.close()

    def __enter__(self) -> ActiveRun:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end(*told(error))

    def __repr__(self) -> str:
        return f"<run {self.run_id} of {self.experiment!r}>"

    def abandon(self) -> None:
        """In a forked child: neither send nor end, and log into a file of our own."""
        if self.courier is not None:
            self.courier.abandon()
        if self._spool is not None:
            self._spool.abandon()
        self._spool = None

    # ----------------------------------------------------------------------------------- writing

    def _takes(self, key: object) -> bool:
        if not lines.is_key(key):
            say.once(
                f"key {key!r:.300}",
                f"{key!r:.100} is not recorded: a name is 1 to 250 bytes that can be printed",
            )
            return False
        self._keys.add(str(key))
        return True

    def _step(self, step: Any) -> int:
        found = self._next if step is None else lines.step_of(step)
        if found is None:
            say.once("step", f"{step!r:.100} is no step: a whole number of 64 bits is; counted on")
            found = self._next
        self._next = found + 1
        return found

    def _write_metrics(self, step: int, values: dict[str, float | str]) -> None:
        if self._ended:
            self._write("m")
            return
        now, spool = time.time(), self._spool or self.spool
        if len(values) <= _MANY:
            spool.write(lines.metrics_line(now, step, values))
            return
        pairs = list(values.items())
        for at in range(0, len(pairs), _MANY):
            spool.write(lines.metrics_line(now, step, dict(pairs[at : at + _MANY])))

    def _write(self, kind: str, /, **fields: Any) -> None:
        try:
            if self._ended:
                say.once("ended", f"run {self.run_id} has ended: what it logs now is not recorded")
                return
            self.spool.write(lines.line(kind, **fields))
        except Exception as error:  # a defect of ours is never one of the training
            say.once(f"line {kind}", f"not recorded: {type(error).__name__}: {error}")

    def _write_texts(self, kind: str, given: Any, more: dict[str, Any]) -> None:
        found = {**({} if given is None else lines.named(given)), **more}
        texts = {key: lines.text_of(value) for key, value in found.items() if self._takes(key)}
        if texts:
            self._write(kind, v=texts)

    def _write_file(
        self, path: str | os.PathLike[str], name: str | None, kind: str, step: int | None
    ) -> None:
        try:
            where = os.path.abspath(os.fspath(path))
            size = os.path.getsize(where) if os.path.isfile(where) else None
            called = str(name or os.path.basename(where)).strip("/")
            texts.kept(where, "its path", texts.LONGEST_URI)
            if not _is_path(called):
                raise ValueError(f"{called!r} is no name of a file")
        except (OSError, TypeError, ValueError, Wrong) as error:
            say.once(f"file {path!r:.300}", f"{kind} {path!r:.100} is not recorded: {error}")
            return
        at = None if step is None else lines.step_of(step)
        self._write("f", path=called, uri=where, kind=kind, step=at, size=size)


def _last_words(
    rank: int, status: str, reason: str | None, exit_code: int | None
) -> tuple[str, dict[str, Any]] | None:
    """The last line of a process: the end of the run, or of another rank what went wrong."""
    why = None if reason is None else lines.text_of(reason)
    if rank == 0:
        fields = {"t": time.time(), "status": status, "reason": why, "exit_code": exit_code}
        return "end", fields
    if status == "COMPLETED":
        return None
    return "g", {"v": {f"rank.{rank}": f"{status}: {why}" if why else status}}


def told(error: BaseException | None) -> tuple[str, str | None, int | None]:
    """(status, reason, exit code) of a script that ends with this exception, or with none."""
    if error is None:
        return ("COMPLETED", None, None)
    if isinstance(error, SystemExit):
        return _exit_of(error.code)
    if isinstance(error, KeyboardInterrupt):
        return ("CANCELLED", "interrupted", None)
    try:
        text = str(error)
    except Exception:  # of the user's error, which is told by its name then
        text = ""
    name = type(error).__name__
    return ("FAILED", f"{name}: {text}"[:1000] if text else name, None)


def _exit_of(code: object) -> tuple[str, str | None, int | None]:
    if code is None or code == 0:
        return ("COMPLETED", None, 0)
    if isinstance(code, int):
        return ("FAILED", f"exit code {code & 0xFF}", code & 0xFF)
    return ("FAILED", lines.plain(str(code))[:1000], 1)


def _number(key: str, value: Any) -> float | str | None:
    try:
        return lines.number(value)
    except Exception:  # whatever `float()` of a type of the user's raises
        say.once(
            f"value {key}",
            f"metric {key!r} is not recorded where it is no number, such as a"
            f" {type(value).__name__}",
        )
        return None


def _is_path(name: str) -> bool:
    """Whether a file may be called so within a run: `models/best.pt`."""
    parts = name.split("/")
    fine = all(lines.is_key(part) and part not in (".", "..") for part in parts)
    return fine and "\\" not in name and len(name.encode()) <= 1000


def _ending(status: str) -> str:
    try:
        found = status_of(status)
    except (Wrong, AttributeError):
        found = ""
    if found not in ENDED:
        say.once("status", f"{status!r:.100} is no end of a run: recorded as FAILED")
        return "FAILED"
    return found
