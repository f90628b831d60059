"""JSON of users, groups and grants. Users and groups keep theirs until they change: a page of 1000 is one join."""

from __future__ import annotations

from typing import Any

import msgspec

from sandbox.bitbucket.model import Group, User
from sandbox.bitbucket.switches import Permission

encode = msgspec.json.encode


def _described(user: User, base_url: str) -> dict[str, Any]:
    return {
        "name": user.name,
        "emailAddress": user.email,
        "active": user.active,
        "displayName": user.display_name,
        "id": user.id,
        "slug": user.slug,
        "type": user.type,
        "links": {"self": [{"href": f"{base_url}/users/{user.slug}"}]},
    }


def detailed_user(user: User, base_url: str) -> bytes:
    """As `/admin` resources describe a user; the time of the last login is absent when there was none."""
    if user.detailed is None:
        body = _described(user, base_url) | {
            "directoryName": user.directory.name,
            "deletable": user.directory.mutable_details,
            "mutableDetails": user.directory.mutable_details,
            "mutableGroups": user.directory.mutable_groups,
        }
        if user.last_authentication_ms is not None:
            body["lastAuthenticationTimestamp"] = user.last_authentication_ms
        user.detailed = encode(body)
    return user.detailed


def plain_user(user: User, base_url: str) -> bytes:
    """As `/users` and permissions describe a user."""
    if user.plain is None:
        user.plain = encode(_described(user, base_url))
    return user.plain


def detailed_group(group: Group) -> bytes:
    if group.encoded is None:
        group.encoded = encode({"name": group.name, "deletable": group.deletable})
    return group.encoded


def user_grant(user: User, permission: Permission, base_url: str) -> bytes:
    return b'{"user":%b,"permission":"%b"}' % (plain_user(user, base_url), permission.encode())


def group_grant(group: Group, permission: Permission) -> bytes:
    return encode({"group": {"name": group.name}, "permission": permission})
