"""What the receiver is told, and how much it takes of anything."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Limits", "ScimSettings"]

Count = Annotated[int, Field(ge=1)]


class Limits(BaseModel):
    """How much is taken. What is more is refused with 413 or 400, before it is looked into."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    user_bytes: Count = 1 << 20
    """Of the body of a request about users."""
    group_bytes: Count = 4 << 20
    """Of the body of a request about groups, and of Bulk: full pushes of members are long."""
    operations: Count = 100
    """Of one PATCH, or of one Bulk."""
    values: Count = 100
    """Of an attribute that has many."""
    members: Count = 50_000
    """In one list of members."""
    text: Count = 4096
    """Characters of one value."""
    name: Count = 255
    """Characters of a userName or displayName."""
    depth: Count = 12
    """How deep a document nests."""
    filter_text: Count = 4096
    """Characters of a filter or path."""
    filter_terms: Count = 50
    filter_depth: Count = 8
    """How deep the parentheses of a filter nest."""
    page: Count = 1000
    """Resources of one page, at most."""
    page_unasked: Count = 100
    """Resources of a page where the client names no number."""
    requests_per_second: Annotated[float, Field(gt=0)] = 50.0
    """Of one token, on the average; Microsoft Entra requires 25."""
    burst: Count = 200
    """Requests of one token at once."""
    refusals_per_minute: Annotated[float, Field(gt=0)] = 30.0
    """Requests of one address without a good token, on the average."""
    at_once: Count = 32
    """Requests of one connector that are dealt with at the same time; as many writes are committed together."""
    queued: Annotated[int, Field(ge=0)] = 64
    """Requests of one connector that may wait for that."""
    body_seconds: Annotated[float, Field(gt=0)] = 30.0
    """How long the body of a request may take to come."""
    waiting: Count = 256
    """Writes of all connectors that may wait for their turn."""


class ScimSettings(BaseModel):
    """What the receiver is told by who runs it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    public_url: Annotated[str, Field(pattern=r"^https?://[^\s/?#\"\\]+(/[^\s?#\"\\]*)?$")]
    """What clients reach the service by, such as https://usersync.example.com. Every address in an answer begins with
    it, or with the connector's own; what a client says in its Host header is not repeated."""
    limits: Limits = Limits()
    token_memory: Annotated[float, Field(ge=0, le=60)] = 1.0
    """Seconds for which a token that was good, and the networks of connectors, are not looked up again; a revoked token
    stops working within them."""
