"""Operations on the accounts of wanted people: adopt, set aside, rename, create, update."""

from __future__ import annotations

import polars as pl

from reconcile.correlate import too_long
from reconcile.names import GivenNames
from reconcile.select import Selection

__all__ = ["CLEARING", "account_operations", "json_object", "named_people", "set_aside"]


CLEARING = "the source has no display name any more, so the username stands in its place"
"""The reason of an update that clears. Bitbucket takes neither an account without a display name nor an address that is
empty (its own validation: 1 to 255 characters, and a valid address), so an e-mail address cannot be cleared there."""


def named_people(selection: Selection, given: GivenNames, accounts: pl.DataFrame) -> pl.DataFrame:
    """Wanted people that can be synced, with what their account is called now (`current`), for a moment (`aside`, null
    for most) and in the end (`username`)."""
    able = given.correlation.people.filter(
        ~pl.col("match").is_in(["protected", "absent"]) & ((pl.col("match") == "linked") | pl.col("problem").is_null())
    )
    wished = selection.people.select(
        "person",
        "external_id",
        pl.col("username").alias("wish"),
        "email",
        "display_name",
        "clears_display_name",
        "reason",
    )
    now = accounts.select(
        "account",
        "account_id",
        pl.col("username").alias("current"),
        pl.col("email").alias("current_email"),
        pl.col("display_name").alias("current_display_name"),
        "mutable_details",
        "mutable_groups",
        "permission",
    )
    joined = able.join(wished, on="person", maintain_order="left").join(
        now, on="account", how="left", maintain_order="left"
    )
    # Bitbucket looks names up without case, so a difference in case alone is none.
    renames = (
        pl.col("problem").is_null()
        & pl.col("mutable_details")
        & (pl.col("wish").str.to_lowercase() != pl.col("current").str.to_lowercase())
    ).fill_null(value=False)
    username = pl.when(pl.col("account").is_null() | renames).then("wish").otherwise("current")
    return joined.join(given.aside, on="account", how="left", maintain_order="left").with_columns(
        renames.alias("renames"), username.alias("username")
    )


def account_operations(named: pl.DataFrame) -> pl.DataFrame:
    wish = {"username": "wish", "email": "email", "display_name": "display_name"}
    display = pl.coalesce("display_name", "wish").alias("display_name")
    created = named.filter(pl.col("account").is_null()).select(
        pl.lit("create").alias("kind"),
        "external_id",
        pl.col("wish").alias("username"),
        json_object(pl.col("wish").alias("username"), display, "email").alias("after"),
        "reason",
    )
    adopted = named.filter(pl.col("match").str.starts_with("adopt_")).select(
        pl.lit("adopt").alias("kind"),
        "external_id",
        "account_id",
        pl.col("current").alias("username"),
        pl.format("the account exists with the same {}", pl.col("match").str.strip_prefix("adopt_")).alias("reason"),
    )
    cycles = named.filter(pl.col("renames") & pl.col("aside").is_not_null())
    called = pl.coalesce("aside", "current").alias("username")
    renamed = named.filter("renames").select(
        pl.lit("rename").alias("kind"),
        "external_id",
        "account_id",
        called,
        json_object(called).alias("before"),
        json_object(pl.col(wish["username"]).alias("username")).alias("after"),
        pl.lit("the source calls them so now").alias("reason"),
    )
    clears = pl.col("clears_display_name")
    email = _sendable("email")
    name = pl.when(clears).then("username").otherwise(_sendable("display_name"))
    differs = ~(email.eq_missing(pl.col("current_email")) & name.eq_missing(pl.col("current_display_name")))
    updated = named.filter(pl.col("account").is_not_null() & pl.col("mutable_details") & differs).select(
        pl.lit("update").alias("kind"),
        "external_id",
        "account_id",
        "username",
        json_object(pl.col("current_display_name").alias("display_name"), pl.col("current_email").alias("email")).alias(
            "before"
        ),
        json_object(name.alias("display_name"), email.alias("email")).alias("after"),
        pl.when(clears & name.ne_missing(pl.col("current_display_name")))
        .then(pl.lit(CLEARING))
        .otherwise(pl.lit("the source's attributes changed"))
        .alias("reason"),
    )
    swapped = set_aside(cycles, "the names of several people go round, and one has to make way first")
    return pl.concat([adopted, swapped, renamed, created, updated], how="diagonal")


def set_aside(accounts: pl.DataFrame, reason: str) -> pl.DataFrame:
    """Operations that give accounts their temporary name (`aside`) in place of their own (`current`)."""
    return accounts.select(
        pl.lit("set_aside").alias("kind"),
        "external_id",
        "account_id",
        pl.col("current").alias("username"),
        json_object(pl.col("current").alias("username")).alias("before"),
        json_object(pl.col("aside").alias("username")).alias("after"),
        pl.lit(reason).alias("reason"),
    )


def _sendable(column: str) -> pl.Expr:
    """What the source says, or what is there where the source says nothing or nothing that can be sent."""
    said = pl.when(~too_long(pl.col(column))).then(pl.col(column))
    return pl.coalesce(said, f"current_{column}")


def json_object(*columns: str | pl.Expr) -> pl.Expr:
    """A JSON object of the columns, under their names."""
    return pl.struct(*columns).struct.json_encode()
