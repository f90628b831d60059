"""In what the directories differ, as far as it is not a setting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

__all__ = ["PRODUCTS", "Product", "ProductName", "Rule"]

ProductName = Literal["active-directory", "openldap", "389ds"]

Rule = Literal["userAccountControl", "accountExpires", "nsAccountLock", "pwdAccountLockedTime", "shadowExpire"]
"""What may say that an account is shut out. Each is called as the attribute is."""


@dataclass(frozen=True)
class Product:
    title: str
    external_id: str
    username: str
    display_name: str
    people_filter: str
    groups_filter: str
    disabled: tuple[Rule, ...]
    primary_of_person: str
    """The attribute of a person that names the primary group."""
    primary_of_group: str
    """The attribute of a group that is so named."""
    version: str
    """The attribute that changes whenever an entry does."""
    ranged: bool = False
    """Whether long lists of members come in parts (MS-ADTS, section 3.1.1.3.1.3.3)."""


_GROUPS: Final = "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup))"

PRODUCTS: Final[Mapping[ProductName, Product]] = MappingProxyType(
    {
        "active-directory": Product(
            title="Active Directory",
            external_id="objectGUID",
            username="sAMAccountName",
            display_name="displayName",
            people_filter="(&(objectCategory=person)(objectClass=user))",
            groups_filter="(objectClass=group)",
            disabled=("userAccountControl", "accountExpires"),
            primary_of_person="primaryGroupID",
            primary_of_group="objectSid",
            version="uSNChanged",
            ranged=True,
        ),
        "openldap": Product(
            title="OpenLDAP",
            external_id="entryUUID",
            username="uid",
            display_name="displayName",
            people_filter="(objectClass=inetOrgPerson)",
            groups_filter=_GROUPS,
            disabled=("pwdAccountLockedTime", "shadowExpire"),
            primary_of_person="gidNumber",
            primary_of_group="gidNumber",
            version="modifyTimestamp",
        ),
        "389ds": Product(
            title="389 Directory Server",
            external_id="nsUniqueId",
            username="uid",
            display_name="displayName",
            people_filter="(|(objectClass=inetOrgPerson)(objectClass=nsPerson))",
            groups_filter=_GROUPS,
            disabled=("nsAccountLock", "shadowExpire"),
            primary_of_person="gidNumber",
            primary_of_group="gidNumber",
            version="modifyTimestamp",
        ),
    }
)
