"""Models that MLflow's client logs, and what runs took and made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the two tables."""
    op.create_table(
        "models",
        sa.Column("model_id", _string(34), nullable=False),
        sa.Column("experiment_id", _key(), nullable=False),
        sa.Column("run_id", _string(32), nullable=True),
        sa.Column("name", _text(), nullable=False),
        sa.Column("type", _text(), nullable=False),
        sa.Column("status", _string(16), nullable=False),
        sa.Column("user", _string(250), nullable=False),
        sa.Column("params", _text(), nullable=False),
        sa.Column("tags", _text(), nullable=False),
        sa.Column("metrics", _text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("deleted_at", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["experiment_id"], ["experiments.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("model_id"),
    )
    op.create_index("models_experiment", "models", ["experiment_id", "created_at"])
    op.create_table(
        "uses",
        sa.Column("run_id", _string(32), nullable=False),
        sa.Column("kind", _string(16), nullable=False),
        sa.Column("key", _string(250), nullable=False),
        sa.Column("body", _text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "kind", "key"),
    )


def _key() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _string(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def _text() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
