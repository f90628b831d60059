"""Since when somebody is a leaver, and since when an account has access."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("links", sa.Column("left_at", sa.BigInteger(), nullable=True))
    op.add_column("links", sa.Column("access_since", sa.BigInteger(), nullable=True))
