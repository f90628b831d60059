"""A plan's operations as the fewest calls, in an order in which each finds what it needs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
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
from reconcile.cover import minimum_cover
from reconcile.plan import KINDS
from reconcile.waves import waves

__all__ = ["Batch", "batches", "pack", "split"]


ADOPTED = 1000
"""Adoptions, releases and notes of leavers need no call, so that many are written down at once."""


@dataclass(frozen=True)
class Batch:
    """Calls that belong together: they are sent one after the other, and carry out the operations `seqs`."""

    kind: str
    calls: tuple[Call, ...]
    seqs: tuple[int, ...]
    wave: int = 0
    """Batches of one kind and wave may be sent side by side, those of a later wave only after all of these."""


def batches(operations: pl.DataFrame, *, most_members: int) -> Iterator[tuple[str, list[Batch]]]:
    """Per kind, in order, the batches, wave by wave. `adopt`, `leave` and `release` come without a call.

    `operations` has the schema `reconcile.plan.OPERATIONS`; `most_members` caps one call's memberships.
    """
    for kind in KINDS:
        packed = pack(kind, operations.filter(pl.col("kind") == kind), most_members=most_members)
        if packed:
            yield kind, packed


def pack(kind: str, chosen: pl.DataFrame, *, most_members: int) -> list[Batch]:
    """The batches that carry out operations of one kind."""
    if chosen.height == 0:
        return []
    if kind == "add_membership":
        return _additions(chosen, most_members)
    if kind in {"adopt", "leave", "release"}:
        seqs = chosen["seq"].to_list()
        return [Batch(kind, (), tuple(seqs[start : start + ADOPTED])) for start in range(0, len(seqs), ADOPTED)]
    if kind == "rename":
        chosen = chosen.with_columns(waves(chosen).alias("wave")).sort("wave", "seq")
    return [
        Batch(kind, tuple(_calls(kind, row)), (row["seq"],), row.get("wave", 0)) for row in chosen.iter_rows(named=True)
    ]


def split(batch: Batch) -> list[Batch]:
    """A batch of memberships that was refused, in two halves: again and again until the one at fault is alone."""
    half = len(batch.seqs) // 2
    if half == 0:
        return [batch]
    (call,) = batch.calls
    parts = (slice(None, half), slice(half, None))
    calls: list[Call]
    if isinstance(call, AddMembersToGroup):
        calls = [replace(call, usernames=call.usernames[part]) for part in parts]
    elif isinstance(call, AddGroupsToAccount):
        calls = [replace(call, groups=call.groups[part]) for part in parts]
    else:
        return [batch]
    return [Batch(batch.kind, (one,), batch.seqs[part]) for one, part in zip(calls, parts, strict=True)]


def _additions(chosen: pl.DataFrame, most_members: int) -> list[Batch]:
    edges = chosen.select(pl.col("username").alias("account"), "group", "seq")
    edges = edges.with_columns(minimum_cover(edges))
    return [
        *_grouped(edges.filter("by_group"), "group", "account", most_members),
        *_grouped(edges.filter(~pl.col("by_group")), "account", "group", most_members),
    ]


def _grouped(edges: pl.DataFrame, one: str, many: str, most_members: int) -> Iterator[Batch]:
    cut = edges.with_columns((pl.int_range(pl.len()).over(one) // most_members).alias("part"))
    for row in cut.group_by(one, "part", maintain_order=True).agg(many, "seq").iter_rows(named=True):
        call: Call = (
            AddMembersToGroup(row["group"], tuple(row["account"]))
            if one == "group"
            else AddGroupsToAccount(row["account"], tuple(row["group"]))
        )
        yield Batch("add_membership", (call,), tuple(row["seq"]))


def _calls(kind: str, row: dict[str, Any]) -> Iterator[Call]:  # noqa: C901, PLR0912 - one arm a kind reads best
    name = row["username"]
    before, after = (json.loads(row[side]) if row[side] else {} for side in ("before", "after"))
    match kind:
        case "create_group":
            yield CreateGroup(row["group"])
        case "create":
            yield CreateAccount(name, after["display_name"], after["email"])
        case "update":
            yield UpdateAccount(name, after["display_name"] or name, after["email"] or "")
        case "rename" | "set_aside":
            yield RenameAccount(name, after["username"])
        case "delete":
            yield DeleteAccount(name)
        case "erase":
            yield EraseAccount(name)
        case "anonymise":
            # The name comes last: as long as it is the old one, something is left to do.
            if any(after[field] != before[field] for field in ("display_name", "email")):
                yield UpdateAccount(name, after["display_name"], after["email"])
            if name != after["username"]:
                yield RenameAccount(name, after["username"])
        case "remove_membership":
            yield RemoveMembership(name, row["group"])
        case "remove_access" | "strip_groups":
            if before.get("permission"):
                yield RevokePermission(name)
            for group in before["groups"]:
                yield RemoveMembership(name, group)
        case "restore_access":
            if after["permission"]:
                yield GrantPermission(name, after["permission"])
            if after["groups"]:
                yield AddGroupsToAccount(name, tuple(after["groups"]))
        case "set_picture":
            yield SetPicture(name, after["digest"])
        case "reset_picture":
            yield ResetPicture(name)
        case _:
            return
