"""What an epilog says of a job, read: fields of a form or of JSON, of any of the schedulers.

told("slurm", {"job_id": "12", "status": "completed"}, 1700000000.0)

Fields: `job_id` (as the scheduler writes it); `event` (`start`, `end`), `status` (a state, in our
words or the scheduler's) or `exit_code`; and what else is known: `cluster`, `element`, `attempt` or
`restarts`, `signal`, `wait_status` (code and signal as `wait` tells them), `time`, `start_time`,
`end_time`, `submit_time`, `name`, `user`, `partition`, `account`, `nodes`, `cpus`, `gpus`,
`memory`, `time_limit`, `cpu_time`, `max_rss`, `reason`, `experiment`. Others are passed over.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from hpcshell.backends.slurm.fields import nodes as expanded
from hpcshell.core.errors import Wrong
from hpcshell.core.words import check_name, nearest, quote, safe
from hpcshell.track.joining.facts import OVER, STATES, JobFacts
from hpcshell.track.joining.refs import native
from hpcshell.track.store.jobs import JobRef, checked
from hpcshell.track.store.jobstates import UNNAMED, Told

KINDS: Final = ("slurm", "pbs", "lsf", "sge", "local")
LARGEST: Final = 2**53
LATEST: Final = 4e9
"""An instant later than this is no time of a job's: the year 2096."""
_WORDS: Final = {
    **{state: state for state in STATES - {"GONE", "UNKNOWN"}},
    **dict.fromkeys(("START", "STARTED", "BEGIN", "RUN", "R"), "RUNNING"),
    **dict.fromkeys(("SUBMIT", "SUBMITTED", "QUEUED", "PEND", "REQUEUED", "QW"), "PENDING"),
    **dict.fromkeys(("FINISHED", "DONE", "SUCCESS", "SUCCEEDED"), "COMPLETED"),
    **dict.fromkeys(("ERROR", "EXIT", "FAIL"), "FAILED"),
    **dict.fromkeys(("CANCELED", "KILLED", "STOPPED"), "CANCELLED"),
    **dict.fromkeys(("OOM", "OUT-OF-MEMORY"), "OUT_OF_MEMORY"),
    **dict.fromkeys(("BOOT_FAIL", "NODEFAIL"), "NODE_FAIL"),
    **dict.fromkeys(("STOPPING", "EXITING", "CG"), "COMPLETING"),
}
_ENDS: Final = frozenset({"END", "ENDED", "EPILOG"})
"""It has ended, and how is said by its exit code, or not at all."""
_STARTS: Final = frozenset({"START", "STARTED", "BEGIN", "PROLOG"})
_NUMBER: Final = re.compile(r"-?[0-9]{1,16}", re.ASCII)
_DECIMAL: Final = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?", re.ASCII)
_NODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}", re.ASCII)
MOST_NODES: Final = 5000


def told(kind: str, fields: Mapping[str, Any], now: float) -> Told:
    """What they tell of which job. `now`: when it happened, unless they say. Raises `Wrong`."""
    said = _Fields(fields)
    ref = _ref(check_kind(kind), said)
    experiment = said.text("experiment", 250)
    return Told(ref, _facts(said, now), experiment or UNNAMED)


def check_kind(kind: str) -> str:
    """It, where there is such a kind of scheduler. Raises `Wrong`."""
    if kind not in KINDS:
        near = nearest(kind, KINDS)
        hint = f"did you mean {near}?" if near else "there are " + ", ".join(KINDS)
        raise Wrong(f"{quote(kind)} is no kind of scheduler", hint)
    return kind


def _ref(kind: str, said: _Fields) -> JobRef:
    id = said.text("job_id", 300) or said.text("id", 300)
    if not id:
        raise Wrong("job_id is missing", "send the id of the job as the scheduler writes it")
    ref = native(kind, id, said.text("cluster", 250))
    element = said.whole("element")
    return ref if element is None else checked(JobRef(ref.kind, ref.id, ref.cluster, element))


