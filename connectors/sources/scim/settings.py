"""What the `source` section of a sync file may say about what was pushed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["ScimSettings"]


class ScimSettings(BaseModel):
    """A connector of the SCIM receiver, in the ledger of the run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["scim"] = "scim"
    connector: Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$")]
    """Its name, as `usersync scim list` shows it."""
    identify_by: Literal["id", "externalId"] = "id"
    """Which id a person is known by. `id` is the receiver's own and never changes; `externalId` is the identity
    provider's, and the same as in a source that is read, for who changes over from one."""
    expect_contact_hours: Annotated[float, Field(gt=0)] | None = None
    """Where nobody used a token of the connector for longer, the read is incomplete. Entra comes every 40 minutes,
    Okta only when something changes."""
