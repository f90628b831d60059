"""The JSON representations of Keycloak's admin REST API (26.6), full and brief."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from sandbox.company import Group, Person, Standing
from sandbox.keycloak.state import RealmState
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


def user(person: Person, state: RealmState, switches: Switches, *, brief: bool) -> Document:
    """A brief representation has no attributes. Groups are never in it: `/users/{id}/groups` lists them."""
    shown: Document = {
        "id": state.user_id(person.id),
        "username": person.username,
        "firstName": person.first,
        "lastName": person.last,
        "email": person.email,
        "emailVerified": person.standing not in UNVERIFIED,
        "enabled": is_enabled(person),
        "createdTimestamp": milliseconds(person.created),
        "access": {"view": True, "manage": False},
    }
    if not brief:
        shown["attributes"] = {name: [value(person)] for name, value in switches.attributes.items()}
        shown["totp"] = False
        shown["disableableCredentialTypes"] = []
        shown["requiredActions"] = REQUIRED_ACTIONS.get(person.standing, [])
        shown["notBefore"] = 0
    return shown


def group(
    shown: Group,
    state: RealmState,
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
        "access": {
            "view": True,
            "viewMembers": True,
            "manageMembers": False,
            "manage": False,
            "manageMembership": False,
        },
    }
    if shown.parent is not None:
        document["parentId"] = state.group_id(shown.parent)
    if counted:
        document["subGroupCount"] = len(state.company.children(shown.id))
    if not brief:
        document["description"] = shown.description
        document["attributes"] = {"kind": [shown.kind.value]}
        document["realmRoles"] = []
        document["clientRoles"] = {}
    return document


def found_groups(
    top: Sequence[Group], state: RealmState, matches: Callable[[Group], bool], *, brief: bool
) -> list[Document]:
    """The groups that match, each below its ancestors."""
    documents = []
    for candidate in top:
        below = found_groups(state.children(candidate), state, matches, brief=brief)
        if below or matches(candidate):
            documents.append(group(candidate, state, brief=brief, sub_groups=below))
    return documents


def realm(switches: Switches) -> Document:
    return {
        "id": switches.realm,
        "realm": switches.realm,
        "enabled": True,
        "accessTokenLifespan": switches.token_seconds,
        "eventsEnabled": False,
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
