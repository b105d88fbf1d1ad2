"""Jobs of runs: finding them, and what they took and cost."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, RowMapping, bindparam, select

from hpcshell.core.errors import Wrong
from hpcshell.core.words import quote
from hpcshell.track.records import JobRow
from hpcshell.track.store import texts
from hpcshell.track.store.tables import jobs

KINDS: Final = ("local", "slurm", "pbs", "lsf", "sge")
PLAIN: Final = -1
"""What `element` is in the table for a job that is no array."""
HOUR: Final = 3600.0
_KIND: Final = re.compile(r"\A[a-z][a-z0-9_]{0,15}\Z")
_ID: Final = re.compile(r"\A[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}\Z")


class JobRef(msgspec.Struct, frozen=True):
    """How a job is named: the kind of its scheduler, its cluster (empty: the kind), its id there
    without the element, and the element of an array."""

    kind: str
    id: str
    cluster: str = ""
    element: int | None = None


class Prices(msgspec.Struct, frozen=True):
    """Of one hour of one; 0: no price."""

    cpu_hour: float = 0.0
    gpu_hour: float = 0.0


NO_PRICES: Final = Prices()

_found: Final = select(jobs).where(
    jobs.c.cluster == bindparam("cluster"),
    jobs.c.id == bindparam("id"),
    jobs.c.element == bindparam("element"),
    jobs.c.kind == bindparam("kind"),
)


def checked(ref: JobRef) -> JobRef:
    """The reference itself, its cluster named. Raises `Wrong`."""
    if not _KIND.match(ref.kind):  # those of back ends that other packages bring are not listed
        raise Wrong(f"{quote(ref.kind)} is no kind of scheduler", "there are " + ", ".join(KINDS))
    if not _ID.match(ref.id):
        raise Wrong(f"{quote(ref.id)} is no id of a job", "write it as the scheduler does: 123")
    if ref.element is not None and not 0 <= ref.element <= texts.LARGEST:
        raise Wrong(f"{quote(str(ref.element))} is no element of an array", "write 0 or more")
    cluster = texts.key(ref.cluster or ref.kind, "cluster")
    return JobRef(ref.kind, ref.id, cluster, ref.element)


def label_of(ref: JobRef) -> str:
    """`12`, or `12_3` for an element, whatever its scheduler writes."""
    return ref.id if ref.element is None else f"{ref.id}_{ref.element}"


def find(connection: Connection, ref: JobRef) -> RowMapping | None:
    """The row of this job, `key` among its columns. Raises `Wrong`."""
    named = checked(ref)
    return connection.execute(_found, _named(named)).mappings().first()


def _named(ref: JobRef) -> dict[str, Any]:
    element = PLAIN if ref.element is None else ref.element
    return {"kind": ref.kind, "cluster": ref.cluster, "id": ref.id, "element": element}


# ------------------------------------------------------------------------------- as a document

COLUMNS: Final = tuple(name for name in JobRow.__struct_fields__ if name in jobs.c)


def document(row: RowMapping, prices: Prices = NO_PRICES) -> JobRow:
    """What a row of the table says, and what follows from it."""
    return of_values([row[name] for name in COLUMNS], prices)


def of_values(values: Sequence[Any], prices: Prices = NO_PRICES) -> JobRow:
    """The same for the values of `COLUMNS`."""
    known = dict(zip(COLUMNS, values, strict=True))
    if known["element"] == PLAIN:
        known["element"] = None
    nodes = known["nodes"]
    known["nodes"] = [] if nodes == "[]" else msgspec.json.decode(nodes)
    ran = _ran(known)
    if ran is None:
        return JobRow(**known, memory_efficiency=_part(known["max_rss"], known["memory"]))
    cpu_hours = _hours(known["cpus"], ran)
    gpu_hours = _hours(known["gpus"], ran)
    return JobRow(
        **known,
        cpu_hours=cpu_hours,
        gpu_hours=gpu_hours,
        cpu_efficiency=_part(known["cpu_time"], _hours(known["cpus"], ran * HOUR)),
        memory_efficiency=_part(known["max_rss"], known["memory"]),
        cost=_cost(cpu_hours, gpu_hours, prices),
    )


def _ran(known: Mapping[str, Any]) -> float | None:
    """Seconds, as far as it is known: what runs still was last heard of at `updated_at`."""
    start: float | None = known["start_time"]
    end: float | None = known["end_time"]
    if start is None:
        return None
    return max(0.0, (known["updated_at"] if end is None else end) - start)


def _hours(number: float | None, seconds: float | None) -> float | None:
    return None if number is None or seconds is None else number * seconds / HOUR


def _part(used: float | None, had: float | None) -> float | None:
    return None if used is None or not had else used / had


def _cost(cpu_hours: float | None, gpu_hours: float | None, prices: Prices) -> float | None:
    if not (prices.cpu_hour or prices.gpu_hour) or (cpu_hours is None and gpu_hours is None):
        return None
    return (cpu_hours or 0.0) * prices.cpu_hour + (gpu_hours or 0.0) * prices.gpu_hour
