"""The tables of the tracker. `migrations/` makes them; this page says what they mean.

Floats that may be NaN are NULL for it: SQLite has no NaN. Instants are Unix seconds.
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
    text,
)

metadata: Final = MetaData()

_Big = BigInteger().with_variant(Integer, "sqlite")  # only an INTEGER key counts up by itself

experiments: Final = Table(
    "experiments",
    metadata,
    Column("id", _Big, primary_key=True),
    Column("name", String(250), nullable=False),
    Column("description", Text, nullable=False, default=""),
    Column("owner", String(250), nullable=False, default=""),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("deleted_at", Double),
    Index(
        "experiments_name",
        "name",
        unique=True,
        sqlite_where=text("deleted_at IS NULL"),
        postgresql_where=text("deleted_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)

experiment_tags: Final = Table(
    "experiment_tags",
    metadata,
    Column("experiment_id", ForeignKey("experiments.id", ondelete="CASCADE"), primary_key=True),
    Column("key", String(250), primary_key=True),
    Column("value", Text, nullable=False),
)

jobs: Final = Table(
    "jobs",
    metadata,
    Column("key", _Big, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("cluster", String(250), nullable=False),
    Column("id", String(64), nullable=False),
    Column("element", BigInteger, nullable=False, default=-1),
    Column("attempt", Integer, nullable=False, default=1),
    Column("label", String(80), nullable=False),
    Column("name", Text, nullable=False, default=""),
    Column("user", String(250), nullable=False, default=""),
    Column("state", String(16), nullable=False, default="UNKNOWN"),
    Column("state_time", Double, nullable=False, default=0.0),
    Column("exit_code", Integer),
    Column("signal", Integer),
    Column("reason", Text),
    Column("submit_time", Double),
    Column("start_time", Double),
    Column("end_time", Double),
    Column("cpus", BigInteger),
    Column("memory", BigInteger),
    Column("gpus", Double),
    Column("nodes", Text, nullable=False, default="[]"),
    Column("time_limit", Double),
    Column("partition", String(250), nullable=False, default=""),
    Column("account", String(250), nullable=False, default=""),
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
    Column("run_id", String(32), nullable=False, unique=True),
    Column("experiment_id", ForeignKey("experiments.id"), nullable=False),
    Column("name", Text, nullable=False, default=""),
    Column("status", String(16), nullable=False),
    Column("reason", Text),
    Column("source", String(16), nullable=False),
    Column("user", String(250), nullable=False, default=""),
    Column("host", String(250), nullable=False, default=""),
    Column("seed", BigInteger),
    Column("config", Text, nullable=False, default="{}"),
    Column("note", Text, nullable=False, default=""),
    Column("parent_run_id", String(32)),
    Column("exit_code", Integer),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("ended_at", Double),
    Column("heartbeat_at", Double),
    Column("updated_at", Double, nullable=False),
    Column("deleted_at", Double),
    Column("job_key", ForeignKey("jobs.key")),
    Index("runs_experiment", "experiment_id", "seq"),
    Index("runs_status", "status", "seq"),
    Index("runs_job", "job_key"),
    Index("runs_deleted", "deleted_at"),
    sqlite_autoincrement=True,
)

params: Final = Table(
    "params",
    metadata,
    Column("run_id", ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("key", String(250), primary_key=True),
    Column("value", Text, nullable=False),
)

tags: Final = Table(
    "tags",
    metadata,
    Column("run_id", ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("key", String(250), primary_key=True),
    Column("value", Text, nullable=False),
)

series: Final = Table(
    "series",
    metadata,
    Column("id", _Big, primary_key=True),
    Column("run_id", ForeignKey("runs.run_id", ondelete="CASCADE"), nullable=False),
    Column("key", String(250), nullable=False),
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
    Column("source", String(64), primary_key=True),
    Column("run_id", String(32), nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("updated_at", Double, nullable=False),
)
"""How far each spool file has been taken in: what is before `offset` is never taken in again."""

answers: Final = Table(
    "answers",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("status", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", Double, nullable=False),
)
"""Answers to requests that carried an `Idempotency-Key`; `key`: digest of caller, path, key."""

files: Final = Table(
    "files",
    metadata,
    Column("run_id", ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("path", String(1000), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("uri", Text),
    Column("size", BigInteger),
    Column("sha256", String(64)),
    Column("step", BigInteger),
    Column("created_at", Double, nullable=False),
)

webhooks: Final = Table(
    "webhooks",
    metadata,
    Column("event", String(64), primary_key=True),
    Column("received_at", Double, nullable=False),
    Index("webhooks_received", "received_at"),
)
"""Events that were taken: the same one again is a repetition."""

tokens: Final = Table(
    "tokens",
    metadata,
    Column("id", _Big, primary_key=True),
    Column("name", String(250), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("user", String(250), nullable=False),
    Column("role", String(16), nullable=False),
    Column("scopes", Text, nullable=False, default=""),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("revoked_at", Double),
    Column("used_at", Double),
    Column("session", Boolean, nullable=False, default=False),
    sqlite_autoincrement=True,
)
"""`digest`: SHA-256 of the token, which is 256 random bits and needs no salt. `scopes`: words with
blanks between, fewer rights than the role has; empty: all of them."""
