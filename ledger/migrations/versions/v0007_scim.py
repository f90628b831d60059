"""The SCIM receiver: connectors and tokens, what was pushed, who was touched by it, and who did it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    _who_may_push()
    _what_was_pushed()
    _what_came_of_it()


def _connector(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["connector_id"], ["scim_connectors.id"], name=f"fk_{table}_connector_id")


def _resource(name: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["connector_id", column],
        ["scim_resources.connector_id", "scim_resources.id"],
        name=name,
        ondelete="CASCADE",
    )


def _who_may_push() -> None:
    op.create_table(
        "scim_connectors",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("base_url", sa.String(), nullable=True),
        sa.Column("strict", sa.Boolean(), nullable=False),
        sa.Column("schemas", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_scim_connectors"),
    )
    op.create_table(
        "scim_tokens",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("connector_id", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_scim_tokens"),
        _connector("scim_tokens"),
    )
    op.create_index("ix_scim_tokens_connector_id", "scim_tokens", ["connector_id"], unique=False)


def _what_was_pushed() -> None:
    op.create_table(
        "scim_resources",
        sa.Column("connector_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name_key", sa.String(), nullable=False),
        sa.Column("external_id", sa.String(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("modified_at", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("keys", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("connector_id", "id", name="pk_scim_resources"),
        sa.UniqueConstraint("connector_id", "kind", "name_key", name="uq_scim_resources_name"),
        _connector("scim_resources"),
    )
    columns = ["connector_id", "kind"]
    op.create_index(
        "ix_scim_resources_connector_id_kind_created_at_id", "scim_resources", [*columns, "created_at", "id"]
    )
    op.create_index("ix_scim_resources_connector_id_kind_external_id", "scim_resources", [*columns, "external_id"])
    op.create_table(
        "scim_values",
        sa.Column("connector_id", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("resource_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("connector_id", "path", "key", "resource_id", name="pk_scim_values"),
        _resource("fk_scim_values_resource", "resource_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_scim_values_connector_id_resource_id", "scim_values", ["connector_id", "resource_id"])
    op.create_table(
        "scim_members",
        sa.Column("connector_id", sa.String(), nullable=False),
        sa.Column("group_id", sa.String(), nullable=False),
        sa.Column("member_id", sa.String(), nullable=False),
        sa.Column("member_kind", sa.String(), nullable=False),
        sa.Column("display", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("connector_id", "group_id", "member_id", name="pk_scim_members"),
        _resource("fk_scim_members_group", "group_id"),
        _resource("fk_scim_members_member", "member_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_scim_members_connector_id_member_id", "scim_members", ["connector_id", "member_id"])
    op.create_table(
        "scim_counts",
        sa.Column("connector_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("connector_id", "kind", name="pk_scim_counts"),
        _connector("scim_counts"),
        sqlite_with_rowid=False,
    )


def _what_came_of_it() -> None:
    op.create_table(
        "scim_touched",
        sa.Column("connector_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("resource_id", sa.String(), nullable=False),
        sa.Column("mark", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("connector_id", "kind", "resource_id", name="pk_scim_touched"),
        _connector("scim_touched"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_scim_touched_connector_id_at", "scim_touched", ["connector_id", "at"])
    op.create_table(
        "scim_audit",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("connector_id", sa.String(), nullable=False),
        sa.Column("token_id", sa.String(), nullable=False),
        sa.Column("client", sa.String(), nullable=True),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("resource_id", sa.String(), nullable=False),
        sa.Column("version_before", sa.Integer(), nullable=True),
        sa.Column("version_after", sa.Integer(), nullable=True),
        sa.Column("changed", sa.Text(), nullable=False),
        sa.Column("mended", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_scim_audit"),
        _connector("scim_audit"),
    )
    op.create_index("ix_scim_audit_connector_id_id", "scim_audit", ["connector_id", "id"])
    op.create_index("ix_scim_audit_connector_id_resource_id", "scim_audit", ["connector_id", "resource_id"])
