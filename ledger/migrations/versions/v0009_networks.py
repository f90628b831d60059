"""From where a SCIM connector may be pushed to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("scim_connectors", sa.Column("allowed", sa.Text(), nullable=True))
