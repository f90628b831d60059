"""What the `source` section of a sync file may say about Microsoft Entra ID."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from connectors.secret import SecretReference
from directory.snapshot import PEOPLE

__all__ = ["MANAGER", "OWN_COLUMNS", "EntraSettings"]

OWN_COLUMNS: Final = frozenset({*PEOPLE, "given_name", "family_name", "user_type"})

MANAGER: Final = "manager"
"""An attribute that is another user: carried as that user's userPrincipalName."""

_NUMBERED: Final = re.compile(r"^extensionAttribute([1-9]|1[0-5])$")
_PROPERTY: Final = re.compile(r"^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)?$")
_ONE_BY_ONE: Final = frozenset(
    {
        "aboutMe",
        "birthday",
        "hireDate",
        "interests",
        "mailboxSettings",
        "mySite",
        "pastProjects",
        "preferredName",
        "responsibilities",
        "schools",
        "signInActivity",
        "skills",
    }
)
"""Graph gives these for one user at a time only, or cuts its pages for them (API reference, List users)."""


def _host(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        raise ValueError("this must be an address such as https://graph.microsoft.com")
    if parts.path.strip("/") or parts.query:
        raise ValueError("give the host's address alone, without /v1.0 or anything else behind it")
    return url.rstrip("/")


def _tenant(tenant: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.-]+", tenant) or tenant.lower() in {"common", "organizations", "consumers"}:
        raise ValueError("this must be the tenant's id, or one of its domains such as example.onmicrosoft.com")
    return tenant


class EntraSettings(BaseModel):
    """A tenant of Microsoft Entra ID, asked as an app registration with a client secret or a certificate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["entra"] = "entra"
    tenant_id: Annotated[str, AfterValidator(_tenant)]
    """The directory (tenant) id, or a domain of the tenant."""
    client_id: str
    """The application (client) id of the app registration."""
    client_secret: SecretReference | None = None
    """The value of a client secret, not its id. A certificate is the better choice."""
    certificate: SecretReference | None = None
    """PEM text with the private key (RSA) and the certificate that the app registration holds."""
    thumbprint: str | None = None
    """The certificate's thumbprint in hexadecimal; needed where the PEM text holds the private key alone."""
    login_url: Annotated[str, AfterValidator(_host)] = "https://login.microsoftonline.com"
    """Another one in a national cloud, such as https://login.microsoftonline.us."""
    graph_url: Annotated[str, AfterValidator(_host)] = "https://graph.microsoft.com"
    """Another one in a national cloud, such as https://graph.microsoft.us."""
    attributes: tuple[str, ...] | Mapping[str, str] = (
        "department",
        "jobTitle",
        "companyName",
        "officeLocation",
        "employeeId",
        "employeeType",
    )
    """Properties of users to carry, under their own names, or as `column: property`. Directory extensions
    (extension_...), extensionAttribute1 to 15, employeeOrgData.division and the like, and manager are allowed."""
    groups_filter: str | None = None
    """Read only these groups, and the groups within them, in the language of Graph's `$filter`, such as
    `startswith(displayName,'bb-')`."""
    guests: Literal["include", "exclude"] = "include"
    """Whether users of the type Guest are people of the source."""
    verify_counts: bool = True
    """Whether Graph is asked for its counts (advanced queries), to prove that all rows came."""
    concurrency: Annotated[int, Field(ge=1, le=32)] = 4
    """Requests at a time; one of them may carry twenty."""
    ca_file: Path | None = None
    """Certificates to trust besides the usual ones, for a proxy that opens TLS."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.client_secret is None) == (self.certificate is None):
            raise ValueError("give either client_secret or certificate")
        if self.thumbprint is not None and not re.fullmatch(r"[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64}", self.thumbprint):
            raise ValueError("a thumbprint is 40 (SHA-1) or 64 (SHA-256) hexadecimal digits")
        ours = sorted(OWN_COLUMNS & self.columns.keys())
        if ours:
            raise ValueError(
                f"attributes cannot be carried as {', '.join(ours)}, which is a column of its own; "
                "give them another name, as in `attributes: {entra_mail: mail}`"
            )
        for name in self.columns.values():
            if not _PROPERTY.match(name):
                raise ValueError(f"{name!r} is not a property of Graph's users")
            if name in _ONE_BY_ONE:
                raise ValueError(f"Graph does not give {name} for lists of users")
        return self

    @property
    def columns(self) -> dict[str, str]:
        """Column to property."""
        if isinstance(self.attributes, Mapping):
            return dict(self.attributes)
        return {name.replace(".", "_"): name for name in self.attributes}

    @property
    def paths(self) -> dict[str, tuple[str, ...]]:
        """Column to the keys that lead to its value in a user."""
        return {
            column: ("onPremisesExtensionAttributes", name)
            if _NUMBERED.match(name)
            else (MANAGER, "userPrincipalName")
            if name == MANAGER
            else tuple(name.split("."))
            for column, name in self.columns.items()
        }

    @property
    def properties(self) -> list[str]:
        """What is selected of each user, `manager` left out, which cannot be selected."""
        ours = (
            "id",
            "userPrincipalName",
            "mail",
            "displayName",
            "givenName",
            "surname",
            "accountEnabled",
            "userType",
            "createdDateTime",
        )
        return list(dict.fromkeys([*ours, *(path[0] for path in self.paths.values() if path[0] != MANAGER)]))

    @property
    def wants_manager(self) -> bool:
        return MANAGER in self.columns.values()
