"""What the `source` section of a sync file may say about OneLogin."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from connectors.secret import SecretReference
from directory.snapshot import PEOPLE

__all__ = ["CUSTOM", "OWN_COLUMNS", "OneLoginSettings"]

OWN_COLUMNS: Final = frozenset({*PEOPLE, "given_name", "family_name", "status", "state"})

CUSTOM: Final = "custom_attributes"


def _account_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        raise ValueError("the url of a OneLogin account looks like https://example.onelogin.com")
    if parts.path.strip("/") or parts.query:
        raise ValueError("give the account's address alone, without /api or anything else behind the host")
    return url.rstrip("/")


def _attribute_path(path: str) -> str:
    if not re.fullmatch(rf"[a-z]\w*|{CUSTOM}\.\w+", path) or path == CUSTOM:
        raise ValueError(f"{path!r} is no attribute; write department or {CUSTOM}.SHORTNAME")
    return path


AttributePath = Annotated[str, AfterValidator(_attribute_path)]


class OneLoginSettings(BaseModel):
    """A OneLogin account, asked with API credentials that may read all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["onelogin"] = "onelogin"
    url: Annotated[str, AfterValidator(_account_address)]
    """Such as https://example.onelogin.com."""
    client_id: Annotated[str, Field(min_length=1)]
    """Of API credentials with the scope Read All."""
    client_secret: SecretReference
    groups_from: Literal["roles", "group", "member_of"] = "roles"
    """What counts as groups: OneLogin's roles; its groups, of which everybody has one at most; or the directory groups
    that `member_of` names, which are known only by their members."""
    active_statuses: tuple[Annotated[int, Field(ge=0, le=8)], ...] = (1, 3, 4, 5, 7, 8)
    """Statuses of people who work here. By default active, locked, password expired, awaiting a reset, password pending
    and security questions required; not unactivated (0) and suspended (2)."""
    approved_states: tuple[Annotated[int, Field(ge=0, le=3)], ...] = (1,)
    """States of people who work here: 0 unapproved, 1 approved, 2 rejected, 3 unlicensed."""
    attributes: tuple[AttributePath, ...] | Mapping[str, AttributePath] = ("department", "title")
    """User attributes to carry, under the last part of their name, or as `column: attribute`. Custom ones are
    `custom_attributes.SHORTNAME`."""
    page_size: Annotated[int, Field(ge=1, le=1000)] = 100
    """Users a request."""
    paging: Literal["cursor", "page"] = "cursor"
    """How further pages are asked for. `page` numbers them; for an account whose cursors forget which fields were asked
    for."""
    minimum_calls_left: Annotated[int, Field(ge=0)] = 0
    """Do not start when fewer API calls than this remain in the hour; 0 does not ask. The limit is the account's (5,000
    an hour), and other programs live on it too."""
    ca_file: Path | None = None
    """A PEM file of certificates to trust besides the usual ones."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        ours = sorted(OWN_COLUMNS & self.columns.keys())
        if ours:
            raise ValueError(
                f"attributes cannot be carried as {', '.join(ours)}, which is a column of its own; "
                "give them another name, as in `attributes: {onelogin_status: status}`"
            )
        if not isinstance(self.attributes, Mapping) and len(self.columns) < len(self.attributes):
            raise ValueError("two attributes end alike; name them, as in `attributes: {column: attribute}`")
        return self

    @property
    def columns(self) -> dict[str, str]:
        """Column to attribute."""
        if isinstance(self.attributes, Mapping):
            return dict(self.attributes)
        return {path.rpartition(".")[2]: path for path in self.attributes}

    @property
    def membership_field(self) -> str:
        """The field of a user that says which groups they are in."""
        return {"roles": "role_ids", "group": "group_id", "member_of": "member_of"}[self.groups_from]
