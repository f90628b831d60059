"""What is done to leavers and to who does not log in, and what returners get back."""

from __future__ import annotations

import polars as pl

from directory.normalize import folded
from reconcile.access import access_groups
from reconcile.accounts import json_object
from reconcile.correlate import Correlation
from reconcile.numbered import NumberedTarget
from reconcile.pattern import matches_any
from reconcile.policy import Leavers
from reconcile.select import Selection

__all__ = ["NOTHING_TO_RESTORE", "leaver_operations", "leaving", "restore_operations"]

NOTHING_TO_RESTORE = '{"groups":[],"permission":null}'
"""The `after` of a `restore_access` that only wakes the link: the source gives everything back."""

_TAKEN = ("access_removed", "anonymised", "inactive")
"""States of links whose person gets access back when they are wanted."""

_RANKS = {name: rank for rank, name in enumerate(("LICENSED_USER", "PROJECT_CREATE", "ADMIN", "SYS_ADMIN"))}


def leaving(
    selection: Selection, correlation: Correlation, accounts: pl.DataFrame, links: pl.DataFrame
) -> pl.DataFrame:
    """Accounts that nobody uses any more, with why (`reason`) and since when (`left_at`)."""
    reasons = selection.people.select("external_id", "reason")
    return (
        correlation.leavers.filter(~pl.col("protected"))
        .join(reasons, on="external_id", how="left", maintain_order="left")
        .join(links.select("external_id", "left_at").unique("external_id"), on="external_id", how="left")
        .join(
            accounts.select(
                *("account", "account_id", "username", "email", "display_name", "permission"),
                *("mutable_details", "mutable_groups", "deletable"),
            ),
            on="account",
            maintain_order="left",
        )
        .with_columns(pl.coalesce("dormant", "reason", pl.lit("not in the source any more")).alias("reason"))
    )


