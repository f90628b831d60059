"""What becomes of the name of an account that is deleted: who is given it, and who would take over unbidden."""

from __future__ import annotations

import polars as pl

from reconcile.accounts import json_object, set_aside
from reconcile.numbered import NumberedTarget

__all__ = ["DELETING", "make_way", "vacated", "with_successors"]

DELETING = frozenset({"delete"})
"""Kinds that free an account's name."""


def vacated(operations: pl.DataFrame, target: NumberedTarget) -> pl.DataFrame:
    """The accounts that operations on leavers delete: `account`."""
    return target.accounts.join(
        operations.filter(pl.col("kind").is_in(DELETING)).select("account_id"), on="account_id", how="semi"
    ).select("account")


def make_way(operations: pl.DataFrame, aside: pl.DataFrame, target: NumberedTarget) -> pl.DataFrame:
    """Operations on leavers, where those whose name is given to a new account are set aside before they are deleted.

    What Bitbucket keeps of a deleted account (keys, tokens, grants) it gives to whoever is created under its name
    within seven days; so the account does not die under a name that somebody else gets.
    """
    names = target.accounts.select("account", "account_id").join(aside, on="account").select("account_id", "aside")
    if names.height == 0:
        return operations
    joined = operations.join(names, on="account_id", how="left", maintain_order="left")
    late = pl.col("kind").is_in(DELETING) & pl.col("aside").is_not_null()
    hopping = joined.filter(late).with_columns(pl.col("username").alias("current"))
    after_that = (late | (pl.col("kind") == "erase")) & pl.col("aside").is_not_null()
    renamed = joined.with_columns(pl.when(after_that).then("aside").otherwise("username").alias("username")).drop(
        "aside"
    )
    return pl.concat(
        [set_aside(hopping, "the name is given to somebody else once this account is deleted"), renamed],
        how="diagonal",
    )


def with_successors(operations: pl.DataFrame, target: NumberedTarget) -> pl.DataFrame:
    """Deletions with what is known of accounts of the same name in other directories, as `after`: `takes_over`, the
    directory of one that the target shows, and `may_hide_in`, directories that could have one which it does not show.

    Bitbucket lists one account a name, that of the first directory, and nowhere those that it hides. So which of them
    comes to light after a deletion is known only where a target lists both.
    """
    if "after" not in operations.columns:
        operations = operations.with_columns(pl.lit(None, pl.String).alias("after"))
    deleted = operations.filter(pl.col("kind").is_in(DELETING))
    if deleted.height == 0:
        return operations
    accounts = target.accounts.select("account_id", "key", "directory")
    state = pl.col("after").str.json_path_match("$.state").alias("state")
    theirs = deleted.select("account_id", state).join(accounts, on="account_id")
    namesakes = (
        theirs.join(accounts, on="key", suffix="_other")
        .filter(pl.col("account_id") != pl.col("account_id_other"))
        .sort("account_id", "account_id_other")
        .unique("account_id", keep="first", maintain_order=True)
        .select("account_id", pl.col("directory_other").alias("takes_over"))
    )
    directories = accounts["directory"].drop_nulls().unique().sort().to_list()
    hidden = pl.lit(directories, dtype=pl.List(pl.String)).list.set_difference(
        pl.concat_list(pl.col("directory").fill_null(""))
    )
    told = {"takes_over": pl.col("takes_over"), "may_hide_in": hidden.list.sort().alias("may_hide_in")}
    after = (
        pl.when(pl.col("state").is_null())
        .then(json_object(*told.values()))
        .otherwise(json_object(*told.values(), "state"))
    )
    successors = theirs.join(namesakes, on="account_id", how="left", maintain_order="left").select(
        "account_id", after.alias("successor")
    )
    late = pl.col("kind").is_in(DELETING)
    return (
        operations.join(successors, on="account_id", how="left", maintain_order="left")
        .with_columns(pl.when(late).then("successor").otherwise("after").alias("after"))
        .drop("successor")
    )
