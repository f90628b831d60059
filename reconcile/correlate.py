"""Which account belongs to which person: by the link that the ledger keeps, and only then by name or e-mail address.

A name is a poor witness: people share, change and inherit names. So it may only *adopt* an account that nobody is
linked to, once, as an operation that a plan shows; from then on the link decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from directory.normalize import folded
from reconcile.numbered import NumberedTarget
from reconcile.pattern import matches_any
from reconcile.policy import People
from reconcile.select import Selection

__all__ = ["LINKS", "Correlation", "correlate"]

LINKS: Mapping[str, pl.DataType] = {
    "external_id": pl.String(),
    "account_id": pl.String(),
    "username": pl.String(),
    "state": pl.String(),
}
"""What the ledger remembers: `account_id` is null from a creation until the account is first read; `state` is `active`,
`access_removed` or `kept`. Further columns are ignored."""

MAX_NAME = 255
"""Characters in a username, display name or e-mail address (javadoc of ApplicationUser; embedded Crowd's columns)."""


@dataclass(frozen=True)
class Correlation:
    people: pl.DataFrame
    """One row a wanted person: `person` UInt32, `account` UInt32 (row of the target's accounts, null for none), `match`
    String (`linked`, `adopt_username`, `adopt_email`, `new`, `protected`), `state` String (of the link), `problem`
    String (why the name cannot be given, and what to do; null for none). A problem stops a creation, an adoption or a
    rename; a linked person's memberships are kept right all the same."""
    leavers: pl.DataFrame
    """Linked accounts whose person is gone or not wanted: `external_id`, `account` UInt32, `state`, `protected`."""


def correlate(selection: Selection, target: NumberedTarget, links: pl.DataFrame, policy: People) -> Correlation:
    """Match people and accounts. `links` has at least the columns `LINKS`."""
    accounts = _accounts(target, policy)
    linked = _linked(links, accounts)
    people = selection.people.filter("wanted").select(
        "person", "external_id", "username", "email", folded("username").alias("key"), folded("email").alias("mail_key")
    )
    matched = people.join(
        linked.select("external_id", "account", "state"), on="external_id", how="left", maintain_order="left"
    ).with_columns(pl.when(pl.col("account").is_not_null()).then(pl.lit("linked")).alias("match"))
    free = accounts.join(linked.select("account"), on="account", how="anti")
    if "username" in policy.adopt:
        matched = _adopt(matched, free, "key", "adopt_username")
    if "email" in policy.adopt:
        free = free.join(matched.select("account").drop_nulls(), on="account", how="anti")
        matched = _adopt(matched, free, "mail_key", "adopt_email")
    matched = matched.with_columns(pl.col("match").fill_null("new"))

    matched = (
        matched.join(accounts.select("account", "protected"), on="account", how="left", maintain_order="left")
        .with_columns(pl.when("protected").then(pl.lit("protected")).otherwise("match").alias("match"))
        .join(_problems(matched, accounts, linked), on="person", how="left", maintain_order="left")
    )
    leavers = (
        linked.join(people.select("external_id"), on="external_id", how="anti")
        .join(accounts.select("account", "protected"), on="account")
        .select("external_id", "account", "state", "protected")
    )
    return Correlation(people=matched.select("person", "account", "match", "state", "problem"), leavers=leavers)


def _accounts(target: NumberedTarget, policy: People) -> pl.DataFrame:
    principal = pl.col("key") == target.principal.lower()
    return target.accounts.select(
        "account",
        "account_id",
        "username",
        "key",
        folded("email").alias("mail_key"),
        (principal | matches_any("username", policy.protect)).alias("protected"),
    )


def _linked(links: pl.DataFrame, accounts: pl.DataFrame) -> pl.DataFrame:
    """Links whose account exists: `external_id`, `account`, `state`. The id decides, the name only without one."""
    by_id = links.filter(pl.col("account_id").is_not_null()).join(
        accounts.select("account", "account_id"), on="account_id"
    )
    by_name = links.filter(pl.col("account_id").is_null()).join(
        accounts.select("account", "key"), left_on=folded("username"), right_on="key"
    )
    columns = ["external_id", "account", "state"]
    found = pl.concat([by_id.select(columns), by_name.select(columns)])
    return found.unique("account", keep="first", maintain_order=True)


def _adopt(matched: pl.DataFrame, free: pl.DataFrame, key: str, label: str) -> pl.DataFrame:
    """Give accounts to people without one where `key` is unique on both sides."""
    seekers = matched.filter(pl.col("account").is_null() & pl.col(key).is_not_null() & ~pl.col(key).is_duplicated())
    offers = free.filter(pl.col(key).is_not_null() & ~pl.col(key).is_duplicated())
    pairs = seekers.select("person", key).join(offers.select(pl.col("account").alias("offer"), key), on=key)
    return (
        matched.join(pairs.select("person", "offer"), on="person", how="left", maintain_order="left")
        .with_columns(
            pl.when(pl.col("offer").is_not_null()).then(pl.lit(label)).otherwise("match").alias("match"),
            pl.coalesce("account", "offer").alias("account"),
        )
        .drop("offer")
    )


def _problems(matched: pl.DataFrame, accounts: pl.DataFrame, linked: pl.DataFrame) -> pl.DataFrame:
    """People that cannot be synced as they are: `person`, `problem` (one sentence, with the next step)."""
    owners = accounts.join(linked.select("account", "external_id"), on="account", how="left").select(
        "key",
        pl.col("account").alias("holder"),
        pl.col("external_id").alias("holder_id"),
        pl.col("username").alias("holder_name"),
    )
    own = accounts.select("account", pl.col("key").alias("own_key"))
    seen = (
        matched.with_columns(
            (pl.col("key").is_duplicated() & pl.col("key").is_not_null()).alias("shared"),
        )
        .join(owners.unique("key", keep="first", maintain_order=True), on="key", how="left", maintain_order="left")
        .join(own, on="account", how="left", maintain_order="left")
    )
    name = pl.col("username")
    bare = pl.format("the username {} is taken in the target", name)
    taken = (
        pl.when(pl.col("holder_id").is_not_null())
        .then(pl.format("{} by the account of another person ({}); nothing was changed for either", bare, "holder_id"))
        .otherwise(
            pl.format("{} by a local account; rename one of the two, or allow people.adopt to take it over", bare)
        )
    )
    problem = (
        pl.when(name.is_null())
        .then(pl.lit("no username; give attributes.username an expression that always has a value"))
        .when((name.str.len_chars() > MAX_NAME) | name.str.contains(r"[\p{Cc}\\/]"))
        .then(pl.format("Bitbucket refuses the username {}: over 255 characters, or with / \\ or control ones", name))
        .when(pl.col("shared") & ~(pl.col("own_key") == pl.col("key")).fill_null(value=False))
        .then(pl.format("two people of the source have the username {}; mend one of them or attributes.username", name))
        .when(pl.col("holder").is_not_null() & ~pl.col("holder").eq_missing(pl.col("account")))
        .then(taken)
        .when((pl.col("match") == "new") & pl.col("email").is_null())
        .then(pl.lit("no e-mail address, and Bitbucket creates no account without one; add it in the source"))
        .when(pl.col("email").str.len_chars() > MAX_NAME)
        .then(pl.lit("the e-mail address has more than 255 characters; shorten it in the source"))
        .otherwise(None)
    )
    return seen.select("person", problem.alias("problem")).filter(pl.col("problem").is_not_null())