def leaver_operations(
    leavers: pl.DataFrame, target: NumberedTarget, managed: pl.DataFrame, policy: Leavers
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Operations on leavers, and the memberships they take away (`account`, `number`, `kind`).

    `leavers` comes from `leaving` and `reconcile.stages.with_due`. Access is every group with a global permission and
    the direct grant; managed groups follow the source as always. An account that cannot be deleted loses its access
    where it would be deleted.
    """
    gone = leavers.filter(pl.col("deletes") & pl.col("deletable"))
    staying = leavers.join(gone, on="account", how="anti", maintain_order="left")
    writable = staying.filter("mutable_groups")
    theirs = target.members.join(leavers.select("account"), on="account", how="semi").unique()
    deleted, lost_all = _deletions(gone, theirs, policy)
    stripped, lost = _removals(writable.filter(pl.col("takes") | pl.col("deletes")), theirs, target, managed)
    spared = target.groups.filter(matches_any("name", policy.keep_groups)).select("number")
    rest = theirs.join(lost, on=["account", "number"], how="anti").join(spared, on="number", how="anti")
    bare, lost_rest = _strippings(writable.filter("strips"), rest, target)
    operations = [_notes(leavers, policy), stripped, bare, _anonymisations(staying), deleted]
    return pl.concat(operations, how="diagonal"), pl.concat([lost_all, lost, lost_rest])


def _notes(leavers: pl.DataFrame, policy: Leavers) -> pl.DataFrame:
    """The clock of the stages starts; and who was inactive before is a leaver from now on."""
    unseen = pl.col("left_at").is_null() & pl.lit(bool(policy.stages))
    after = pl.when(pl.col("state") == "inactive").then(pl.lit("access_removed")).otherwise("state")
    return (
        leavers.filter(pl.col("dormant").is_null() & (unseen | (pl.col("state") == "inactive")))
        .with_columns(after.alias("state_after"))
        .select(
            pl.lit("leave").alias("kind"),
            "external_id",
            "account_id",
            "username",
            json_object("state").alias("before"),
            json_object(pl.col("state_after").alias("state")).alias("after"),
            "reason",
        )
    )


def _deletions(gone: pl.DataFrame, theirs: pl.DataFrame, policy: Leavers) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Deletions, and the erasures that follow at once. A link is kept as long as something is left to erase."""
    erases = policy.method == "erase" or any(stage.do == "erase" for stage in policy.stages)
    after = pl.lit('{"state":"deleted"}' if erases else None, pl.String).alias("after")
    columns = ["external_id", "account_id", "username", "reason"]
    operations = pl.concat(
        [
            gone.select(pl.lit("delete").alias("kind"), *columns, after),
            gone.filter("erases").select(pl.lit("erase").alias("kind"), *columns),
        ],
        how="diagonal",
    )
    taken = theirs.join(gone.select("account"), on="account", how="semi")
    return operations, taken.select("account", "number", pl.lit("delete").alias("kind"))


def _removals(
    losing: pl.DataFrame, theirs: pl.DataFrame, target: NumberedTarget, managed: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    numbers = pl.concat(
        [access_groups(target).select("number"), managed.filter("removable").select("number").drop_nulls()]
    )
    taken = theirs.join(numbers, on="number", how="semi").join(losing.select("account"), on="account", how="semi")
    state = pl.when(pl.col("dormant").is_not_null()).then(pl.lit('{"state":"inactive"}'))
    operations = (
        _with_groups(losing, taken, target)
        .filter(pl.col("groups").is_not_null() | pl.col("permission").is_not_null())
        .with_columns(pl.col("groups").fill_null([]))
        .select(
            pl.lit("remove_access").alias("kind"),
            "external_id",
            "account_id",
            "username",
            json_object("groups", "permission").alias("before"),
            state.alias("after"),
            "reason",
        )
    )
    return operations, taken.select("account", "number", pl.lit("remove_access").alias("kind"))


def _strippings(losing: pl.DataFrame, rest: pl.DataFrame, target: NumberedTarget) -> tuple[pl.DataFrame, pl.DataFrame]:
    taken = rest.join(losing.select("account"), on="account", how="semi")
    operations = (
        _with_groups(losing, taken, target)
        .filter(pl.col("groups").is_not_null())
        .select(
            pl.lit("strip_groups").alias("kind"),
            "external_id",
            "account_id",
            "username",
            json_object("groups").alias("before"),
            "reason",
        )
    )
    return operations, taken.select("account", "number", pl.lit("strip_groups").alias("kind"))


def _with_groups(losing: pl.DataFrame, taken: pl.DataFrame, target: NumberedTarget) -> pl.DataFrame:
    """Accounts with the names of the groups that are taken from them; null for none."""
    names = target.groups.select("number", "key", pl.col("name").alias("groups"))
    groups = taken.join(names, on="number").sort("key").group_by("account", maintain_order=True).agg("groups")
    return losing.join(groups, on="account", how="left", maintain_order="left")


def _anonymisations(staying: pl.DataFrame) -> pl.DataFrame:
    """The account's number in place of its names. It is the account's own, so no two accounts want the same name."""
    pseudonym = pl.format("user-{}", "account_id")
    names = {"username": pseudonym, "display_name": pseudonym, "email": pl.format("user-{}@user.invalid", "account_id")}
    same = pl.all_horizontal(pl.col(name).eq_missing(value) for name, value in names.items())
    state = pl.when(pl.col("dormant").is_null()).then(pl.lit("anonymised")).otherwise(pl.lit("inactive"))
    return staying.filter(pl.col("anonymises") & pl.col("mutable_details") & ~same).select(
        pl.lit("anonymise").alias("kind"),
        "external_id",
        "account_id",
        "username",
        json_object(*names).alias("before"),
        json_object(*(value.alias(name) for name, value in names.items()), state.alias("state")).alias("after"),
        "reason",
    )


def restore_operations(
    named: pl.DataFrame, target: NumberedTarget, memories: pl.DataFrame, managed: pl.DataFrame, links: pl.DataFrame
) -> pl.DataFrame:
    """Returners regain the local access that was taken away; managed groups come back by the source alone.

    Of several grants that are remembered of one person the lowest comes back, and none where somebody gave them one
    since. What they have is not given again.
    """
    # A group that is assigned no more and keeps its members is given by nothing but their memory.
    by_source = managed.filter((pl.col("state") == "assigned") | pl.col("removable"))
    left = links.filter(pl.col("left_at").is_not_null())["external_id"]
    returners = named.filter(
        (pl.col("match") == "linked") & (pl.col("state").is_in(_TAKEN) | pl.col("external_id").is_in(left.implode()))
    )
    woken = pl.when(pl.col("state") == "inactive").then(pl.lit("not inactive any more"))
    remembered = memories.join(returners.filter("mutable_groups").select("external_id"), on="external_id", how="semi")
    groups = (
        remembered.filter(pl.col("kind") == "group")
        .select("external_id", folded("name").alias("key"))
        .unique()
        .join(by_source.select("key"), on="key", how="anti")
        .join(target.groups.select("key", "name", "number"), on="key")
        .join(returners.select("external_id", "account"), on="external_id")
        .join(target.members, on=["account", "number"], how="anti")
        .sort("key")
        .group_by("external_id", maintain_order=True)
        .agg(pl.col("name").alias("groups"))
    )
    rank = pl.col("name").replace_strict(_RANKS, default=len(_RANKS), return_dtype=pl.UInt8)
    permissions = (
        remembered.filter(pl.col("kind") == "permission")
        .sort(rank, "name")
        .group_by("external_id", maintain_order=True)
        .agg(pl.col("name").first().alias("restored"))
    )
    return (
        returners.join(groups, on="external_id", how="left", maintain_order="left")
        .join(permissions, on="external_id", how="left", maintain_order="left")
        .with_columns(pl.col("groups").fill_null([]))
        .with_columns(pl.when(pl.col("permission").is_null()).then("restored").alias("restored"))
        .select(
            pl.lit("restore_access").alias("kind"),
            "external_id",
            "account_id",
            "username",
            json_object("groups", pl.col("restored").alias("permission")).alias("after"),
            woken.otherwise(pl.lit("back in the source")).alias("reason"),
        )
    )
