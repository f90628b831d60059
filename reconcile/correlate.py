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

__all__ = ["LINKS", "Correlation", "correlate", "shielded", "too_long"]

LINKS: Mapping[str, pl.DataType] = {
    "external_id": pl.String(),
    "account_id": pl.String(),
    "username": pl.String(),
    "state": pl.String(),
    "left_at": pl.Datetime("us", "UTC"),
    "access_since": pl.Datetime("us", "UTC"),
}
"""What the ledger remembers: `account_id` is null from a creation until the account is first read; `state` is `active`,
`access_removed`, `anonymised`, `inactive` or `deleted`; `left_at` is when a run first acted on a leaver, null for
everybody else; `access_since` is when access was last given. Further columns are ignored."""

MAX_NAME = 255
"""Characters in a username, display name or e-mail address (javadoc of ApplicationUser; embedded Crowd's columns)."""


@dataclass(frozen=True)
class Correlation:
    people: pl.DataFrame
    """One row a wanted person: `person` UInt32, `account` UInt32 (row of the target's accounts, null for none), `match`
    String (`linked`, `adopt_username`, `adopt_email`, `new`, `protected`, or `absent`: there is no account, and none is
    made), `state` String (of the link), `problem` String (why they cannot be synced as they are, and what to do; null
    for none; whether their name is free is decided later, by `reconcile.names`). A problem stops a creation, an
    adoption or a rename; a linked person's memberships are kept right all the same."""
    leavers: pl.DataFrame
    """Linked accounts whose person is gone or not wanted: `external_id`, `account` UInt32, `state`, `protected`."""


def correlate(selection: Selection, target: NumberedTarget, links: pl.DataFrame, policy: People) -> Correlation:
    """Match people and accounts. `links` has at least the columns `LINKS`."""
    accounts = _accounts(target, policy)
    people = selection.people.filter("wanted").select(
        "person",
        "external_id",
        "username",
        "email",
        "display_name",
        "keeps_name",
        folded("username").alias("key"),
        folded("email").alias("mail_key"),
    )
    linked = _linked(links, accounts, people)
    matched = people.join(
        linked.select("external_id", "account", "state"), on="external_id", how="left", maintain_order="left"
    ).with_columns(pl.when(pl.col("account").is_not_null()).then(pl.lit("linked")).alias("match"))
    if "username" in policy.adopt:
        matched = _adopt(matched, accounts, linked, "key", "adopt_username")
    if "email" in policy.adopt:
        # A protected account is nobody's: its address must keep nobody from an account of their own.
        matched = _adopt(matched, accounts.filter(~pl.col("protected")), linked, "mail_key", "adopt_email")
    reserved = shielded("username", target, policy)
    matched = matched.with_columns(
        pl.col("match").fill_null("new" if policy.create else "absent"),
        accounts["protected"].gather(matched["account"]).alias("protected"),
        reserved.alias("reserved"),
    )
    untouchable = pl.coalesce("protected", "reserved")
    return Correlation(
        people=matched.join(_problems(matched, accounts), on="person", how="left", maintain_order="left").select(
            "person",
            "account",
            pl.when(untouchable).then(pl.lit("protected")).otherwise("match").alias("match"),
            "state",
            "problem",
        ),
        leavers=linked.join(people.select("external_id"), on="external_id", how="anti")
        .join(accounts.select("account", "protected"), on="account", maintain_order="left")
        .select("external_id", "account", "state", "protected"),
    )


def _accounts(target: NumberedTarget, policy: People) -> pl.DataFrame:
    return target.accounts.select(
        "account",
        "account_id",
        "username",
        "key",
        folded("email").alias("mail_key"),
        shielded("username", target, policy).alias("protected"),
    )


def shielded(username: str, target: NumberedTarget, policy: People) -> pl.Expr:
    """True for names of accounts that are never touched and never given; false for null."""
    principal = (folded(username) == target.principal.lower()).fill_null(value=False)
    return principal | matches_any(username, policy.protect)


