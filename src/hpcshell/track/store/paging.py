"""Pages of lists: where one ends the next begins, whatever was added meanwhile.

A cursor holds the last row's value and number, and is signed: nobody makes one up. It belongs to
one list: the same filter, sorting and scope.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any, Final, Generic, Literal, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

import msgspec
from sqlalchemy import Connection, Engine, select

from hpcshell.core.errors import Broken, Wrong
from hpcshell.track.store.tables import secrets

DEFAULT: Final = 50
MOST: Final = 1000
SIGNATURE: Final = 16
"""Bytes."""
_LONGEST: Final = 4096

Row = TypeVar("Row")
Value = float | int | str | None


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a list that is asked for."""

    filter: str = ""
    """See `filters`."""
    sort: str = "-created_at"
    """A column, `metrics.KEY`, `params.KEY`, ...; with `-` in front the greatest come first. Rows
    that have no value come last either way."""
    limit: int = DEFAULT
    cursor: str | None = None
    deleted: Literal["live", "deleted", "all"] = "live"
    experiments: tuple[int, ...] = ()
    """Only runs of these; empty: of all."""


class Page(msgspec.Struct, Generic[Row], frozen=True, kw_only=True):
    """Rows, and the cursor of the next page, where there is one."""

    rows: list[Row]
    next: str | None = None


class Place(NamedTuple):
    """The last row of a page: in which phase of the list, its value there, its number."""

    phase: int
    value: Value
    id: int


def limited(wanted: Wanted) -> int:
    """The number of rows that are wanted. Raises `Wrong`."""
    if not 1 <= wanted.limit <= MOST:
        raise Wrong(f"limit: {wanted.limit} is not possible", f"write 1 to {MOST}")
    return wanted.limit


def written(connection: Connection, kind: str, wanted: Wanted, place: Place) -> str:
    """The cursor of the page after this place."""
    packed = msgspec.json.encode((_list(kind, wanted), place.phase, _packed(place.value), place.id))
    return base64.urlsafe_b64encode(_signature(connection, packed) + packed).decode().rstrip("=")


def read(connection: Connection, kind: str, wanted: Wanted) -> Place | None:
    """The place that the cursor means; `None`: from the beginning. Raises `Wrong`."""
    if not wanted.cursor:
        return None
    cursor = wanted.cursor
    try:
        raw = base64.b64decode(
            cursor.encode("ascii") + b"=" * (-len(cursor) % 4), b"-_", validate=True
        )
    except ValueError:
        raise _forged() from None
    signature, packed = raw[:SIGNATURE], raw[SIGNATURE:]
    if len(cursor) > _LONGEST or not hmac.compare_digest(signature, _signature(connection, packed)):
        raise _forged()
    whose, phase, value, id = msgspec.json.decode(packed)
    if whose != _list(kind, wanted):
        raise Wrong(
            "the cursor is of another list", "ask with the filter and the sorting that it came from"
        )
    return Place(phase, _unpacked(value), id)


def _forged() -> Wrong:
    return Wrong("the cursor is none of ours", "leave it out to begin with the first page")


def _list(kind: str, wanted: Wanted) -> str:
    said = (kind, wanted.filter, wanted.sort, wanted.deleted, wanted.experiments)
    return hashlib.sha256(msgspec.json.encode(said)).hexdigest()[:16]


def _packed(value: Value) -> Any:
    """JSON has no infinity, and would make 1.0 of 1."""
    return ["f", value.hex()] if isinstance(value, float) else value


def _unpacked(value: Any) -> Any:
    return float.fromhex(value[1]) if isinstance(value, list) else value


# ------------------------------------------------------------------------------------- signing

_keys: Final[WeakKeyDictionary[Engine, bytes]] = WeakKeyDictionary()
_key_of: Final = select(secrets.c.value).where(secrets.c.name == "cursors")


def _signature(connection: Connection, packed: bytes) -> bytes:
    key = _keys.get(connection.engine)
    if key is None:
        key = connection.scalar(_key_of)
        if key is None:
            raise Broken("the tracker's database has no key for cursors", "hpc track migrate")
        _keys[connection.engine] = key
    return hmac.digest(key, packed, "sha256")[:SIGNATURE]
