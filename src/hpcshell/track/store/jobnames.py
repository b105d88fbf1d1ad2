"""Which row a name of a job means, where not everybody knows the name of its cluster.

Slurm's number 12 said by a request, which knows no cluster, and 12 on `frontier` said by an epilog
are one job as long as no second cluster of that kind is known. Where one is, the two stay apart:
which is meant is not guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, bindparam, insert, select, tuple_, update

from hpcshell.track.store.jobs import PLAIN, JobRef, checked, label_of
from hpcshell.track.store.tables import jobs

AT_ONCE: Final = 400
"""Names in one question."""


_wanted: Final = tuple_(jobs.c.id, jobs.c.element).in_(bindparam("wanted", expanding=True))
_whole: Final = select(jobs).where(_wanted)
_keys: Final = select(jobs.c.key, jobs.c.kind, jobs.c.cluster, jobs.c.id, jobs.c.element).where(
    _wanted
)


class Names:
    """The rows of many jobs, found together; several names may lead to one row."""

    def __init__(self, connection: Connection, refs: Iterable[JobRef]) -> None:
        self._connection = connection
        self._several: dict[str, bool] = {}
        self._rows: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
        self._new: list[dict[str, Any]] = []
        wanted = sorted({(ref.id, _element(ref)) for ref in map(checked, refs)})
        for at in range(0, len(wanted), AT_ONCE):
            self._load(wanted[at : at + AT_ONCE])

    def find(self, ref: JobRef) -> dict[str, Any] | None:
        """The row that is meant, if there is one. Its cluster is named as well as it can be."""
        named = checked(ref)
        rows = self._rows.get((named.kind, named.id, _element(named)), [])
        for row in rows:
            if row["cluster"] == named.cluster:
                return row
        if len(rows) != 1 or not self._same(named, rows[0]):
            return None
        if named.cluster != named.kind:
            self._name(rows[0], named.cluster)
        return rows[0]

    def row(self, ref: JobRef, now: float) -> dict[str, Any]:
        """The same, or a row that `make` will make."""
        row = self.find(ref)
        if row is None:
            self._new.append(row := _blank(checked(ref), now))
            self._rows.setdefault((row["kind"], row["id"], row["element"]), []).append(row)
        return row

    def make(self) -> None:
        """Make the rows that are not there yet; each gets its `key`. They are inserted together and
        then asked for their keys: to be told each key at once, a database takes one at a time."""
        new, self._new = self._new, []
        if new:
            self._connection.execute(insert(jobs), new)
        for at in range(0, len(new), AT_ONCE):
            some = {_unique(row): row for row in new[at : at + AT_ONCE]}
            wanted = [(row["id"], row["element"]) for row in some.values()]
            for made in self._connection.execute(_keys, {"wanted": wanted}).mappings():
                if (row := some.get(_unique(made))) is not None:
                    row["key"] = made["key"]

    def _load(self, wanted: list[tuple[str, int]]) -> None:
        for row in self._connection.execute(_whole, {"wanted": wanted}).mappings():
            self._rows.setdefault((row["kind"], row["id"], row["element"]), []).append(dict(row))

    def _same(self, ref: JobRef, row: dict[str, Any]) -> bool:
        """Whether one of them has no name for its cluster, and there is only one that it can be."""
        named = {ref.cluster, row["cluster"]} - {ref.kind}
        return len(named) == 1 and not self._another(ref.kind, named.pop())

    def _another(self, kind: str, cluster: str) -> bool:
        asked = f"{kind}/{cluster}"
        if asked not in self._several:
            other = select(jobs.c.key).where(
                jobs.c.kind == kind, jobs.c.cluster.not_in((kind, cluster))
            )
            self._several[asked] = self._connection.scalar(other.limit(1)) is not None
        return self._several[asked]

    def _name(self, row: dict[str, Any], cluster: str) -> None:
        row["cluster"] = cluster
        if "key" not in row:
            return
        self._connection.execute(
            update(jobs).where(jobs.c.key == row["key"]).values(cluster=cluster)
        )


def ensure(connection: Connection, ref: JobRef, now: float) -> int:
    """The key of the row of a job, which is made where there is none. Raises `Wrong`."""
    names = Names(connection, [ref])
    row = names.row(ref, now)
    names.make()
    return int(row["key"])


_BLANK: Final[Mapping[str, Any]] = {
    column.name: getattr(column.default, "arg", None) for column in jobs.c if column.name != "key"
}


def _blank(ref: JobRef, now: float) -> dict[str, Any]:
    """The columns of a job of which nothing is known but its name."""
    return {
        **_BLANK,
        "kind": ref.kind,
        "cluster": ref.cluster,
        "id": ref.id,
        "element": _element(ref),
        "label": label_of(ref)[:80],
        "updated_at": now,
    }


def _unique(row: Mapping[str, Any] | RowMapping) -> tuple[str, str, str, int]:
    """The columns of which there is one row only."""
    return row["kind"], row["cluster"], row["id"], row["element"]


def _element(ref: JobRef) -> int:
    return PLAIN if ref.element is None else ref.element
