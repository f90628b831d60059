"""What the `source` section of a sync file may say about what was pushed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["ScimSettings", "Wake"]


class Wake(BaseModel):
    """That pushes start runs of this sync, where `usersync serve` receives them. All times in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    quiet_seconds: Annotated[float, Field(gt=0, le=3600)] = 10
    """A run is started when nothing was pushed for so long,"""
    longest_seconds: Annotated[float, Field(gt=0, le=86_400)] = 60
    """and at the latest so long after the first push."""
    people: Annotated[int, Field(ge=0, le=50)] = 5
    """Up to so many people are brought up to date one by one; for more, or for a whole group, everybody is."""


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
    wake: Wake | None = None
    """Whether pushes start runs; otherwise runs are started by schedules and people alone."""
