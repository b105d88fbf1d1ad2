"""The tables of the tracker. `migrations/` makes them; this page says what they mean.

Floats that may be NaN are NULL for it: SQLite has no NaN. Instants are Unix seconds. Text is
compared byte by byte on both databases. What is asked of live rows uses indices of live rows.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.types import TypeEngine

metadata: Final = MetaData()

_Big = BigInteger().with_variant(Integer, "sqlite")  # only an INTEGER key counts up by itself
_TEXT: Final[TypeEngine[str]] = Text().with_variant(Text(collation="C"), "postgresql")


def _string(length: int) -> TypeEngine[str]:
    return String(length).with_variant(String(length, collation="C"), "postgresql")


LIVE: Final = text("deleted_at IS NULL")
DELETED: Final = text("deleted_at IS NOT NULL")
HEAD: Final = 100
"""Characters of a value by which it is found and sorted: an index holds no longer ones."""

experiments: Final = Table(
    "experiments",
    metadata,
    Column("id", _Big, primary_key=True),
    Column("name", _string(250), nullable=False),
    Column("description", _TEXT, nullable=False, default=""),
    Column("owner", _string(250), nullable=False, default=""),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("deleted_at", Double),
    Index(
        "experiments_name",
        "name",
        unique=True,
        sqlite_where=LIVE,
        postgresql_where=LIVE,
    ),
    sqlite_autoincrement=True,
)

experiment_tags: Final = Table(
    "experiment_tags",
    metadata,
    Column("experiment_id", ForeignKey("experiments.id", ondelete="CASCADE"), primary_key=True),
    Column("key", _string(250), primary_key=True),
    Column("value", _TEXT, nullable=False),
    sqlite_with_rowid=False,
)

jobs: Final = Table(
    "jobs",
    metadata,
    Column("key", _Big, primary_key=True),
    Column("kind", _string(16), nullable=False),
    Column("cluster", _string(250), nullable=False),
    Column("id", _string(64), nullable=False),
    Column("element", BigInteger, nullable=False, default=-1),
    Column("attempt", Integer, nullable=False, default=1),
    Column("label", _string(80), nullable=False),
    Column("name", _TEXT, nullable=False, default=""),
    Column("user", _string(250), nullable=False, default=""),
    Column("state", _string(16), nullable=False, default="UNKNOWN"),
    Column("state_time", Double, nullable=False, default=0.0),
    Column("exit_code", Integer),
    Column("signal", Integer),
    Column("reason", _TEXT),
    Column("submit_time", Double),
    Column("start_time", Double),
    Column("end_time", Double),
    Column("cpus", BigInteger),
    Column("memory", BigInteger),
    Column("gpus", Double),
    Column("nodes", _TEXT, nullable=False, default="[]"),
    Column("time_limit", Double),
    Column("partition", _string(250), nullable=False, default=""),
    Column("account", _string(250), nullable=False, default=""),
    Column("cpu_time", Double),
    Column("max_rss", BigInteger),
    Column("unknown_since", Double),
    Column("updated_at", Double, nullable=False),
    UniqueConstraint("cluster", "id", "element"),
    Index("jobs_state", "state"),
    sqlite_autoincrement=True,
)
"""`element` -1: a plain job. `state_time`: of the event or answer that the state is from."""

runs: Final = Table(
    "runs",
    metadata,
    Column("seq", _Big, primary_key=True),
    Column("run_id", _string(32), nullable=False, unique=True),
    Column("experiment_id", ForeignKey("experiments.id"), nullable=False),
    Column("name", _TEXT, nullable=False, default=""),
    Column("status", _string(16), nullable=False),
    Column("reason", _TEXT),
    Column("source", _string(16), nullable=False),
    Column("user", _string(250), nullable=False, default=""),
    Column("host", _string(250), nullable=False, default=""),
    Column("seed", BigInteger),
    Column("parent_run_id", _string(32)),
    Column("exit_code", Integer),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("ended_at", Double),
    Column("heartbeat_at", Double),
    Column("updated_at", Double, nullable=False),
    Column("deleted_at", Double),
    Column("job_key", ForeignKey("jobs.key")),
    Column("note", _TEXT, nullable=False, default=""),
    Column("config", _TEXT, nullable=False, default="{}"),
    Index("runs_live", "experiment_id", "seq", sqlite_where=LIVE, postgresql_where=LIVE),
    Index("runs_started", "started_at", "seq", sqlite_where=LIVE, postgresql_where=LIVE),
    Index("runs_status", "status", "seq"),
    Index("runs_job", "job_key"),
    Index("runs_deleted", "deleted_at", sqlite_where=DELETED, postgresql_where=DELETED),
    sqlite_autoincrement=True,
)

params: Final = Table(
    "params",
    metadata,
    Column("run_id", ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("key", _string(250), primary_key=True),
    Column("number", Double),
    Column("value", _TEXT, nullable=False),
    Index("params_number", "key", "number"),
    sqlite_with_rowid=False,
)
"""`number`: the value, where it is one and no NaN."""
Index("params_value", params.c.key, func.substr(params.c.value, text("1"), text(str(HEAD))))

tags: Final = Table(
    "tags",
    metadata,
    Column("run_id", ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("key", _string(250), primary_key=True),
    Column("value", _TEXT, nullable=False),
    sqlite_with_rowid=False,
)
Index("tags_value", tags.c.key, func.substr(tags.c.value, text("1"), text(str(HEAD))))

series: Final = Table(
    "series",
    metadata,
    Column("id", _Big, primary_key=True),
    Column("run_id", ForeignKey("runs.run_id", ondelete="CASCADE"), nullable=False),
    Column("key", _string(250), nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("chunks", Integer, nullable=False),
    Column("last", Double),
    Column("last_step", BigInteger, nullable=False),
    Column("last_time", Double, nullable=False),
    Column("min", Double),
    Column("min_step", BigInteger),
    Column("max", Double),
    Column("max_step", BigInteger),
    UniqueConstraint("run_id", "key"),
    Index("series_key", "key", "last"),
    sqlite_autoincrement=True,
)
"""A metric of a run and what is known of all its points. `last` NULL is NaN; `min` and `max` NULL:
all its values are NaN, exactly where `min_step` is NULL. `chunks`: the number of the next one."""

chunks: Final = Table(
    "chunks",
    metadata,
    Column("series_id", ForeignKey("series.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("points", LargeBinary, nullable=False),
)
"""Points as they came in: `count` steps (int64), then times (float64), then values (float64), all
little-endian. Small ones are put together; their number is that of the first."""

sources: Final = Table(
    "sources",
    metadata,
    Column("source", _string(64), primary_key=True),
    Column("run_id", _string(32), nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("updated_at", Double, nullable=False),
)
"""How far each spool file has been taken in: what is before `offset` is never taken in again."""

answers: Final = Table(
    "answers",
    metadata,
    Column("key", _string(64), primary_key=True),
    Column("status", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", Double, nullable=False),
)
"""Answers to requests that carried an `Idempotency-Key`; `key`: digest of caller, path, key."""

files: Final = Table(
    "files",
    metadata,
    Column("run_id", ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("path", _string(1000), primary_key=True),
    Column("kind", _string(16), nullable=False),
    Column("uri", _TEXT),
    Column("size", BigInteger),
    Column("sha256", _string(64)),
    Column("step", BigInteger),
    Column("created_at", Double, nullable=False),
)

webhooks: Final = Table(
    "webhooks",
    metadata,
    Column("event", _string(64), primary_key=True),
    Column("received_at", Double, nullable=False),
    Index("webhooks_received", "received_at"),
)
"""Events that were taken: the same one again is a repetition."""

tokens: Final = Table(
    "tokens",
    metadata,
    Column("id", _Big, primary_key=True),
    Column("name", _string(250), nullable=False),
    Column("digest", _string(64), nullable=False, unique=True),
    Column("user", _string(250), nullable=False),
    Column("role", _string(16), nullable=False),
    Column("scopes", _TEXT, nullable=False, default=""),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("revoked_at", Double),
    Column("used_at", Double),
    Column("session", Boolean, nullable=False, default=False),
    sqlite_autoincrement=True,
)
"""`digest`: SHA-256 of the token, which is 256 random bits and needs no salt. `scopes`: words with
blanks between, fewer rights than the role has; empty: all of them."""

secrets: Final = Table(
    "secrets",
    metadata,
    Column("name", _string(32), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
"""Keys of this database alone: `cursors` signs the places in lists."""
