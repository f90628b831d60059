"""Bitbucket's user administration as dictionaries: what each call does to accounts, groups, memberships and grants.

Written from the calls (`directory/call.py`) and Atlassian's documents, and sharing nothing with `reconcile`, so that a
plan is judged by its effect. `Ledger` stands for what a loader remembers after each operation.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from directory.call import (
    AddGroupsToAccount,
    AddMembersToGroup,
    Call,
    CreateAccount,
    CreateGroup,
    DeleteAccount,
    EraseAccount,
    GrantPermission,
    RemoveMembership,
    RenameAccount,
    ResetPicture,
    RevokePermission,
    SetPicture,
    UpdateAccount,
)
from directory.snapshot import TargetSnapshot
from reconcile.batch import batches
from reconcile.diff import Present
from reconcile.plan import Plan
from tests.builders import NOW, account, link, present, target


class Refused(Exception):
    """What Bitbucket answers with 400, 404 or 409."""


@dataclass
class Model:
    """`accounts` by id; `groups` from folded name to name; `members` as (account id, folded group name)."""

    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    grants: dict[str, str] = field(default_factory=dict)
    members: set[tuple[str, str]] = field(default_factory=set)
    deleted: dict[str, dict[str, Any]] = field(default_factory=dict)
    erased: list[str] = field(default_factory=list)
    pictures: dict[str, bytes] = field(default_factory=dict)
    """PNGs by account id."""
    principal: str = "usersync"
    calls: int = 0

    @classmethod
    def of(cls, snapshot: TargetSnapshot) -> Model:
        return cls(
            accounts={row["account_id"]: row for row in snapshot.accounts.iter_rows(named=True)},
            groups={name.lower(): name for name in snapshot.groups["name"]},
            grants={name.lower(): grant for name, grant, _ in snapshot.groups.iter_rows() if grant},
            members={(holder, name.lower()) for name, holder in snapshot.memberships.iter_rows()},
            principal=snapshot.principal,
        )

    def copy(self) -> Model:
        return copy.deepcopy(self)

    def snapshot(self) -> TargetSnapshot:
        names = {key: row["username"] for key, row in self.accounts.items()}
        groups = {
            name: [names[who] for who, group in sorted(self.members) if group == key]
            for key, name in self.groups.items()
        }
        permissions = {self.groups[key]: grant for key, grant in self.grants.items()}
        rows = [{**account(row["username"]), **row} for row in self.accounts.values()]
        return target(rows, groups, permissions=permissions, principal=self.principal)

    def groups_of(self, account_id: str) -> set[str]:
        return {group for who, group in self.members if who == account_id}

    def named(self, username: str) -> dict[str, Any]:
        for row in self.accounts.values():
            if row["username"].lower() == username.lower():
                return row
        raise Refused(f"404 no account {username}")

    def apply(self, call: Call) -> None:  # noqa: C901, PLR0912, PLR0915 - one arm a call reads best
        self.calls += 1
        match call:
            case CreateAccount():
                self._create(call)
            case UpdateAccount():
                row = self._writable(call.username, "mutable_details")
                _check_text(call.display_name, call.email)
                row.update(display_name=call.display_name, email=call.email or None)
            case RenameAccount():
                row = self._writable(call.username, "mutable_details")
                _check_name(call.new_username)
                if any(
                    other is not row and other["username"].lower() == call.new_username.lower()
                    for other in self.accounts.values()
                ):
                    raise Refused(f"409 {call.new_username} exists")
                row["username"] = call.new_username
            case DeleteAccount():
                row = self._writable(call.username, "deletable")
                del self.accounts[row["account_id"]]
                self.deleted[row["username"].lower()] = row
                self.members = {pair for pair in self.members if pair[0] != row["account_id"]}
            case EraseAccount():
                if any(row["username"].lower() == call.username.lower() for row in self.accounts.values()):
                    raise Refused(f"409 {call.username} is not deleted")
                if call.username.lower() not in self.deleted:
                    raise Refused(f"404 no deleted account {call.username}")
                del self.deleted[call.username.lower()]
                self.erased.append(call.username)
            case CreateGroup():
                _check_name(call.group)
                if call.group.lower() in self.groups:
                    raise Refused(f"409 {call.group} exists")
                self.groups[call.group.lower()] = call.group
            case AddMembersToGroup():
                for username in call.usernames:
                    self._join(username, call.group)
            case AddGroupsToAccount():
                for group in call.groups:
                    self._join(call.username, group)
            case RemoveMembership():
                row = self._writable(call.username, "mutable_groups")
                pair = (row["account_id"], self._group(call.group))
                if pair not in self.members:
                    raise Refused(f"404 {call.username} is not in {call.group}")
                self.members.remove(pair)
            case GrantPermission():
                self.named(call.username)["permission"] = call.permission
            case RevokePermission():
                self.named(call.username)["permission"] = None
            case SetPicture():
                row = self.named(call.username)
                if not call.content.startswith(b"\x89PNG") or len(call.content) > 1024 * 1024:
                    raise Refused("400 no picture")
                self.pictures[row["account_id"]] = call.content
            case ResetPicture():
                self.pictures.pop(self.named(call.username)["account_id"], None)

    def _create(self, call: CreateAccount) -> None:
        _check_name(call.username)
        _check_text(call.display_name, call.email)
        if not call.email:
            raise Refused("400 no e-mail address")
        if any(row["username"].lower() == call.username.lower() for row in self.accounts.values()):
            raise Refused(f"409 {call.username} exists")
        # An account that was deleted comes back with its id and its grant when its name is created again.
        former = self.deleted.pop(call.username.lower(), {})
        number = former.get("account_id", f"made {call.username}")
        while number in self.accounts:
            number += "'"
        self.accounts[number] = {
            **account(call.username, call.email, call.display_name, account_id=number),
            "permission": former.get("permission"),
        }

    def _join(self, username: str, group: str) -> None:
        row = self._writable(username, "mutable_groups")
        self.members.add((row["account_id"], self._group(group)))

    def _group(self, name: str) -> str:
        if name.lower() not in self.groups:
            raise Refused(f"404 no group {name}")
        return name.lower()

    def _writable(self, username: str, flag: str) -> dict[str, Any]:
        row = self.named(username)
        if not row[flag]:
            raise Refused(f"403 {username} is in a read-only directory")
        return row


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= 255 or "/" in name or "\\" in name or not name.isprintable():
        raise Refused(f"400 {name!r} is no name")


def _check_text(*texts: str) -> None:
    if any(len(text) > 255 for text in texts):
        raise Refused("400 over 255 characters")


@dataclass
class Ledger:
    """Links as [account id, username, state] by external id; what was taken; groups assigned; since when leavers are
    gone, and since when others have access."""

    links: dict[str, list[Any]] = field(default_factory=dict)
    memories: set[tuple[str, str, str]] = field(default_factory=set)
    managed: set[str] = field(default_factory=set)
    left: dict[str, datetime] = field(default_factory=dict)
    since: dict[str, datetime] = field(default_factory=dict)
    now: datetime = NOW

    @classmethod
    def of(cls, remembered: Present) -> Ledger:
        return cls(
            links={row[0]: list(row[1:4]) for row in remembered.links.iter_rows()},
            memories=set(remembered.memories.iter_rows()),
            managed=set(remembered.managed_groups),
            left=_instants(remembered, "left_at"),
            since=_instants(remembered, "access_since"),
            now=remembered.now,
        )

    def present(self) -> Present:
        links = [
            link(
                key, name, account_id=number, state=state, left_at=self.left.get(key), access_since=self.since.get(key)
            )
            for key, (number, name, state) in self.links.items()
        ]
        return present(links, sorted(self.memories), self.managed, now=self.now)

    def acknowledge(self, operation: dict[str, Any]) -> None:
        person = operation["external_id"]
        before, after = (json.loads(operation[side] or "{}") for side in ("before", "after"))
        match operation["kind"]:
            case "create" | "adopt":
                self.links[person] = [operation["account_id"], operation["username"], "active"]
                self._let_in(person)
            case "rename" | "set_aside" if person in self.links:
                self.links[person][1] = after["username"]
            case "delete" if after.get("state"):
                self.links[person][1:] = [operation["username"], after["state"]]
                self._forget(person)
            case "delete" | "erase" | "release":
                del self.links[person]
                self._forget(person)
            case "leave":
                self.left[person] = self.now
                self.links[person][2] = after["state"]
            case "remove_access" | "strip_groups":
                self.memories |= {(person, "group", name) for name in before["groups"]}
                if before.get("permission"):
                    self.memories.add((person, "permission", before["permission"]))
                self.links[person][2] = after.get("state", "access_removed")
            case "anonymise":
                names = {name: before[name] for name in ("username", "display_name", "email") if before[name]}
                self.memories |= {(person, name, value) for name, value in names.items() if value != after[name]}
                self.links[person][1:] = [after["username"], after["state"]]
            case "restore_access":
                self.links[person][2] = "active"
                self._forget(person)
                self._let_in(person)

    def _let_in(self, person: str) -> None:
        self.left.pop(person, None)
        self.since[person] = self.now

    def _forget(self, person: str) -> None:
        self.memories = {memory for memory in self.memories if memory[0] != person}


def _instants(remembered: Present, column: str) -> dict[str, datetime]:
    known = remembered.links.filter(pl.col(column).is_not_null())
    return dict(known.select("external_id", column).iter_rows())


def carry_out(plan: Plan, model: Model, ledger: Ledger, *, most_members: int = 100) -> None:
    """Do everything that the plan says, as its batches say it. Raises `Refused` where Bitbucket would refuse a call."""
    rows = {row["seq"]: row for row in plan.operations.iter_rows(named=True)}
    for row in rows.values():
        if row["kind"] == "adopt":
            ledger.acknowledge(row)
    for _, packed in batches(plan.operations, most_members=most_members):
        for batch in packed:
            for call in batch.calls:
                model.apply(call)
            for seq in batch.seqs:
                ledger.acknowledge(rows[seq])
    ledger.managed |= set(plan.header.managed_groups)
