"""Who is wanted and does not log in. They are set aside before anything is compared, so that one decision takes their
access away and does not give it back."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import polars as pl

from directory.normalize import folded
from reconcile.access import access_groups, administrators
from reconcile.correlate import Correlation
from reconcile.numbered import NumberedTarget
from reconcile.pattern import matches_any
from reconcile.policy import Inactive
from reconcile.select import Selection

__all__ = ["set_inactive_aside"]


def set_inactive_aside(
    correlation: Correlation,
    selection: Selection,
    target: NumberedTarget,
    links: pl.DataFrame,
    memories: pl.DataFrame,
    policy: Inactive,
    now: datetime,
) -> Correlation:
    """Move inactive people from `people` to `leavers`, whose column `dormant` then says why; null for a leaver.

    Days are counted from the last login or from when access was given, whichever is later. Somebody whose access was
    taken for this stays inactive until they logged in, are excepted, or were given access by hand; a returner starts
    anew. An account that cannot be changed is no candidate, nor is an administrator.
    """
    leavers = correlation.leavers.with_columns(pl.lit(None, pl.String).alias("dormant"))
    if policy.after_days is None:
        return replace(correlation, leavers=leavers)
    candidates = _overdue(_candidates(correlation, selection, target, links), policy, now)
    candidates = candidates.join(_let_in_by_hand(candidates, target), on="account", how="anti")
    candidates = _by_groups(candidates, selection, target, memories, policy)
    found = candidates.select(
        "external_id", "account", "state", pl.lit(value=False).alias("protected"), pl.col("reason").alias("dormant")
    )
    return replace(
        correlation,
        people=correlation.people.join(candidates.select("person"), on="person", how="anti", maintain_order="left"),
        leavers=pl.concat([leavers, found.select(leavers.columns)]),
    )


def _candidates(
    correlation: Correlation, selection: Selection, target: NumberedTarget, links: pl.DataFrame
) -> pl.DataFrame:
    """Linked people that are neither administrators nor returners, with what tells since when they were not here."""
    accounts = target.accounts.filter("mutable_groups").join(administrators(target), on="account", how="anti")
    since = links.filter(pl.col("left_at").is_null()).select("external_id", "access_since")
    return (
        correlation.people.filter((pl.col("match") == "linked") & pl.col("state").is_in(["active", "inactive"]))
        .select("person", "account", "state")
        .join(selection.people.select("person", "external_id", pl.col("username").alias("wish")), on="person")
        .join(accounts.select("account", "username", "permission", "last_login"), on="account")
        .join(since, on="external_id")
    )


def _overdue(candidates: pl.DataFrame, policy: Inactive, now: datetime) -> pl.DataFrame:
    login, access = pl.col("last_login").cast(pl.Datetime("us", "UTC")), pl.col("access_since")
    since = pl.max_horizontal(login, access)
    known = since.is_not_null() & (login.is_not_null() | pl.lit(policy.never_logged_in))
    overdue = (pl.lit(now.date()) - since.dt.date()).dt.total_days() >= policy.after_days
    spared = matches_any("username", policy.except_people) | matches_any("wish", policy.except_people)
    day = since.dt.strftime("%Y-%m-%d")
    allowed = pl.lit(f"inactive after {policy.after_days} days")
    reason = (
        pl.when(login.is_null())
        .then(pl.format("never logged in since access was given on {}; {}", day, allowed))
        .otherwise(pl.format("no login since {}; {}", day, allowed))
    )
    return candidates.filter(known & overdue & ~spared).with_columns(reason.alias("reason"))


def _let_in_by_hand(candidates: pl.DataFrame, target: NumberedTarget) -> pl.DataFrame:
    """Accounts without access as far as we know, that somebody gave it again: `account`."""
    shut_out = candidates.filter(pl.col("state") == "inactive")
    entering = target.members.join(access_groups(target), on="number", how="semi").select("account")
    granted = shut_out.filter(pl.col("permission").is_not_null()).select("account")
    return pl.concat([granted, shut_out.select("account").join(entering, on="account", how="semi")])


def _by_groups(
    candidates: pl.DataFrame, selection: Selection, target: NumberedTarget, memories: pl.DataFrame, policy: Inactive
) -> pl.DataFrame:
    """Keep members of `groups` and drop those of `except_groups`.

    What was taken together with the access still counts as a group of theirs, and so does for an exception what the
    source gives; otherwise taking it would change the answer.
    """
    if not policy.looks_at_groups:
        return candidates
    groups = target.groups.with_columns(
        matches_any("name", policy.groups or ()).alias("asked"),
        matches_any("name", policy.except_groups).alias("spared"),
    )
    theirs = target.members.join(candidates.select("account", "external_id"), on="account").join(groups, on="number")
    if policy.groups is not None:
        taken = (
            memories.filter(pl.col("kind") == "group")
            .select("external_id", folded("name").alias("key"))
            .join(groups.select("key", "asked"), on="key")
        )
        shut_out = candidates.filter(pl.col("state") == "inactive").select("external_id")
        asked = pl.concat(
            [
                theirs.filter("asked").select("external_id"),
                taken.filter("asked").select("external_id").join(shut_out, on="external_id", how="semi"),
            ]
        )
        candidates = candidates.join(asked, on="external_id", how="semi")
    given = selection.groups.filter(matches_any("name", policy.except_groups)).select("group")
    wanted = selection.memberships.join(given, on="group", how="semi").select("person")
    return candidates.join(theirs.filter("spared").select("external_id"), on="external_id", how="anti").join(
        wanted, on="person", how="anti"
    )
