"""The lines of a spool file, as runs write them and the server reads them.

Each is a JSON object that ends in a newline; `k` says what it is. Fields that are not known are
passed over: a newer client may write some.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

import msgspec

from hpcshell.core.errors import Wrong
from hpcshell.core.words import safe
from hpcshell.track.store.jobs import JobRef

Step = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]


class Line(msgspec.Struct, frozen=True, kw_only=True, tag_field="k"):
    """What all lines share: `t`, the clock of who wrote it."""

    t: float | None = None


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """The job that a run is in, as its environment says."""

    kind: str
    id: str | int
    cluster: str | None = None
    element: int | None = None

    def ref(self) -> JobRef:
        return JobRef(self.kind, str(self.id), self.cluster or "", self.element)


class RunLine(Line, frozen=True, kw_only=True, tag="run"):
    """The first one: which run it is."""

    run_id: str
    experiment: str
    name: str = ""
    config: dict[str, Any] = {}
    params: dict[str, str] = {}
    tags: dict[str, str] = {}
    seed: int | None = None
    user: str = ""
    host: str = ""
    job: Job | None = None
    parent: str | None = None
    rank: int = 0
    """Of the processes of a distributed run, which one this is: that of rank 0 begins and ends the
    run, the others take part in it."""
    to: str = ""
    """The server that it is sent to, where one was named: others leave the file where it is."""


class BareRunLine(Line, frozen=True, kw_only=True, tag="run"):
    """What must be known of a run, where the rest of its line is wrong."""

    run_id: str
    experiment: Any = None
    rank: Any = 0


class MetricsLine(Line, frozen=True, kw_only=True, tag="m"):
    t: float
    s: Step | None = None
    v: dict[str, float | str | bool]


class ParamsLine(Line, frozen=True, kw_only=True, tag="p"):
    v: dict[str, str]


class TagsLine(Line, frozen=True, kw_only=True, tag="g"):
    v: dict[str, str]


class FileLine(Line, frozen=True, kw_only=True, tag="f"):
    """A file on shared storage."""

    path: str
    uri: str
    kind: str = "artifact"
    step: Step | None = None
    size: Step | None = None


class NoteLine(Line, frozen=True, kw_only=True, tag="n"):
    v: str


class HeartbeatLine(Line, frozen=True, kw_only=True, tag="h"):
    pass


class EndLine(Line, frozen=True, kw_only=True, tag="end"):
    status: str
    reason: str | None = None
    exit_code: int | None = None


AnyLine = (
    RunLine | MetricsLine | ParamsLine | TagsLine | FileLine | NoteLine | HeartbeatLine | EndLine
)
_decode: Final[Callable[[bytes], AnyLine]] = msgspec.json.Decoder(AnyLine).decode
_decode_bare: Final[Callable[[bytes], BareRunLine]] = msgspec.json.Decoder(BareRunLine).decode
LONGEST: Final = 200
"""Characters of what is said of a line."""


def read_line(line: bytes) -> AnyLine:
    """What a line says. Raises `Wrong`, which repeats nothing of the line: it may be another's."""
    try:
        return _decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        said = safe(" ".join(str(error).split()))[:LONGEST]
        raise Wrong(said or "the line is no JSON", "each line is one JSON object") from None


def read_bare(line: bytes) -> BareRunLine | None:
    """Which run a line is of, though the line is wrong."""
    try:
        return _decode_bare(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
