"""Who may enter Bitbucket at all: through a group with a global permission, or by a direct grant."""

from __future__ import annotations

import polars as pl

from directory.normalize import folded
from directory.snapshot import TargetSnapshot

__all__ = ["ADMINISTRATIVE", "access_groups", "administrators", "seat_holders"]

ADMINISTRATIVE = ("ADMIN", "SYS_ADMIN")


def access_groups(target: TargetSnapshot) -> pl.DataFrame:
    """Groups that give access: `name`, `key` (folded), `permission`."""
    return target.groups.filter(pl.col("permission").is_not_null()).select(
        "name", folded("name").alias("key"), "permission"
    )


def administrators(accounts: pl.DataFrame, members: pl.DataFrame, target: TargetSnapshot) -> pl.DataFrame:
    """Accounts with ADMIN or SYS_ADMIN, direct or through a group: `account`.

    `accounts` has `account` and `permission`, `members` has `account` and `key` (folded group name).
    """
    groups = access_groups(target).filter(pl.col("permission").is_in(ADMINISTRATIVE))
    direct = accounts.filter(pl.col("permission").is_in(ADMINISTRATIVE)).select("account")
    return pl.concat([direct, members.join(groups, on="key", how="semi").select("account")]).unique()


def seat_holders(accounts: pl.DataFrame, members: pl.DataFrame, target: TargetSnapshot) -> pl.DataFrame:
    """Accounts that take a seat: active, and with any global permission. Columns as in `administrators`."""
    entitled = pl.concat(
        [
            accounts.filter(pl.col("permission").is_not_null()).select("account"),
            members.join(access_groups(target), on="key", how="semi").select("account"),
        ]
    ).unique()
    return accounts.filter("active").select("account").join(entitled, on="account", how="semi")
