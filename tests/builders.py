"""Snapshots and memories for tests, from plain Python: no hidden state, every default on the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl

from directory.snapshot import (
    ACCOUNTS,
    MEMBERS,
    MEMBERSHIPS,
    PEOPLE,
    SOURCE_GROUPS,
    TARGET_GROUPS,
    Completeness,
    Licence,
    SourceSnapshot,
    TargetSnapshot,
    conform,
)
from reconcile.correlate import LINKS
from reconcile.decide import Names, decide
from reconcile.diff import Present
from reconcile.plan import Plan
from reconcile.policy import Policy
from reconcile.sanity import SourceStats

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = Names(sync="test", source="source", target="target")
MEMORIES = {"external_id": pl.String(), "kind": pl.String(), "name": pl.String()}

Link = tuple[str, str | None, str, str, datetime | None, datetime | None]
"""External id, account id, username, state, when the leaver was first acted on, when access was last given."""

_SAME = "\0the default"


def person(
    external_id: str,
    username: str | None = _SAME,
    email: str | None = _SAME,
    display_name: str | None = _SAME,
    *,
    active: bool | None = True,
    **attributes: Any,
) -> dict[str, Any]:
    """A row of `PEOPLE`. Without further words Ann is `ann`, `ann@example.com`, `Ann`."""
    name = external_id if username == _SAME else username
    return {
        "external_id": external_id,
        "username": name,
        "email": f"{name}@example.com" if email == _SAME else email,
        "display_name": (name or "").title() if display_name == _SAME else display_name,
        "active": active,
        **attributes,
    }


def source(
    people: Iterable[dict[str, Any] | str] = (),
    groups: Mapping[str, Sequence[str]] | None = None,
    *,
    nested: Mapping[str, Sequence[str]] | None = None,
    findings: Sequence[str] = (),
) -> SourceSnapshot:
    """A source. `groups` maps a name to external ids, `nested` a name to the names of the groups within it.

    A group's id is `id of <name>`; a person may be given as an external id alone.
    """
    rows = [person(one) if isinstance(one, str) else one for one in people]
    groups, nested = groups or {}, nested or {}
    names = list(dict.fromkeys([*groups, *nested, *(inner for inners in nested.values() for inner in inners)]))
    memberships = [(group_id(name), member, False) for name, members in groups.items() for member in members]
    memberships += [(group_id(outer), group_id(inner), True) for outer, inners in nested.items() for inner in inners]
    return SourceSnapshot(
        Completeness(tuple(findings)),
        NOW,
        0,
        people=conform(pl.DataFrame(rows, infer_schema_length=None), PEOPLE) if rows else pl.DataFrame(schema=PEOPLE),
        groups=pl.DataFrame([(group_id(name), name) for name in names], schema=SOURCE_GROUPS, orient="row"),
        memberships=pl.DataFrame(memberships, schema=MEMBERSHIPS, orient="row"),
    )


def group_id(name: str) -> str:
    return f"id of {name}"


def account(
    username: str,
    email: str | None = _SAME,
    display_name: str | None = _SAME,
    *,
    account_id: str | None = None,
    permission: str | None = None,
    active: bool = True,
    mutable_details: bool = True,
    mutable_groups: bool = True,
    deletable: bool = True,
    last_login: datetime | None = None,
) -> dict[str, Any]:
    """A row of `ACCOUNTS`. Without further words Ann is `id of ann`, `ann@example.com`, `Ann`."""
    return {
        "account_id": account_id or account_number(username),
        "username": username,
        "email": f"{username}@example.com" if email == _SAME else email,
        "display_name": username.title() if display_name == _SAME else display_name,
        "active": active,
        "directory": "Internal",
        "mutable_details": mutable_details,
        "mutable_groups": mutable_groups,
        "deletable": deletable,
        "permission": permission,
        "last_login": last_login,
    }


def account_number(username: str) -> str:
    return f"id of {username}"


def target(
    accounts: Iterable[dict[str, Any] | str] = (),
    groups: Mapping[str, Sequence[str]] | None = None,
    *,
    permissions: Mapping[str, str] | None = None,
    principal: str = "usersync",
    seats: int | None = None,
    seats_used: int | None = None,
) -> TargetSnapshot:
    """A target. `groups` maps a name to usernames, `permissions` a group's name to the permission it gives."""
    rows = [account(one) if isinstance(one, str) else one for one in accounts]
    groups, permissions = groups or {}, permissions or {}
    ids = {row["username"]: row["account_id"] for row in rows}
    return TargetSnapshot(
        Completeness(),
        NOW,
        0,
        accounts=pl.DataFrame(rows, schema=ACCOUNTS),
        groups=pl.DataFrame(
            [(name, permissions.get(name), True) for name in groups], schema=TARGET_GROUPS, orient="row"
        ),
        memberships=pl.DataFrame(
            [(group, ids[name]) for group, members in groups.items() for name in members],
            schema=MEMBERS,
            orient="row",
        ),
        principal=principal,
        licence=Licence(maximum=seats, used=seats_used),
    )


