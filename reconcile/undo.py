"""What takes back what a plan did: the inverse operations, from the before-values that the plan recorded.

Nothing that was changed since is overwritten: an operation whose effect is not there any more, or whose account or
group is, is left out and told. What Bitbucket cannot take back (a deletion, a group) is told as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from directory.normalize import folded
from reconcile.access import access_groups
from reconcile.accounts import json_object, set_aside
from reconcile.correlate import shielded
from reconcile.diff import Present, in_order
from reconcile.names import free_names, slot
from reconcile.numbered import NumberedTarget
from reconcile.pattern import matches_any
from reconcile.policy import Policy

__all__ = ["LEFT_OUT", "Undoing", "inverse"]

LEFT_OUT = {"external_id": pl.String(), "kind": pl.String(), "what": pl.String(), "why": pl.String()}
"""Operations that are not taken back: whose, of which kind, the account's or group's name, and why not."""

_ACCESS = pl.Struct({"groups": pl.List(pl.String), "permission": pl.String})
_CHANGED = "its name or e-mail address was changed since"


@dataclass(frozen=True)
class Undoing:
    operations: pl.DataFrame
    """Schema `reconcile.plan.OPERATIONS`."""
    left_out: pl.DataFrame
    """Schema `LEFT_OUT`."""
    removed: pl.DataFrame
    """Memberships that are taken away: `account` UInt32, `number` UInt32, `kind`."""
    added: pl.DataFrame
    """Memberships that are given: `external_id`, `number` UInt32."""


def inverse(done: pl.DataFrame, target: NumberedTarget, present: Present, policy: Policy, reason: str) -> Undoing:
    """Take back operations (schema `reconcile.plan.OPERATIONS`) that were carried out.

    An account that was created loses its access, or is deleted where `leavers.method` is `delete`. `reason` is given to
    every operation.
    """
    seen, refused = _sorted_out(done, target, present, policy)
    made = seen.filter(pl.col("kind") == "create")
    removed_accounts, deleted = _uncreate(made, seen, target, policy)
    names, unnamed = _names_back(seen, target, present, policy, deleted)
    seen = seen.join(names.select("account_id", "again"), on="account_id", how="left", maintain_order="left")
    seen = seen.with_columns(pl.coalesce("again", "name_now").alias("then"))
    uncreated = made.select("account_id").unique()
    lasting = seen.join(uncreated, on="account_id", how="anti", maintain_order="left")
    details, overwritten = _details_back(lasting)
    taken, given, missed = _access_back(lasting, target)
    leaving, joining, groupless = _memberships_back(lasting, target)
    released = (
        _of(lasting, "adopt")
        .filter(pl.col("owner").is_not_null())
        .select(pl.lit("release").alias("kind"), *_WHO, pl.col("then").alias("username"))
    )
    renames = names.with_columns(pl.col("name_now").alias("current"))
    operations = pl.concat(
        [
            removed_accounts,
            deleted,
            set_aside(renames.filter(pl.col("aside").is_not_null()), reason),
            _renames(renames),
            details,
            taken,
            given,
            leaving,
            joining,
            released,
        ],
        how="diagonal",
    ).with_columns(pl.lit(reason).alias("reason"))
    return Undoing(
        operations=in_order(operations),
        left_out=pl.concat([refused, unnamed, overwritten, missed, groupless]).unique(maintain_order=True),
        removed=_removed(operations, target),
        added=joining.join(
            target.groups.select(pl.col("name").alias("group"), "number"), on="group", maintain_order="left"
        ).select("external_id", "number"),
    )


_WHO = ("external_id", "account_id")


def _of(seen: pl.DataFrame, *kinds: str) -> pl.DataFrame:
    return seen.filter(pl.col("kind").is_in(kinds))


def _left(rows: pl.DataFrame, why: pl.Expr) -> pl.DataFrame:
    return rows.select("external_id", "kind", pl.coalesce("username", "group").alias("what"), why.alias("why")).select(
        pl.col(name).cast(dtype) for name, dtype in LEFT_OUT.items()
    )


def _sorted_out(
    done: pl.DataFrame, target: NumberedTarget, present: Present, policy: Policy
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Operations that can be taken back, with their account as it is now, and those that cannot."""
    links = present.links.select("external_id", pl.col("account_id").alias("linked_id"), "state").unique("external_id")
    owners = present.links.drop_nulls("account_id").select("account_id", pl.col("external_id").alias("owner"))
    now = target.accounts.select(
        "account_id",
        "account",
        pl.col("username").alias("name_now"),
        pl.col("email").alias("email_now"),
        pl.col("display_name").alias("display_now"),
        pl.col("permission").alias("permission_now"),
        "mutable_details",
        "mutable_groups",
        "deletable",
        shielded("username", target, policy.people).alias("shielded"),
    )
    seen = (
        # When somebody left is a note of the ledger; it goes when access is given back.
        done.filter(pl.col("kind") != "leave")
        .join(links, on="external_id", how="left", maintain_order="left")
        .with_columns(pl.coalesce("account_id", "linked_id").alias("account_id"))
        .join(now, on="account_id", how="left", maintain_order="left")
        .join(owners.unique("account_id"), on="account_id", how="left", maintain_order="left")
    )
    kind = pl.col("kind")
    why = (
        pl.when(kind == "create_group")
        .then(pl.lit("groups are never deleted; it stays, with who is in it by then"))
        .when(kind.is_in(["delete", "erase"]))
        .then(pl.lit("a deleted account cannot be brought back"))
        .when(kind == "anonymise")
        .then(pl.lit("the names come back when the person is back in the source"))
        .when(kind.is_in(["set_picture", "reset_picture"]))
        .then(pl.lit("the former picture is not kept; the account shows the one that it was given"))
        .when(~kind.is_in(_TAKEN_BACK))
        .then(pl.lit("it cannot be taken back"))
        .when(pl.col("account").is_null())
        .then(pl.lit("the account is gone"))
        .when("shielded")
        .then(pl.lit("the account is protected, or the one that the sync logs in with"))
        .when(pl.col("owner").is_not_null() & (pl.col("linked_id") != pl.col("account_id")).fill_null(value=True))
        .then(pl.format("the account belongs to another person now ({})", "owner"))
        .when(matches_any("group", policy.groups.local))
        .then(pl.lit("the group is managed by hand (groups.local)"))
        .when(kind.is_in(_NEEDS_GROUPS) & ~pl.col("mutable_groups"))
        .then(pl.lit("the account's groups cannot be changed any more"))
        .when(kind.is_in(_NEEDS_DETAILS) & ~pl.col("mutable_details"))
        .then(pl.lit("the account's details cannot be changed any more"))
        .otherwise(None)
    )
    judged = seen.with_columns(why.alias("why"))
    refused = judged.filter(pl.col("why").is_not_null())
    return judged.filter(pl.col("why").is_null()).drop("why"), _left(refused, pl.col("why"))


