"""What the `source` section of a sync file may say about Keycloak."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from connectors.secret import SecretReference
from directory.snapshot import PEOPLE

__all__ = ["BUILT_IN", "KeycloakSettings"]

BUILT_IN: Final = frozenset({"firstName", "lastName", "emailVerified", "createdTimestamp"})
"""What Keycloak keeps of everybody besides our own columns; always carried, under Keycloak's names."""


def _group_path(path: str) -> str:
    if not path.startswith("/") or path.endswith("/"):
        raise ValueError(f"{path!r} is no group path; write it as Keycloak shows it, such as /engineering/backend")
    return path


def _not_ours(name: str) -> str:
    if name in PEOPLE or name in BUILT_IN:
        raise ValueError(f"{name!r} is carried anyway, or is the name of a column of ours; name custom attributes only")
    return name


class KeycloakSettings(BaseModel):
    """A realm, and a confidential client in it whose service account has the role `view-users` of `realm-management`.

    That role includes `query-users` and `query-groups`. No other one is needed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["keycloak"] = "keycloak"
    url: Annotated[str, Field(min_length=1)]
    """Where Keycloak is, without the realm: https://id.example.org, or with /auth behind it if yours has that."""
    realm: Annotated[str, Field(pattern=r"^[^/?#\s]+$")]
    client_id: Annotated[str, Field(min_length=1)]
    client_secret: SecretReference
    page_size: Annotated[int, Field(ge=1, le=5000)] = 600
    """People a page. What one person costs Keycloak grows with the page: read for the first time, a thousand took 2 s
    in pages of 100, 4 s in pages of 500 and 7 s in one page (26.7)."""
    member_page_size: Annotated[int, Field(ge=1, le=50_000)] = 5000
    """Groups and members a page. They are brief, and cost the same in pages of any size."""
    concurrency: Annotated[int, Field(ge=1, le=32)] = 4
    """Requests at a time."""
    attributes: tuple[Annotated[str, AfterValidator(_not_ours)], ...] | None = None
    """The custom attributes to carry; null for all that anybody has. One with more than one value for anybody becomes
    a list for everybody. Attributes that bear a name of ours (email, active, ...) are left out."""
    groups: tuple[Annotated[str, AfterValidator(_group_path)], ...] | None = None
    """Paths of the groups to read, each with all that is below it; null for all. A path that is not there makes the
    read incomplete."""
    inherit_subgroups: bool = True
    """Whether a group is a member of the group above it, so that who is in `/engineering/backend` is in `/engineering`
    too. Keycloak gives a subgroup the roles of the groups above it, yet lists its members in the subgroup alone."""
    ca_file: Path | None = None
    """A PEM file of certificates to trust besides the known ones."""