def _linked(links: pl.DataFrame, accounts: pl.DataFrame, wanted: pl.DataFrame) -> pl.DataFrame:
    """Links whose account exists: `external_id`, `account`, `state`. The id decides, the name only without one.

    No account has two people and nobody two accounts: should the ledger say so, whoever is wanted goes first. Whoever
    has the name of a deleted account now is somebody else, even where the target gives them its id.
    """
    links = links.filter(pl.col("state") != "deleted")
    by_id = links.filter(pl.col("account_id").is_not_null()).join(
        accounts.select("account", "account_id"), on="account_id"
    )
    by_name = links.filter(pl.col("account_id").is_null()).join(
        accounts.select("account", "key"), left_on=folded("username"), right_on="key"
    )
    columns = ["external_id", "account", "state"]
    found = pl.concat(
        [
            by_id.select(*columns, pl.lit(value=False).alias("named")),
            by_name.select(*columns, pl.lit(value=True).alias("named")),
        ]
    )
    if found["account"].is_duplicated().any() or found["external_id"].is_duplicated().any():
        gone = ~pl.col("external_id").is_in(wanted["external_id"].implode())
        ids = accounts.select("account", "account_id")
        found = (
            found.join(ids, on="account")
            .sort("named", gone, "external_id", "account_id", "state")
            .unique("account", keep="first", maintain_order=True)
            .unique("external_id", keep="first", maintain_order=True)
        )
    return found.select(columns)


def _adopt(matched: pl.DataFrame, accounts: pl.DataFrame, linked: pl.DataFrame, key: str, label: str) -> pl.DataFrame:
    """Give accounts that nobody has to people without one, where `key` is unique on both sides."""
    seeking = matched.filter(pl.col("account").is_null() & pl.col(key).is_not_null())
    if seeking.height == 0:
        return matched
    keys = seeking.select(key).unique()
    alone = matched.select(key).join(keys, on=key, how="semi").filter(pl.col(key).is_unique())
    seekers = seeking.join(alone, on=key, how="semi")
    taken = pl.concat([linked["account"], matched["account"].drop_nulls()])
    offers = (
        accounts.select("account", key)
        .join(keys, on=key, how="semi")
        .filter(pl.col(key).is_unique() & ~pl.col("account").is_in(taken.implode()))
    )
    pairs = seekers.select("person", key).join(offers.select(pl.col("account").alias("offer"), key), on=key)
    return (
        matched.join(pairs.select("person", "offer"), on="person", how="left", maintain_order="left")
        .with_columns(
            pl.when(pl.col("offer").is_not_null()).then(pl.lit(label)).otherwise("match").alias("match"),
            pl.coalesce("account", "offer").alias("account"),
        )
        .drop("offer")
    )


def _problems(matched: pl.DataFrame, accounts: pl.DataFrame) -> pl.DataFrame:
    """People that cannot be synced as they are: `person`, `problem` (one sentence, with the next step)."""
    name, email, display = pl.col("username"), pl.col("email"), pl.col("display_name")
    # Whoever has no account and gets none wants no name.
    wished = pl.when(pl.col("match") != "absent").then("key")
    seen = matched.with_columns(
        accounts["key"].gather(matched["account"]).alias("own_key"),
        (wished.is_duplicated() & wished.is_not_null()).alias("shared"),
    ).filter(
        # Whoever keeps the name that they have can only have a text that is too long.
        name.is_null() | pl.col("key").ne_missing(pl.col("own_key")) | too_long(email) | too_long(display)
    )
    moves = pl.col("key").ne_missing(pl.col("own_key"))
    keeps = pl.col("keeps_name") & pl.col("account").is_not_null()
    problem = (
        pl.when(pl.col("match") == "absent")
        .then(None)
        .when(name.is_null() & ~keeps)
        .then(pl.lit("no username; give attributes.username an expression that always has a value"))
        .when(too_long(name) | name.str.contains(r"[\p{Cc}\\/]"))
        .then(pl.format("Bitbucket refuses the username {}: over 255 characters, or with / \\ or control ones", name))
        .when(moves & pl.col("reserved"))
        .then(pl.format("the username {} is protected; no account is given it", name))
        .when(moves & pl.col("shared"))
        .then(pl.format("two people of the source have the username {}; mend one of them or attributes.username", name))
        .when((pl.col("match") == "new") & email.is_null())
        .then(pl.lit("no e-mail address, and Bitbucket creates no account without one; add it in the source"))
        .when(too_long(email))
        .then(pl.lit("the e-mail address has more than 255 characters; shorten it in the source"))
        .when(too_long(display))
        .then(pl.lit("the display name has more than 255 characters; shorten it in the source"))
        .otherwise(None)
    )
    return seen.select("person", problem.alias("problem")).filter(pl.col("problem").is_not_null())


def too_long(text: pl.Expr) -> pl.Expr:
    """True where Bitbucket would refuse the text for its length; false for null."""
    return (text.str.len_chars() > MAX_NAME).fill_null(value=False)
