"""Users and groups as Graph shows them (Graph v1.0, "user resource type" and "group resource type")."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sandbox.company import Group, GroupKind, Person, Standing
from sandbox.graph.refusals import not_on_collections, unknown_property
from sandbox.graph.state import GraphState, object_id

Document = dict[str, object]

USER_DEFAULTS = (
    "businessPhones",
    "displayName",
    "givenName",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
    "id",
)
"""The eleven that come without `$select`."""

ONE_BY_ONE = frozenset(
    [
        "aboutMe",
        "birthday",
        "hireDate",
        "interests",
        "mySite",
        "pastProjects",
        "preferredName",
        "responsibilities",
        "schools",
        "skills",
        "mailboxSettings",
    ]
)
"""Kept elsewhere: a list of users answers 501 when one of them is selected."""

NEVER_SET = frozenset(
    [
        "ageGroup",
        "consentProvidedForMinor",
        "country",
        "creationType",
        "employeeLeaveDateTime",
        "employeeOrgData",
        "faxNumber",
        "legalAgeGroupClassification",
        "mobilePhone",
        "officeLocation",
        "onPremisesDistinguishedName",
        "onPremisesDomainName",
        "onPremisesImmutableId",
        "onPremisesLastSyncDateTime",
        "onPremisesSamAccountName",
        "onPremisesSecurityIdentifier",
        "onPremisesSyncEnabled",
        "onPremisesUserPrincipalName",
        "passwordPolicies",
        "postalCode",
        "preferredDataLocation",
        "preferredLanguage",
        "showInAddressList",
        "state",
        "streetAddress",
        "usageLocation",
        "deletedDateTime",
    ]
)

ALWAYS_KNOWN = [
    "accountEnabled",
    "city",
    "companyName",
    "createdDateTime",
    "department",
    "employeeHireDate",
    "employeeId",
    "employeeType",
    "externalUserState",
    "externalUserStateChangeDateTime",
    "mailNickname",
    "onPremisesExtensionAttributes",
    "otherMails",
    "proxyAddresses",
    "userType",
]

GROUP_PROPERTIES = [
    "id",
    "deletedDateTime",
    "classification",
    "createdDateTime",
    "description",
    "displayName",
    "expirationDateTime",
    "groupTypes",
    "isAssignableToRole",
    "mail",
    "mailEnabled",
    "mailNickname",
    "membershipRule",
    "membershipRuleProcessingState",
    "onPremisesDomainName",
    "onPremisesLastSyncDateTime",
    "onPremisesNetBiosName",
    "onPremisesProvisioningErrors",
    "onPremisesSamAccountName",
    "onPremisesSecurityIdentifier",
    "onPremisesSyncEnabled",
    "preferredDataLocation",
    "preferredLanguage",
    "proxyAddresses",
    "renewedDateTime",
    "securityEnabled",
    "securityIdentifier",
    "theme",
    "visibility",
]

SHUT_OUT = frozenset({Standing.LEFT, Standing.SUSPENDED, Standing.STAGED})

EXTENSION = "extension_0c1b4f6e9a573f1de5c0aa010c1b4f6e_bitbucketName"


def user(user_id: str, person: Person, state: GraphState) -> Document:
    """Every property that can be selected."""
    guest = state.switches.is_guest(person)
    principal = f"{person.email.replace('@', '_')}#EXT#@fjordlight.onmicrosoft.example" if guest else person.login
    numbers: Document = {f"extensionAttribute{number}": None for number in range(1, 16)}
    numbers["extensionAttribute1"] = person.employee_number
    return {
        **dict.fromkeys(NEVER_SET),
        "id": user_id,
        "accountEnabled": person.standing not in SHUT_OUT,
        "businessPhones": [f"+47 {person.employee_number}"],
        "city": person.city,
        "companyName": "Fjordlight",
        "createdDateTime": _instant(person.created),
        "department": person.department,
        "displayName": person.display_name,
        "employeeHireDate": _instant(person.created),
        "employeeId": person.employee_number,
        "employeeType": "Employee",
        "externalUserState": "Accepted" if guest else None,
        "externalUserStateChangeDateTime": _instant(person.created) if guest else None,
        "givenName": person.first,
        "jobTitle": person.title,
        "mail": person.email,
        "mailNickname": person.username,
        "onPremisesExtensionAttributes": numbers,
        "otherMails": [],
        "proxyAddresses": [f"SMTP:{person.email}"],
        "surname": person.last,
        "userPrincipalName": principal,
        "userType": "Guest" if guest else "Member",
        EXTENSION: person.username,
    }


def group(group_id: str, shown: Group) -> Document:
    office = shown.kind is GroupKind.OFFICE
    return {
        "id": group_id,
        "deletedDateTime": None,
        "classification": None,
        "createdDateTime": _instant(shown.created),
        "description": shown.description or None,
        "displayName": shown.name,
        "expirationDateTime": None,
        "groupTypes": ["Unified"] if office else [],
        "isAssignableToRole": None,
        "mail": f"{object_id(shown.id)[:8]}@fjordlight.example" if office else None,
        "mailEnabled": office,
        "mailNickname": object_id(shown.id)[:8],
        "membershipRule": None,
        "membershipRuleProcessingState": None,
        "onPremisesDomainName": None,
        "onPremisesLastSyncDateTime": None,
        "onPremisesNetBiosName": None,
        "onPremisesProvisioningErrors": [],
        "onPremisesSamAccountName": None,
        "onPremisesSecurityIdentifier": None,
        "onPremisesSyncEnabled": None,
        "preferredDataLocation": None,
        "preferredLanguage": None,
        "proxyAddresses": [],
        "renewedDateTime": _instant(shown.created),
        "securityEnabled": True,
        "securityIdentifier": f"S-1-12-1-{int(object_id(shown.id)[:8], 16)}",
        "theme": None,
        "visibility": "Private" if office else None,
    }


def selected(names: str | None, defaults: Iterable[str], known: Mapping[str, object], kind: str) -> tuple[str, ...]:
    """Which properties to show. Raises `Refusal` for one that there is not."""
    if names is None:
        return tuple(defaults)
    wanted = tuple(dict.fromkeys(name.strip() for name in names.split(",")))
    for name in wanted:
        if kind == "user" and name in ONE_BY_ONE:
            raise not_on_collections(name)
        if name not in known and not (kind == "user" and name.startswith("extension_")):
            raise unknown_property(name, kind)
    return wanted


def only(document: Document, names: Iterable[str]) -> Document:
    """Directory extensions without a value are left out, as Graph does."""
    return {name: document.get(name) for name in names if name in document or not name.startswith("extension_")}


def _instant(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
