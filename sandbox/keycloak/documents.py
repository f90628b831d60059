"""The JSON representations of Keycloak's admin REST API (26.7), full and brief."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sandbox.company import Group, Person, Standing
from sandbox.keycloak.rights import VIEW_REALM, VIEW_USERS, Roles, over_a_group
from sandbox.keycloak.state import RealmState, ServiceAccount, User, keycloak_id
from sandbox.keycloak.switches import Switches

Document = dict[str, object]

DISABLED = frozenset({Standing.STAGED, Standing.SUSPENDED, Standing.LEFT})
UNVERIFIED = frozenset({Standing.STAGED, Standing.INVITED})
REQUIRED_ACTIONS: dict[Standing, list[str]] = {
    Standing.INVITED: ["VERIFY_EMAIL", "UPDATE_PASSWORD"],
    Standing.PASSWORD_EXPIRED: ["UPDATE_PASSWORD"],
}


def milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def is_enabled(person: Person) -> bool:
    return person.standing not in DISABLED


def user(
    shown: User, state: RealmState, switches: Switches, *, brief: bool, access: Mapping[str, bool] | None
) -> Document:
    """A brief representation has no attributes. Groups are never in it: `/users/{id}/groups` lists them.

    `access` says what the caller may do to the user, and None leaves the key out.
    """
    if isinstance(shown, ServiceAccount):
        document, attributes, required_actions = _service_account(shown), None, list[str]()
    else:
        document = _person(shown, state)
        if switches.federated(shown):
            document["federationLink"] = keycloak_id("component", "ldap")
        attributes = {name: [value(shown)] for name, value in switches.attributes.items()}
        required_actions = REQUIRED_ACTIONS.get(shown.standing, [])
    if access is not None:
        document["access"] = access
    if not brief:
        if attributes:
            document["attributes"] = attributes
        document["totp"] = False
        document["disableableCredentialTypes"] = []
        document["requiredActions"] = required_actions
        document["notBefore"] = 0
    return document


def _person(person: Person, state: RealmState) -> Document:
    return {
        "id": state.user_id(person.id),
        "username": person.username,
        "firstName": person.first,
        "lastName": person.last,
        "email": person.email,
        "emailVerified": person.standing not in UNVERIFIED,
        "enabled": is_enabled(person),
        "createdTimestamp": milliseconds(person.created),
    }


def _service_account(account: ServiceAccount) -> Document:
    """It has neither names nor an e-mail address, and Keycloak leaves out what is empty."""
    return {
        "id": account.id,
        "username": account.username,
        "emailVerified": False,
        "enabled": True,
        "createdTimestamp": milliseconds(account.created),
    }


def group(
    shown: Group,
    state: RealmState,
    roles: Roles,
    *,
    brief: bool,
    counted: bool = True,
    sub_groups: Sequence[Document] = (),
) -> Document:
    """`subGroups` is empty unless a search filled it; since Keycloak 23 the count says whether there are any."""
    document: Document = {
        "id": state.group_id(shown.id),
        "name": shown.name,
        "path": state.path(shown),
        "subGroups": list(sub_groups),
        "access": over_a_group(roles),
    }
    if shown.description:
        document["description"] = shown.description
    if shown.parent is not None:
        document["parentId"] = state.group_id(shown.parent)
    if counted:
        document["subGroupCount"] = len(state.company.children(shown.id))
    if not brief:
        document["attributes"] = {"kind": [shown.kind.value]}
        document["realmRoles"] = []
        document["clientRoles"] = {}
    return document


def found_groups(
    top: Sequence[Group], state: RealmState, roles: Roles, matches: Callable[[Group], bool], *, brief: bool
) -> list[Document]:
    """The groups that match, each below its ancestors."""
    documents = []
    for candidate in top:
        below = found_groups(state.children(candidate), state, roles, matches, brief=brief)
        if below or matches(candidate):
            documents.append(group(candidate, state, roles, brief=brief, sub_groups=below))
    return documents


def realm(switches: Switches, roles: Roles) -> Document:
    """With `view-realm` a part of what Keycloak shows; without it all of the little that is left."""
    if not roles & VIEW_REALM:
        shown: Document = {
            "realm": switches.realm,
            "bruteForceProtected": False,
            "supportedLocales": [],
            "organizationsEnabled": False,
        }
        return {**shown, "registrationEmailAsUsername": False} if roles & VIEW_USERS else shown
    return {
        "id": switches.realm,
        "realm": switches.realm,
        "enabled": True,
        "accessTokenLifespan": switches.token_seconds,
        "eventsEnabled": switches.user_events_enabled,
        "adminEventsEnabled": switches.admin_events_enabled,
        "adminEventsDetailsEnabled": False,
    }


def user_profile(switches: Switches) -> Document:
    """The declared attributes of the realm's users."""
    permissions = {"view": ["admin", "user"], "edit": ["admin"]}
    built_in = [
        {
            "name": name,
            "displayName": f"${{{name}}}",
            "validations": {"length": {"max": 255}},
            "permissions": permissions,
            "multivalued": False,
        }
        for name in ("username", "email", "firstName", "lastName")
    ]
    declared = [
        {
            "name": name,
            "displayName": name,
            "validations": {},
            "annotations": {},
            "permissions": permissions,
            "multivalued": False,
        }
        for name in switches.attributes
    ]
    profile: Document = {"attributes": [*built_in, *declared], "groups": [{"name": "user-metadata"}]}
    if switches.unmanaged_attribute_policy is not None:
        profile["unmanagedAttributePolicy"] = switches.unmanaged_attribute_policy
    return profile
