"""Answers that are given again: to a request with the `Idempotency-Key` of one before.

    def work(connection):
        if (before := answers.find(connection, key)):
            return before
        ...
        return answers.keep(connection, key, Answer(201, body), now)

Both in one change: then what was asked twice is done once.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec
from sqlalchemy import Connection, bindparam, select

from hpcshell.core.errors import Wrong
from hpcshell.track.store import writing
from hpcshell.track.store.errors import Exists
from hpcshell.track.store.tables import answers

LONGEST_KEY: Final = 255


class Answer(msgspec.Struct, frozen=True):
    """The status of HTTP, and the body."""

    status: int
    body: bytes


_found: Final = select(answers.c.status, answers.c.body).where(answers.c.key == bindparam("key"))


def key_of(caller: str, method: str, path: str, key: str) -> str:
    """By what an answer is found: nobody meets another's. Raises `Wrong`."""
    if not (0 < len(key) <= LONGEST_KEY and key.isprintable()):
        raise Wrong(
            "Idempotency-Key: this is none", f"write 1 to {LONGEST_KEY} characters, as of a UUID"
        )
    said = msgspec.json.encode((caller, method, path, key.encode(errors="replace")))
    return hashlib.sha256(said).hexdigest()


def find(connection: Connection, key: str) -> Answer | None:
    """What was answered, by the key of `key_of`."""
    row = connection.execute(_found, {"key": key}).first()
    return None if row is None else Answer(row.status, row.body)


def keep(connection: Connection, key: str, answer: Answer, now: float) -> Answer:
    """Answer so from now on. Raises `Exists` where another answer is kept."""
    row = {"key": key, "status": answer.status, "body": answer.body, "created_at": now}
    once = writing.once(connection.dialect.name, answers).returning(answers.c.key)
    if connection.scalar(once, row) is None:
        raise Exists("this Idempotency-Key was used at the same time", "ask again")
    return answer
