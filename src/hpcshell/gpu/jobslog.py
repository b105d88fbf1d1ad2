"""The log of what becomes of the jobs of the box: a line for each event of the daemon's stream.

A line has `timestamp level logger thread message job_id gpu_ids required_gpus attempt`, and nothing
else; what is not about a job has null there.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from hpcshell.client.client import Client
from hpcshell.core.errors import HpcError, NotFound, Wrong
from hpcshell.core.records import Record
from hpcshell.core.words import quote, safe
from hpcshell.gpu.adding import TAG
from hpcshell.gpu.cursor import Cursor
from hpcshell.machine import clock
from hpcshell.machine.logfile import LogFile

LOGGER: Final = "gpu_scheduler"
AGAIN: Final = 1.0
"""Seconds between the looks for a daemon that is away."""
KEPT: Final = 10_000
"""Jobs whose cards and needs are remembered between their events."""

_SAID: Final[dict[str, tuple[str, str]]] = {
    "submit": ("info", "Job added to the queue"),
    "start": ("info", "Job assigned successfully"),
    "requeue": ("warning", "Job goes back into the queue"),
    "COMPLETED": ("info", "Job completed successfully"),
    "CANCELLED": ("warning", "Job was cancelled"),
    "end": ("error", "Job failed"),
}
"""Level and message by how a job ended, or by the kind of the event."""


class Known(Record, frozen=True):
    """What is remembered of a job: None for one that is not the box's."""

    required: float
    gpus: tuple[int, ...] = ()
    attempt: int | None = None


class JobsLog:
    """Writes to `log`; `structured`: lines of JSON, else for people. `view_of` gives the document
    of a job, with the events of its `starts`, and raises `NotFound` for one that is gone."""

    def __init__(
        self, log: LogFile, view_of: Callable[[int], dict[str, Any]], *, structured: bool = True
    ) -> None:
        self.log = log
        self.view_of = view_of
        self.structured = structured
        self.warn: Callable[[str], None] = lambda text: None
        """Told why lines are lost, once until they are written again."""
        self._warned = False
        self._lock = threading.Lock()
        self._jobs: OrderedDict[int, Known | None] = OrderedDict()

    def open(self) -> None:
        """Raises `Wrong` where the file cannot be written."""
        try:
            self.log.open()
        except OSError as error:
            raise Wrong(
                f"the log {quote(str(self.log.path), 200)} cannot be written: {error.strerror}",
                "name another file: box.log_file, in JSON files.log_file",
            ) from None

    def say(self, level: str, message: str, time: float | None = None, **fields: Any) -> None:
        """A line; `fields` are those about a job; `time` (Unix) when it was, by itself now."""
        line = {
            "timestamp": _stamp(clock.now() if time is None else time),
            "level": level.upper(),
            "logger": LOGGER,
            "thread": threading.current_thread().name,
            "message": message,
            **{name: fields.get(name) for name in ("job_id", "gpu_ids", "required_gpus")},
            "attempt": fields.get("attempt"),
        }
        text = msgspec.json.encode(line) if self.structured else _for_people(line).encode()
        with self._lock:
            self.log.put(level, text + b"\n")
            lost, self._warned = self.log.trouble and not self._warned, bool(self.log.trouble)
        if lost:
            path = safe(str(self.log.path))
            self.warn(f"lines are lost: the log {path} cannot be written: {self.log.trouble}")

    def follow(self, client: Client, cursor: Cursor, stop: threading.Event) -> None:
        """A line for each event of a job of the box after the cursor, which goes along, until
        `stop` is set; while the daemon is away it is waited for, and nothing is missed."""
        while not stop.is_set():
            try:
                for event in client.stream("events", since=cursor.seq, follow=True):
                    self.tell(event)
                    cursor.keep(event["seq"])
                    if stop.is_set():
                        return
            except HpcError as error:
                self.say("warning", f"waiting for the daemon: {error.message}")
                while not stop.wait(AGAIN) and not _answers(client):
                    pass

    def tell(self, event: dict[str, Any]) -> None:
        """The line of one event, if it is of a job of the box."""
        if event["job"] is None or (known := self._known(event)) is None:
            return
        if event["kind"] == "start" and event.get("detail"):
            known = _started(known, event)
            self._keep(event["job"], known)
        level, message = _said(event)
        label = str(event["job"])
        if event.get("element") is not None:
            label += f"_{event['element']}"
        self.say(
            level,
            message,
            event.get("time"),
            job_id=label,
            gpu_ids=list(known.gpus),
            required_gpus=known.required,
            attempt=known.attempt,
        )

    def _known(self, event: dict[str, Any]) -> Known | None:
        job = event["job"]
        if job not in self._jobs:
            try:
                view = self.view_of(job)
                self._keep(job, _met(view, event) if TAG in view["tags"] else None)
            except NotFound:  # it is gone already
                self._keep(job, None)
        return self._jobs[job]

    def _keep(self, job: int, known: Known | None) -> None:
        self._jobs[job] = known
        while len(self._jobs) > KEPT:
            self._jobs.popitem(last=False)


def _met(view: dict[str, Any], event: dict[str, Any]) -> Known:
    """A job at the first event that is seen of it: it may have been started before."""
    earlier = [start for start in view["starts"] if start["seq"] < event["seq"]]
    known = Known(float(view["gpus"]))
    return _started(known, earlier[-1]) if earlier else known


def _started(known: Known, start: dict[str, Any]) -> Known:
    detail = start["detail"]
    return Known(known.required, tuple(detail["gpus"]), detail["attempt"])


def _answers(client: Client) -> bool:
    try:
        client.call("hello")
    except HpcError:
        return False
    return True


def _said(event: dict[str, Any]) -> tuple[str, str]:
    ended = event["state"] if event["kind"] == "end" else ""
    level, message = (
        _SAID.get(ended) or _SAID.get(event["kind"]) or ("info", f"Job: {event['kind']}")
    )
    return level, f"{message}: {event['cause']}" if event["cause"] else message


def _stamp(time: float) -> str:
    now = datetime.fromtimestamp(time, UTC)
    return f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03}Z"


def _for_people(line: dict[str, Any]) -> str:
    front = f"{line['timestamp']} {line['level']} {safe(line['message'])}"
    named = {name: line[name] for name in ("job_id", "gpu_ids", "required_gpus", "attempt")}
    return " ".join(
        [front, *(f"{name}={each}" for name, each in named.items() if each is not None)]
    )
