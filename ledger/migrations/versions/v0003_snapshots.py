"""Both sides as they were last read, and what fed the groups that were assigned."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "snapshots",
        sa.Column("sync", sa.String(), nullable=False),
        sa.Column("side", sa.String(), nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sync", "side", name="pk_snapshots"),
    )
    op.create_table(
        "snapshot_frames",
        sa.Column("sync", sa.String(), nullable=False),
        sa.Column("side", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sync", "side", "name", name="pk_snapshot_frames"),
    )
    op.create_table(
        "group_feeds",
        sa.Column("sync", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("feeds", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sync", "name", name="pk_group_feeds"),
        sqlite_with_rowid=False,
    )
