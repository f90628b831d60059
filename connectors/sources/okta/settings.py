"""What the `source` section of a sync file may say about Okta."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from connectors.secret import SecretReference
from directory.snapshot import PEOPLE

__all__ = ["EVERYBODY", "OWN_COLUMNS", "OktaSettings"]

EVERYBODY: Final = 'lastUpdated gt "1970-01-01T00:00:00.000Z"'
"""A search that matches everybody. A plain list leaves deactivated users out (API reference, List all users)."""

OWN_COLUMNS: Final = frozenset({*PEOPLE, "given_name", "family_name", "status"})


def _org_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        raise ValueError("the url of an Okta organisation looks like https://example.okta.com")
    if parts.path.strip("/") or parts.query:
        raise ValueError("give the organisation's address alone, without /api or anything else behind the host")
    if parts.hostname.partition(".")[0].endswith("-admin"):
        raise ValueError("this is the address of the admin console; the API is at the one without -admin")
    return url.rstrip("/")


class OktaSettings(BaseModel):
    """An Okta organisation, asked with an API token or as a service app with a private key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["okta"] = "okta"
    url: Annotated[str, AfterValidator(_org_address)]
    """Such as https://example.okta.com."""
    token: SecretReference | None = None
    """An API token. It can do whatever the administrator who made it can do, so a service app is the better choice."""
    client_id: str | None = None
    """Of a service app that authenticates with a public key, and has an administrator role that may see users and
    groups."""
    private_key: SecretReference | None = None
    """The app's private key, PEM or JWK."""
    key_id: str | None = None
    """The `kid` of the key; needed where the app has several."""
    scopes: tuple[str, ...] = ("okta.users.read", "okta.groups.read")
    """Granted to the app. With okta.schemas.read among them `usersync check` also verifies the names of attributes;
    with okta.logs.read a read of changes knows who was deleted."""
    search: str = EVERYBODY
    """Which users are read, in Okta's search language. A narrower search costs part of the proof of completeness: who
    is in a group but not found by the search is taken as left out on purpose."""
    attributes: Literal["all"] | tuple[str, ...] | Mapping[str, str] = (
        "department",
        "division",
        "title",
        "city",
        "employeeNumber",
        "userType",
    )
    """Profile attributes to carry, custom ones included, under their own names, or as `column: attribute`, or `all`.
    Values are text, or lists of text where Okta has lists."""
    group_prefix: str | None = None
    """Read only groups whose name begins so (without case)."""
    groups_search: str | None = None
    """Read only these groups, in Okta's search language, such as `type eq "OKTA_GROUP"`."""
    include_builtin: bool = False
    """Whether Okta's built-in groups, such as Everyone, are groups of the source."""
    verify_counts: bool = True
    """Whether Okta is asked how many members each group has (`expand=stats`), to prove that all of them came. What the
    count costs Okta is not documented; turn it off where lists of groups time out, and lose that proof."""
    projection: bool = True
    """Whether only the wanted properties of users are asked for. Turn it off where Okta refuses `fields`."""
    groups_page: Annotated[int, Field(ge=1, le=10_000)] = 1000
    """Rows a request. Okta advises 200 where large pages time out."""
    members_page: Annotated[int, Field(ge=1, le=1000)] = 1000
    """Rows a request. Okta advises 200 where large pages time out."""
    overlap_minutes: Annotated[float, Field(gt=0, le=1440)] = 10.0
    """How far a read of changes goes back before the last one. Okta's search index, and the time of a group's last
    change of members, lag behind by seconds to minutes; what comes again costs requests and does no harm."""
    concurrency: Annotated[int, Field(ge=1, le=75)] = 8
    """Requests at a time; Okta allows 75 for an organisation, 35 on the free plan."""
    budget_share: Annotated[float, Field(gt=0, le=1)] = 0.9
    """How much of each rate limit this sync may use. Okta gives one token half of an organisation's by itself."""
    ca_file: Path | None = None
    """Certificates to trust besides the usual ones, for a proxy that opens TLS."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        app = (self.client_id is not None, self.private_key is not None)
        if (self.token is not None) == any(app) or (any(app) and not all(app)):
            raise ValueError("give either token, or both client_id and private_key")
        if self.group_prefix is not None and self.groups_search is not None:
            raise ValueError("give group_prefix or groups_search, not both")
        if self.attributes != "all":
            ours = sorted(OWN_COLUMNS & self.columns.keys())
            if ours:
                raise ValueError(
                    f"attributes cannot be carried as {', '.join(ours)}, which is a column of its own; "
                    "give them another name, as in `attributes: {okta_status: status}`"
                )
        return self

    @property
    def columns(self) -> dict[str, str]:
        """Column to profile attribute; empty for `all`, which is known only after the read."""
        if self.attributes == "all":
            return {}
        if isinstance(self.attributes, Mapping):
            return dict(self.attributes)
        return {name: name for name in self.attributes}

    @property
    def reads_everybody(self) -> bool:
        return self.search == EVERYBODY

    @property
    def may_ask_for_log(self) -> bool:
        """A token has its administrator's rights, which only a request can tell."""
        return self.token is not None or "okta.logs.read" in self.scopes

    @property
    def group_query(self) -> str | None:
        """The search for groups, None for all."""
        if self.group_prefix is None:
            return self.groups_search
        escaped = self.group_prefix.replace("\\", "\\\\").replace('"', '\\"')
        return f'profile.name sw "{escaped}"'
