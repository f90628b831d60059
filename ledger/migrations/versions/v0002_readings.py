"""The last reading of a source, for incremental reads."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "readings",
        sa.Column("sync", sa.String(), nullable=False),
        sa.Column("watermark", sa.Text(), nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=False),
        sa.Column("full_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sync", name="pk_readings"),
    )
    op.create_table(
        "reading_frames",
        sa.Column("sync", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sync", "name", name="pk_reading_frames"),
    )
