"""What the `source` section of a sync file may say about an LDAP directory."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from connectors.secret import SecretReference
from connectors.sources.ldap.products import PRODUCTS, Product, ProductName, Rule
from directory.snapshot import PEOPLE

__all__ = ["OWN_COLUMNS", "LdapSettings"]

OWN_COLUMNS: Final = frozenset(
    {*PEOPLE, "dn", "given_name", "family_name", "disabled", "expires_at", "primary_group", "uid"}
)

_ATTRIBUTE: Final = re.compile(r"^[A-Za-z][A-Za-z0-9-]*$")
_GLOBAL_CATALOG: Final = frozenset({3268, 3269})
"""MS-ADTS, section 3.1.1.3.1: what these ports serve is a partial copy."""
_NOT_TEXT: Final = frozenset(
    {"jpegphoto", "thumbnailphoto", "unicodepwd", "usercertificate", "userpassword", "usersmimecertificate"}
)


def _url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"ldap", "ldaps"} or not parts.hostname or "@" in parts.netloc:
        raise ValueError("this must be an address such as ldaps://ldap.example.com or ldap://ldap.example.com:1389")
    if parts.path.strip("/") or parts.query:
        raise ValueError("give the server's address alone; what to read is said by base")
    return url.rstrip("/")


def _dn(dn: str) -> str:
    if "=" not in dn:
        raise ValueError("this must be a distinguished name such as dc=example,dc=com")
    return dn.strip()


def _filter(text: str) -> str:
    found = text.strip()
    if not (found.startswith("(") and found.endswith(")")) or found.count("(") != found.count(")"):
        raise ValueError("this must be a filter in parentheses, such as (objectClass=inetOrgPerson)")
    return found


def _attribute(name: str) -> str:
    if not _ATTRIBUTE.match(name):
        raise ValueError(f"{name!r} is not the name of an attribute")
    return name


Dn = Annotated[str, AfterValidator(_dn)]
Filter = Annotated[str, AfterValidator(_filter)]
Attribute = Annotated[str, AfterValidator(_attribute)]


class LdapSettings(BaseModel):
    """An LDAP directory, asked with a simple bind over TLS."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["ldap"] = "ldap"
    product: ProductName
    """Which directory it is; most defaults hang on it."""
    url: Annotated[str, AfterValidator(_url)]
    """One server, such as ldaps://dc1.corp.example.com; a further one would count its changes by another number."""
    encryption: Literal["tls", "starttls", "none"] | None = None
    """Without it tls for ldaps:// and starttls for ldap://. `none` sends the password in the clear. The server's
    certificate is always verified."""
    ca_file: Path | None = None
    """The certificates that the server's must come from; without it those that the machine trusts."""
    bind_dn: str | None = None
    """Who reads: a distinguished name, of Active Directory also name@domain. Without it nobody in particular."""
    bind_password: SecretReference | None = None
    base: Dn
    """Where the people and groups are; all of them below it."""
    people_base: Dn | None = None
    """Where the people are, if that is not all of base."""
    groups_base: Dn | None = None
    """Where the groups are, if that is not all of base. Groups within them are read wherever they are below base."""
    people_filter: Filter | None = None
    """Who is a person of the source. People who do not match are as good as deleted; see `disabled` instead."""
    groups_filter: Filter | None = None
    """Which groups are read, with the groups within them."""
    external_id: Attribute | None = None
    """The attribute that never changes: objectGUID, entryUUID or nsUniqueId, by product."""
    username: Attribute | None = None
    """sAMAccountName of Active Directory, else uid."""
    email: Attribute = "mail"
    display_name: Attribute | None = None
    """displayName, and cn where that is missing."""
    group_name: Attribute = "cn"
    attributes: tuple[Attribute, ...] | Mapping[str, Attribute] = ("department", "title", "employeeNumber")
    """Further attributes of people to carry, under their own names, or as `column: attribute`. Of several values the
    text is joined by commas."""
    lists: tuple[str, ...] = ()
    """Which columns of `attributes` are lists of all values instead."""
    disabled: tuple[Rule, ...] | None = None
    """What shuts somebody out: some of userAccountControl, accountExpires, nsAccountLock, pwdAccountLockedTime,
    shadowExpire. Without it what the product has."""
    primary_groups: bool = True
    """Whether people are members of their primary group, which no list of members holds: primaryGroupID (such as
    Domain Users) or gidNumber."""
    referrals: Literal["incomplete", "skip"] = "incomplete"
    """Whether a part of the tree that another server holds makes the read incomplete, or is left out on purpose. No
    referral is followed."""
    incremental: Literal["auto", "off", "modify-timestamp", "dirsync", "usn-changed"] = "auto"
    """How to learn what changed since the last read."""
    clock_skew: Annotated[int, Field(ge=1, le=86_400)] = 300
    """Seconds by which clocks may differ and replication may lag, where changes are found by their time."""
    page_size: Annotated[int, Field(ge=1, le=10_000)] = 1000
    """Entries asked for at a time; Active Directory gives no more than 1000."""
    timeout: Annotated[float, Field(gt=0)] = 60.0
    """Seconds that one answer may take."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.bind_dn is None) != (self.bind_password is None):
            raise ValueError("give bind_dn and bind_password together, or neither")
        if self.url.startswith("ldaps:") and self.encryption not in {None, "tls"}:
            raise ValueError("an address ldaps:// means encryption: tls")
        if self.url.startswith("ldap:") and self.encryption == "tls":
            raise ValueError("an address ldap:// cannot have encryption: tls; give ldaps://, or starttls")
        if self.product == "active-directory" and urlsplit(self.url).port in _GLOBAL_CATALOG:
            raise ValueError(
                "this is the port of the global catalog, which holds a part of the attributes, and of most groups no "
                "members; give a domain controller's own port (636, or 389 with starttls)"
            )
        ours = sorted(OWN_COLUMNS & self.columns.keys())
        if ours:
            raise ValueError(
                f"attributes cannot be carried as {', '.join(ours)}, which is a column of its own; "
                "give them another name, as in `attributes: {ldap_uid: uid}`"
            )
        hidden = sorted(name for name in self.columns.values() if name.lower() in _NOT_TEXT)
        if hidden:
            raise ValueError(f"{', '.join(hidden)} is no text that a sync may carry")
        strangers = sorted(set(self.lists) - self.columns.keys())
        if strangers:
            raise ValueError(f"lists names {', '.join(strangers)}, which attributes does not")
        return self

    @property
    def columns(self) -> dict[str, str]:
        """Column to attribute."""
        return (
            dict(self.attributes) if isinstance(self.attributes, Mapping) else {name: name for name in self.attributes}
        )

    @property
    def of(self) -> Product:
        return PRODUCTS[self.product]

    @property
    def is_encrypted(self) -> bool:
        return self.encryption != "none"

    @property
    def starts_tls(self) -> bool:
        return self.url.startswith("ldap:") and self.is_encrypted

    @property
    def id_attribute(self) -> str:
        return self.external_id or self.of.external_id

    @property
    def disabling(self) -> tuple[Rule, ...]:
        return self.of.disabled if self.disabled is None else self.disabled

    @property
    def filter_of_people(self) -> str:
        return self.people_filter or self.of.people_filter

    @property
    def filter_of_groups(self) -> str:
        return self.groups_filter or self.of.groups_filter

    @property
    def person_attributes(self) -> list[str]:
        """What is asked for of each person."""
        product = self.of
        wanted = [
            self.id_attribute,
            self.username or product.username,
            self.email,
            self.display_name or product.display_name,
            *("cn", "givenName", "sn", "uid", product.version),
            *(["objectSid"] if self.product == "active-directory" else []),
            *([product.primary_of_person] if self.primary_groups else []),
            *self.disabling,
            *self.columns.values(),
        ]
        return _once(wanted)

    @property
    def group_attributes(self) -> list[str]:
        """What is asked for of each group."""
        product = self.of
        members = ["member"] if self.product == "active-directory" else ["member", "uniqueMember", "memberUid"]
        named = [product.primary_of_group] if self.primary_groups else []
        return _once([self.id_attribute, self.group_name, product.version, *named, *members])


def _once(names: list[str]) -> list[str]:
    return list({name.lower(): name for name in names}.values())
