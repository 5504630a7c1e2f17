"""What came with 0.2. Until it is released every new table and column of `schema` is added here."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0002", "0001"


def upgrade() -> None:
    op.create_table(
        "schedules",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("rule", sa.String, nullable=False),
        sa.Column("decided_until", sa.Float, nullable=False),
        sa.Column("run_at", sa.Float),
        sa.Column("path", sa.LargeBinary),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("problem", sa.Text),
    )


def downgrade() -> None:
    op.drop_table("schedules")
