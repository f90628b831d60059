"""What the roles of `realm-management` allow in a realm without fine-grained permissions (Keycloak 26.7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Roles = frozenset[str]

VIEW_USERS: Roles = frozenset({"view-users", "manage-users"})
LIST_USERS: Roles = VIEW_USERS | {"query-users"}
LIST_GROUPS: Roles = VIEW_USERS | {"query-groups"}
VIEW_REALM: Roles = frozenset({"view-realm", "manage-realm"})
VIEW_EVENTS: Roles = frozenset({"view-events", "manage-events"})

COMPOSED: Mapping[str, Roles] = {"view-users": frozenset({"query-users", "query-groups"})}
"""Who is given the role on the left has those on the right too, and the access token names them all."""


def effective(assigned: Iterable[str]) -> Roles:
    return frozenset(assigned).union(*(COMPOSED.get(role, frozenset()) for role in assigned))


def over_a_listed_person(roles: Roles) -> dict[str, bool]:
    """`access` in a list of users; members of a group come without it."""
    return {"manage": "manage-users" in roles}


def over_a_person(roles: Roles) -> dict[str, bool]:
    """`access` of a user who is read by id."""
    manages = "manage-users" in roles
    return {
        "view": bool(roles & VIEW_USERS),
        "manage": manages,
        "mapRoles": manages,
        "manageGroupMembership": manages,
        "impersonate": "impersonation" in roles,
        "resetPassword": manages,
    }


def over_a_group(roles: Roles) -> dict[str, bool]:
    views, manages = bool(roles & VIEW_USERS), "manage-users" in roles
    return {
        "view": views,
        "viewMembers": views,
        "manageMembers": manages,
        "manage": manages,
        "manageMembership": manages,
    }