def _facts(said: _Fields, now: float) -> JobFacts:
    code, signal = said.whole("exit_code", most=2**31 - 1), said.whole("signal", most=128)
    waited = said.whole("wait_status", most=0xFFFF)
    if waited is not None:
        code, signal = waited >> 8, (waited & 0x7F) or signal
    state = _state(said, code, signal)
    time = said.instant("time")
    time = now if time is None else time
    over = state in OVER or state == "COMPLETING"
    start, end = said.instant("start_time"), said.instant("end_time")
    restarts = said.whole("restarts", most=10_000)
    return JobFacts(
        attempt=restarts + 1 if restarts is not None else said.whole("attempt", 1, most=10_000),
        state=state,
        time=time,
        start_time=time if start is None and state == "RUNNING" else start,
        end_time=time if end is None and over else end,
        exit_code=code,
        signal=signal or None,
        reason=said.text("reason", 1000) or None,
        name=said.text("name", 1000),
        user=said.text("user", 250),
        partition=said.text("partition", 250),
        account=said.text("account", 250),
        nodes=said.nodes(),
        submit_time=said.instant("submit_time"),
        cpus=said.whole("cpus", 1),
        memory=said.whole("memory", 1),
        gpus=said.number("gpus"),
        time_limit=said.number("time_limit"),
        cpu_time=said.number("cpu_time"),
        max_rss=said.whole("max_rss"),
    )


def _state(said: _Fields, code: int | None, signal: int | None) -> str:
    """The state that is said; of an end without one, what its exit code tells. An end of which
    nothing is told is on its way only: how it went is asked of the scheduler."""
    word = (said.text("status", 100) or said.text("state", 100)).upper()
    event = said.text("event", 100).upper()
    for each in (word, word.partition(" ")[0].rstrip("+")):  # CANCELLED by 1001
        if each in _WORDS:
            return _WORDS[each]
    if word and word not in _ENDS:
        near = nearest(word, _WORDS)
        hint = f"did you mean {near}?" if near else "write start, completed, failed, ..."
        raise Wrong(f"status: {quote(word)} is no state of a job", hint)
    if not word and event in _STARTS:
        return "RUNNING"
    if not word and event not in _ENDS:
        raise Wrong("neither event nor status says what happened", "send event=start or event=end")
    if code is None and signal is None:
        return "COMPLETING"
    return "COMPLETED" if not code and not signal else "FAILED"


class _Fields:
    """Fields that anybody may have written, each read as what it is to be. Raises `Wrong`."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = {name.lower(): value for name, value in fields.items()}

    def text(self, name: str, longest: int) -> str:
        value = self._fields.get(name)
        if value is None or value == "":
            return ""
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise Wrong(f"{name}: that is no text", "write it in quotes")
        said = str(value)
        if name in (
            "reason",
            "name",
        ):  # anything may be in them, and what is told is not lost for it
            return safe(said)[:longest]
        return check_name(said, name) if len(said.encode()) <= longest else _too_long(name, longest)

    def whole(self, name: str, least: int = 0, most: int = LARGEST) -> int | None:
        value = self._fields.get(name)
        if value is None or value == "":
            return None
        text = str(value)
        if isinstance(value, bool) or not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
            raise Wrong(
                f"{name}: {quote(text)} is no whole number from {least} to {most}", "leave it out"
            )
        return int(text)

    def number(self, name: str) -> float | None:
        value = self._fields.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, float) and math.isfinite(value) and 0 <= value <= LARGEST:
            return value
        if isinstance(value, bool) or not _DECIMAL.fullmatch(str(value)):
            raise Wrong(f"{name}: {quote(str(value))} is no number from 0", "leave it out")
        return float(value)

    def instant(self, name: str) -> float | None:
        value = self.number(name)
        if value is not None and value > LATEST:
            raise Wrong(f"{name}: {value:.0f} is no time", "write Unix seconds: 1700000000")
        return value or None

    def nodes(self) -> tuple[str, ...]:
        value = self._fields.get("nodes")
        if value is None or value == "":
            return ()
        names = self._listed(value) if isinstance(value, str) else value
        if not isinstance(names, list) or len(names) > MOST_NODES:
            raise Wrong("nodes: these are no names of machines", "write node1,node2")
        for name in names:
            if not isinstance(name, str) or not _NODE.fullmatch(name):
                raise Wrong(f"nodes: {quote(str(name))} is no name of a machine", "leave it out")
        return tuple(sorted(set(names)))

    @staticmethod
    def _listed(text: str) -> list[str]:
        """`n1,n2`, `n1 n2`, or Slurm's `n[1-2]`."""
        if "[" in text:
            return list(expanded(text[:10_000]))
        return text.replace(",", " ").split()


def _too_long(name: str, longest: int) -> str:
    raise Wrong(f"{name}: that is too long", f"the longest has {longest} bytes")