def link(
    external_id: str,
    username: str | None = None,
    *,
    account_id: str | None = _SAME,
    state: str = "active",
    left_at: datetime | None = None,
    access_since: datetime | None = None,
) -> Link:
    """A row of `LINKS`; the account's id is that of `account(username)` unless another is given."""
    name = username or external_id
    number = account_number(name) if account_id == _SAME else account_id
    return (external_id, number, name, state, left_at, access_since)


def present(
    links: Iterable[Link | str] = (),
    memories: Iterable[tuple[str, str, str]] = (),
    managed_groups: Iterable[str] = (),
    *,
    now: datetime = NOW,
) -> Present:
    """What the ledger remembers. `memories` are (external id, `group` or `permission`, name)."""
    rows = [link(one) if isinstance(one, str) else one for one in links]
    return Present(
        links=pl.DataFrame(rows, schema=LINKS, orient="row"),
        memories=pl.DataFrame(list(memories), schema=MEMORIES, orient="row"),
        managed_groups=frozenset(managed_groups),
        now=now,
    )


def policy(**sections: Any) -> Policy:
    """A policy whose guard stops at nothing, unless `guard` is given; sections as in a sync file."""
    return Policy.model_validate({"guard": UNGUARDED, **sections})


UNGUARDED: dict[str, Any] = {
    "deactivations": {},
    "deletions": {},
    "erasures": {},
    "anonymisations": {},
    "renames": {},
    "adoptions": {},
    "clearings": {},
    "memberships_removed": {},
    "memberships_removed_per_group": {},
    "groups_emptied": {},
    "administrators_touched": {},
    "administrators_made": {},
    "seats": False,
}


def plan_of(
    wanted: SourceSnapshot,
    there: TargetSnapshot,
    remembered: Present | None = None,
    rules: Policy | None = None,
    *,
    last_good: SourceStats | None = None,
) -> Plan:
    return decide(wanted, there, remembered or present(), rules or policy(), NAMES, last_good)


def operations(plan: Plan, kind: str | None = None) -> list[tuple[Any, ...]]:
    """(kind, username, group, reason) of every operation, in order; of one kind (username, group, reason)."""
    rows = plan.operations.select("kind", "username", "group", "reason").rows()
    return rows if kind is None else [row[1:] for row in rows if row[0] == kind]


def done(plan: Plan) -> list[tuple[Any, ...]]:
    """(kind, username, group) of every operation, in order."""
    return [row[:3] for row in operations(plan)]


def outcome(plan: Plan, external_id: str) -> tuple[str, str]:
    """(outcome, reason) of one person."""
    return plan.verdicts.filter(pl.col("external_id") == external_id).select("outcome", "reason").row(0)


def held_for(plan: Plan) -> list[str]:
    """The kinds of the guard's findings."""
    return [finding.kind for finding in plan.header.held]
