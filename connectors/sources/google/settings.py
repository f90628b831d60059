"""What the `source` section of a sync file may say about Google Workspace."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from connectors.secret import SecretReference
from directory.snapshot import PEOPLE

__all__ = ["CUSTOM", "OWN_COLUMNS", "GoogleSettings"]

OWN_COLUMNS: Final = frozenset({*PEOPLE, "given_name", "family_name", "suspended", "archived"})

CUSTOM: Final = "customSchemas"

_PATH: Final = re.compile(r"(?!customSchemas\b)[a-z]\w*(\.\w+)?|customSchemas\.[\w-]+\.[\w-]+")
_ENTRIES: Final = frozenset(
    {
        *("addresses", "emails", "externalIds", "gender", "ims", "keywords", "languages", "locations", "name", "notes"),
        *("organizations", "phones", "posixAccounts", "relations", "sshPublicKeys", "websites"),
    }
)
"""Attributes that are entries with fields of their own (API reference, users)."""


def _address(text: str) -> str:
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", text):
        raise ValueError("this is the e-mail address of an administrator, such as admin@example.com")
    return text


def _attribute_path(path: str) -> str:
    if path in _ENTRIES:
        raise ValueError(f"{path} has fields of its own; name one, as in organizations.department")
    if not _PATH.fullmatch(path):
        raise ValueError(
            f"{path!r} is no attribute; write orgUnitPath, organizations.department or customSchemas.SCHEMA.FIELD"
        )
    return path


AttributePath = Annotated[str, AfterValidator(_attribute_path)]


class GoogleSettings(BaseModel):
    """A Google Workspace account, asked by a service account that acts for an administrator."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["google"] = "google"
    service_account_key: SecretReference
    """The JSON key file of the service account, whole."""
    subject: Annotated[str, AfterValidator(_address)]
    """The administrator for whom the service account acts. It needs to see users and groups, and nothing else."""
    customer: str = "my_customer"
    """Which account: `my_customer` is the administrator's own."""
    domain: str | None = None
    """Read users and groups of this domain alone, of an account with several."""
    attributes: tuple[AttributePath, ...] | Mapping[str, AttributePath] = (
        "organizations.department",
        "organizations.title",
        "orgUnitPath",
    )
    """User attributes to carry, under the last part of their name, or as `column: attribute`. Of a list of entries,
    such as `organizations`, the primary one counts, else the first. Custom ones are `customSchemas.SCHEMA.FIELD`; those
    with several values become lists of text."""
    group_name: Literal["name", "email", "mailbox"] = "name"
    """What groups are called: by their name, by their address, or by what stands before the @ of their address. Names
    may repeat, addresses do not."""
    group_prefix: str | None = None
    """Read only groups that are called so at the beginning (without case), and the groups in them."""
    concurrency: Annotated[int, Field(ge=1, le=50)] = 8
    """Requests at a time."""
    queries_per_minute: Annotated[int, Field(ge=60)] = 2400
    """How many requests a minute this sync may send. Google's quota is 2,400 for one administrator and project."""
    users_page: Annotated[int, Field(ge=1, le=500)] = 500
    """Users a request."""
    members_page: Annotated[int, Field(ge=1, le=200)] = 200
    """Groups and members a request."""
    url: str = "https://admin.googleapis.com"
    """Where the Directory API is; for a proxy. Where tokens come from is in the key."""
    ca_file: Path | None = None
    """A PEM file of certificates to trust besides the usual ones."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        ours = sorted(OWN_COLUMNS & self.columns.keys())
        if ours:
            raise ValueError(
                f"attributes cannot be carried as {', '.join(ours)}, which is a column of its own; "
                "give them another name, as in `attributes: {work_email: emails.address}`"
            )
        if not isinstance(self.attributes, Mapping) and len(self.columns) < len(self.attributes):
            raise ValueError("two attributes end alike; name them, as in `attributes: {column: attribute}`")
        if self.domain is not None and "customer" in self.model_fields_set:
            raise ValueError("give customer or domain, not both")
        return self

    @property
    def columns(self) -> dict[str, str]:
        """Column to attribute."""
        if isinstance(self.attributes, Mapping):
            return dict(self.attributes)
        return {path.rpartition(".")[2]: path for path in self.attributes}

    @property
    def schemas(self) -> tuple[str, ...]:
        """The custom schemas that attributes come from."""
        paths = [path.split(".") for path in self.columns.values() if path.startswith(f"{CUSTOM}.")]
        return tuple(dict.fromkeys(path[1] for path in paths))

    @property
    def whose(self) -> dict[str, str]:
        """The parameter that says whose users and groups are listed; Google wants exactly one."""
        return {"customer": self.customer} if self.domain is None else {"domain": self.domain}
