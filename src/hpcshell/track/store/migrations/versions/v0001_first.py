"""The tables of the first version."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

LIVE = sa.text("deleted_at IS NULL")
DELETED = sa.text("deleted_at IS NOT NULL")


def upgrade() -> None:
    """Make them, each after those that it refers to."""
    _experiments()
    _experiment_tags()
    _jobs()
    _runs()
    _params()
    _tags()
    _series()
    _chunks()
    _sources()
    _answers()
    _files()
    _webhooks()
    _tokens()
    _secrets()


def _experiments() -> None:
    op.create_table(
        "experiments",
        sa.Column("id", _key(), nullable=False),
        sa.Column("name", _string(250), nullable=False),
        sa.Column("description", _text(), nullable=False),
        sa.Column("owner", _string(250), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("deleted_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "experiments_name",
        "experiments",
        ["name"],
        unique=True,
        sqlite_where=LIVE,
        postgresql_where=LIVE,
    )


def _experiment_tags() -> None:
    op.create_table(
        "experiment_tags",
        sa.Column("experiment_id", _key(), nullable=False),
        sa.Column("key", _string(250), nullable=False),
        sa.Column("value", _text(), nullable=False),
        sa.ForeignKeyConstraint(["experiment_id"], ["experiments.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("experiment_id", "key"),
        sqlite_with_rowid=False,
    )


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("key", _key(), nullable=False),
        sa.Column("kind", _string(16), nullable=False),
        sa.Column("cluster", _string(250), nullable=False),
        sa.Column("id", _string(64), nullable=False),
        sa.Column("element", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("label", _string(80), nullable=False),
        sa.Column("name", _text(), nullable=False),
        sa.Column("user", _string(250), nullable=False),
        sa.Column("state", _string(16), nullable=False),
        sa.Column("state_time", sa.Double(), nullable=False),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("signal", sa.Integer(), nullable=True),
        sa.Column("reason", _text(), nullable=True),
        sa.Column("submit_time", sa.Double(), nullable=True),
        sa.Column("start_time", sa.Double(), nullable=True),
        sa.Column("end_time", sa.Double(), nullable=True),
        sa.Column("cpus", sa.BigInteger(), nullable=True),
        sa.Column("memory", sa.BigInteger(), nullable=True),
        sa.Column("gpus", sa.Double(), nullable=True),
        sa.Column("nodes", _text(), nullable=False),
        sa.Column("time_limit", sa.Double(), nullable=True),
        sa.Column("partition", _string(250), nullable=False),
        sa.Column("account", _string(250), nullable=False),
        sa.Column("cpu_time", sa.Double(), nullable=True),
        sa.Column("max_rss", sa.BigInteger(), nullable=True),
        sa.Column("unknown_since", sa.Double(), nullable=True),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        sa.UniqueConstraint("id", "element", "kind", "cluster"),
        sqlite_autoincrement=True,
    )
    op.create_index("jobs_state", "jobs", ["state"], unique=False)


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("seq", _key(), nullable=False),
        sa.Column("run_id", _string(32), nullable=False),
        sa.Column("experiment_id", _key(), nullable=False),
        sa.Column("name", _text(), nullable=False),
        sa.Column("status", _string(16), nullable=False),
        sa.Column("reason", _text(), nullable=True),
        sa.Column("source", _string(16), nullable=False),
        sa.Column("user", _string(250), nullable=False),
        sa.Column("host", _string(250), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=True),
        sa.Column("parent_run_id", _string(32), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=True),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.Column("heartbeat_at", sa.Double(), nullable=True),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("deleted_at", sa.Double(), nullable=True),
        sa.Column("job_key", _key(), nullable=True),
        sa.Column("note", _text(), nullable=False),
        sa.Column("config", _text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment_id"],
            ["experiments.id"],
        ),
        sa.ForeignKeyConstraint(
            ["job_key"],
            ["jobs.key"],
        ),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("run_id"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "runs_deleted",
        "runs",
        ["deleted_at"],
        unique=False,
        sqlite_where=DELETED,
        postgresql_where=DELETED,
    )
    op.create_index("runs_job", "runs", ["job_key"], unique=False)
    op.create_index(
        "runs_live",
        "runs",
        ["experiment_id", "seq"],
        unique=False,
        sqlite_where=LIVE,
        postgresql_where=LIVE,
    )
    op.create_index(
        "runs_started",
        "runs",
        ["started_at", "seq"],
        unique=False,
        sqlite_where=LIVE,
        postgresql_where=LIVE,
    )
    op.create_index("runs_status", "runs", ["status", "seq"], unique=False)


def _params() -> None:
    op.create_table(
        "params",
        sa.Column("run_id", _string(32), nullable=False),
        sa.Column("key", _string(250), nullable=False),
        sa.Column("number", sa.Double(), nullable=True),
        sa.Column("value", _text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "key"),
        sqlite_with_rowid=False,
    )
    op.create_index("params_number", "params", ["key", "number"], unique=False)
    op.create_index(
        "params_value", "params", ["key", sa.text("substr(value, 1, 100)")], unique=False
    )


def _tags() -> None:
    op.create_table(
        "tags",
        sa.Column("run_id", _string(32), nullable=False),
        sa.Column("key", _string(250), nullable=False),
        sa.Column("value", _text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "key"),
        sqlite_with_rowid=False,
    )
    op.create_index("tags_value", "tags", ["key", sa.text("substr(value, 1, 100)")], unique=False)


def _series() -> None:
    op.create_table(
        "series",
        sa.Column("id", _key(), nullable=False),
        sa.Column("run_id", _string(32), nullable=False),
        sa.Column("key", _string(250), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("chunks", sa.Integer(), nullable=False),
        sa.Column("last", sa.Double(), nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("last_time", sa.Double(), nullable=False),
        sa.Column("min", sa.Double(), nullable=True),
        sa.Column("min_step", sa.BigInteger(), nullable=True),
        sa.Column("max", sa.Double(), nullable=True),
        sa.Column("max_step", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("run_id", "key"),
        sqlite_autoincrement=True,
    )
    op.create_index("series_key", "series", ["key", "last"], unique=False)


def _chunks() -> None:
    op.create_table(
        "chunks",
        sa.Column("series_id", _key(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("points", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["series_id"], ["series.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("series_id", "number"),
    )


def _sources() -> None:
    op.create_table(
        "sources",
        sa.Column("source", _string(64), nullable=False),
        sa.Column("run_id", _string(32), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("bad", sa.BigInteger(), nullable=False),
        sa.Column("trouble", _text(), nullable=True),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("source"),
    )


def _answers() -> None:
    op.create_table(
        "answers",
        sa.Column("key", _string(64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )


def _files() -> None:
    op.create_table(
        "files",
        sa.Column("run_id", _string(32), nullable=False),
        sa.Column("path", _string(1000), nullable=False),
        sa.Column("kind", _string(16), nullable=False),
        sa.Column("uri", _text(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("sha256", _string(64), nullable=True),
        sa.Column("step", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "path"),
    )


def _webhooks() -> None:
    op.create_table(
        "webhooks",
        sa.Column("event", _string(64), nullable=False),
        sa.Column("received_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("event"),
    )
    op.create_index("webhooks_received", "webhooks", ["received_at"], unique=False)


def _tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", _key(), nullable=False),
        sa.Column("name", _string(250), nullable=False),
        sa.Column("digest", _string(64), nullable=False),
        sa.Column("user", _string(250), nullable=False),
        sa.Column("role", _string(16), nullable=False),
        sa.Column("scopes", _text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=True),
        sa.Column("revoked_at", sa.Double(), nullable=True),
        sa.Column("used_at", sa.Double(), nullable=True),
        sa.Column("session", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
        sqlite_autoincrement=True,
    )


def _secrets() -> None:
    op.create_table(
        "secrets",
        sa.Column("name", _string(32), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _string(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def _text() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _key() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")
