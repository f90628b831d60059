"""Who may enter Bitbucket at all: through a group with a global permission, or by a direct grant."""

from __future__ import annotations

import polars as pl

from reconcile.numbered import NumberedTarget

__all__ = ["ADMINISTRATIVE", "access_groups", "administrators", "seat_holders"]

ADMINISTRATIVE = ("ADMIN", "SYS_ADMIN")


def access_groups(target: NumberedTarget) -> pl.DataFrame:
    """Groups that give access: `number`, `permission`."""
    return target.groups.filter(pl.col("permission").is_not_null()).select("number", "permission")


def administrators(target: NumberedTarget) -> pl.DataFrame:
    """Accounts with ADMIN or SYS_ADMIN, direct or through a group: `account`."""
    groups = access_groups(target).filter(pl.col("permission").is_in(ADMINISTRATIVE))
    direct = target.accounts.filter(pl.col("permission").is_in(ADMINISTRATIVE)).select("account")
    return pl.concat([direct, target.members.join(groups, on="number", how="semi").select("account")]).unique()


def seat_holders(target: NumberedTarget) -> pl.DataFrame:
    """Accounts that take a seat: active, and with any global permission. Returns `account`."""
    entitled = pl.concat(
        [
            target.accounts.filter(pl.col("permission").is_not_null()).select("account"),
            target.members.join(access_groups(target), on="number", how="semi").select("account"),
        ]
    ).unique()
    return target.accounts.filter("active").select("account").join(entitled, on="account", how="semi")