_NEEDS_GROUPS = ("create", "add_membership", "remove_membership", "remove_access", "strip_groups", "restore_access")
_NEEDS_DETAILS = ("set_aside", "rename", "update")
_TAKEN_BACK = ("adopt", *_NEEDS_GROUPS, *_NEEDS_DETAILS)


def _uncreate(
    made: pl.DataFrame, seen: pl.DataFrame, target: NumberedTarget, policy: Policy
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Accounts that were created lose all access and what the plan gave them, or are deleted."""
    kind = "delete" if policy.leavers.method == "delete" else "remove_access"
    deleted = made.filter("deletable") if kind == "delete" else made.clear()
    losing = made.join(deleted.select("account_id"), on="account_id", how="anti")
    access = target.members.join(access_groups(target).select("number"), on="number", how="semi")
    given = _still_member(_of(seen, "add_membership"), target).select("account", "number")
    lost = pl.concat([access, given]).unique().join(losing.select("account"), on="account", how="semi")
    named = lost.join(target.groups.select("number", "key", "name"), on="number").sort("key")
    groups = named.group_by("account", maintain_order=True).agg(pl.col("name").alias("groups"))
    holding = losing.join(groups, on="account", how="left", maintain_order="left").filter(
        pl.col("groups").is_not_null() | pl.col("permission_now").is_not_null() | (pl.col("state") != "access_removed")
    )
    removals = holding.select(
        pl.lit("remove_access").alias("kind"),
        *_WHO,
        pl.col("name_now").alias("username"),
        json_object(pl.col("groups").fill_null([]), pl.col("permission_now").alias("permission")).alias("before"),
    )
    return removals, deleted.select(pl.lit("delete").alias("kind"), *_WHO, pl.col("name_now").alias("username"))


def _names_back(
    seen: pl.DataFrame, target: NumberedTarget, present: Present, policy: Policy, deleted: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Accounts that get the name back which they had: `external_id`, `account_id`, `name_now`, `aside`, `again`; and
    the renames that are not taken back."""
    before, after = (pl.col(side).str.json_path_match("$.username") for side in ("before", "after"))
    renamed = (
        _of(seen, "set_aside", "rename")
        .sort("seq")
        .group_by("account_id", maintain_order=True)
        .agg(
            pl.col("external_id", "account", "name_now", "kind", "username", "group").last(),
            before.first().alias("again"),
            after.last().alias("made"),
        )
    )
    kept = renamed.filter(folded("name_now") == pl.col("made").str.to_lowercase())
    changed = renamed.filter(folded("name_now") != pl.col("made").str.to_lowercase()).filter(
        folded("name_now") != pl.col("again").str.to_lowercase()
    )
    asking = (
        kept.filter(folded("name_now") != pl.col("again").str.to_lowercase())
        .with_row_index("person")
        .select(
            "person",
            "external_id",
            "account",
            "account_id",
            pl.col("again").alias("username"),
            pl.col("again").str.to_lowercase().alias("key"),
            slot(pl.col("again").str.to_lowercase()).alias("slot"),
            pl.lit(value=True).alias("moves"),
        )
    )
    owners = present.links.join(target.accounts.select("account_id", "account"), on="account_id").select(
        pl.col("account").alias("holder"), pl.col("external_id").alias("holder_id")
    )
    vacated = target.accounts.join(deleted.select("account_id"), on="account_id", how="semi").select("account")
    freed = free_names(asking, target, policy.people, vacated, owners.unique("holder"))
    problems = asking.join(freed.problems, on="person").select("account_id", "name_problem")
    judged = kept.join(problems, on="account_id", how="left", maintain_order="left").join(
        freed.aside, on="account", how="left", maintain_order="left"
    )
    stuck = judged.filter(pl.col("name_problem").is_not_null())
    return (
        judged.filter(pl.col("name_problem").is_null()).select(
            "external_id", "account_id", "name_now", "aside", "again"
        ),
        pl.concat(
            [
                _left(changed, pl.format("the account is called {} now", "name_now")),
                _left(stuck, pl.col("name_problem")),
            ]
        ),
    )


def _renames(names: pl.DataFrame) -> pl.DataFrame:
    called = pl.coalesce("aside", "current").alias("username")
    return names.filter(folded("current") != pl.col("again").str.to_lowercase()).select(
        pl.lit("rename").alias("kind"),
        *_WHO,
        called,
        json_object(called).alias("before"),
        json_object(pl.col("again").alias("username")).alias("after"),
    )


def _details_back(seen: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    updated = _of(seen, "update").with_columns(
        pl.col(side).str.json_path_match(f"$.{name}").alias(f"{side}_{name}")
        for side in ("before", "after")
        for name in ("display_name", "email")
    )

    def is_now(side: str) -> pl.Expr:
        # An account without a display name is sent its username for one: Bitbucket blanks none.
        sent = pl.coalesce(f"{side}_display_name", "username") if side == "after" else pl.col(f"{side}_display_name")
        email, display = pl.col(f"{side}_email"), sent
        return pl.col("email_now").eq_missing(email) & pl.col("display_now").eq_missing(display)

    back = updated.filter(is_now("after")).select(
        pl.lit("update").alias("kind"),
        *_WHO,
        pl.col("then").alias("username"),
        pl.col("after").alias("before"),
        pl.col("before").alias("after"),
    )
    return back, _left(updated.filter(~is_now("after") & ~is_now("before")), pl.lit(_CHANGED))


def _access_back(seen: pl.DataFrame, target: NumberedTarget) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Access that was given back is taken again, access that was taken is given back; and what cannot be."""
    given = _of(seen, "restore_access").with_columns(pl.col("after").str.json_decode(_ACCESS).struct.unnest())
    taken = _of(seen, "remove_access", "strip_groups").with_columns(
        pl.col("before").str.json_decode(_ACCESS).struct.unnest()
    )
    still = _groups_now(given, target).filter("member")
    mine = pl.col("permission") == pl.col("permission_now")
    ours = mine.fill_null(value=False)
    again = _with_groups(given, still).filter((pl.col("named").list.len() > 0) | ours | (pl.col("state") == "active"))
    again = again.select(
        pl.lit("remove_access").alias("kind"),
        *_WHO,
        pl.col("name_now").alias("username"),
        json_object("named", pl.when(mine).then("permission").alias("permission")).alias("before"),
    )
    lost = _groups_now(taken, target)
    granting = pl.col("permission").is_not_null() & pl.col("permission_now").is_null()
    back = _with_groups(taken, lost.filter(~pl.col("member"))).filter(
        (pl.col("named").list.len() > 0) | granting | (pl.col("state") != "active")
    )
    back = back.select(
        pl.lit("restore_access").alias("kind"),
        *_WHO,
        pl.col("then").alias("username"),
        json_object("named", pl.when(pl.col("permission_now").is_null()).then("permission").alias("permission")).alias(
            "after"
        ),
    )
    regranted = taken.filter(pl.col("permission").is_not_null() & pl.col("permission_now").is_not_null() & ~mine)
    vanished = lost.filter(pl.col("number").is_null())
    return (
        again.with_columns(_groups_named("before")),
        back.with_columns(_groups_named("after")),
        pl.concat(
            [
                _left(regranted, pl.format("it was granted {} since", "permission_now")),
                _left(vanished, pl.format("the group {} is gone", "taken")),
            ]
        ),
    )


def _groups_named(side: str) -> pl.Expr:
    return pl.col(side).str.replace('{"named":', '{"groups":', literal=True)


def _groups_now(rows: pl.DataFrame, target: NumberedTarget) -> pl.DataFrame:
    """One row a group that was given or taken: `taken` (its name then), `number`, `name`, `member`."""
    taken = (
        rows.select("seq", "external_id", "kind", "username", "group", "account", pl.col("groups").alias("taken"))
        .explode("taken", empty_as_null=True)
        .drop_nulls("taken")
    )
    return _as_it_is(taken, "taken", target).rename({"group_now": "name"})


def _with_groups(rows: pl.DataFrame, groups: pl.DataFrame) -> pl.DataFrame:
    """Rows with the present names of the groups that stand for them, as `named`."""
    named = groups.drop_nulls("name").group_by("seq", maintain_order=True).agg(pl.col("name").alias("named"))
    return rows.join(named, on="seq", how="left", maintain_order="left").with_columns(pl.col("named").fill_null([]))


def _memberships_back(seen: pl.DataFrame, target: NumberedTarget) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    columns = (*_WHO, pl.col("then").alias("username"), pl.col("group_now").alias("group"))
    still = _still_member(_of(seen, "add_membership"), target)
    gone = _as_it_is(_of(seen, "remove_membership"), "group", target)
    missing = gone.filter(~pl.col("member") & pl.col("number").is_not_null())
    return (
        still.select(pl.lit("remove_membership").alias("kind"), *columns),
        missing.select(pl.lit("add_membership").alias("kind"), *columns),
        _left(gone.filter(pl.col("number").is_null()), pl.format("the group {} is gone", "group")),
    )


def _still_member(rows: pl.DataFrame, target: NumberedTarget) -> pl.DataFrame:
    return _as_it_is(rows, "group", target).filter("member")


def _as_it_is(rows: pl.DataFrame, named: str, target: NumberedTarget) -> pl.DataFrame:
    """Rows of an `account` and the group in the column `named`, with what is there now: `number`, `group_now`,
    `member`."""
    return (
        rows.with_columns(folded(named).alias("key"))
        .join(
            target.groups.select("key", "number", pl.col("name").alias("group_now")),
            on="key",
            how="left",
            maintain_order="left",
        )
        .join(
            target.members.with_columns(pl.lit(value=True).alias("member")).unique(),
            on=["account", "number"],
            how="left",
            maintain_order="left",
        )
        .with_columns(pl.col("member").fill_null(value=False))
    )


def _removed(operations: pl.DataFrame, target: NumberedTarget) -> pl.DataFrame:
    """The memberships that operations take away: `account`, `number`, `kind`."""
    names = target.groups.select(pl.col("name").alias("group"), "number")
    accounts = target.accounts.select("account_id", "account")
    single = _of(operations, "remove_membership").select("account_id", "kind", "group")
    several = (
        _of(operations, "remove_access")
        .select("account_id", "kind", pl.col("before").str.json_decode(_ACCESS).struct.field("groups").alias("group"))
        .explode("group", empty_as_null=True)
        .drop_nulls("group")
    )
    named = pl.concat([single, several]).join(names, on="group").join(accounts, on="account_id")
    whole = _of(operations, "delete").select("account_id", "kind").join(accounts, on="account_id")
    return pl.concat(
        [
            named.select("account", "number", "kind"),
            whole.join(target.members, on="account").select("account", "number", "kind"),
        ]
    )
