"""Pages of rows become the frames of a snapshot, page by page, so that no list of a hundred thousand rows stands."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import Final

import polars as pl

from connectors.targets.bitbucket.wire import AccountRow
from directory.snapshot import ACCOUNTS, MEMBERS, TARGET_GROUPS, conform

__all__ = ["MemberRows", "accounts_of", "accounts_page", "groups_of"]

_COLUMNS: Final = {
    "account_id": pl.Int64(),
    "username": pl.String(),
    "email": pl.String(),
    "display_name": pl.String(),
    "active": pl.Boolean(),
    "directory": pl.String(),
    "mutable_details": pl.Boolean(),
    "mutable_groups": pl.Boolean(),
    "deletable": pl.Boolean(),
    "last_login": pl.Float64(),
}


def accounts_page(rows: Sequence[AccountRow]) -> pl.DataFrame:
    """One page, not conformed yet. SERVICE accounts (access keys, tokens of projects) are no people and are left out.

    An account that says nothing of a flag may not be changed: `mutable_*` and `deletable` are false unless they are
    sent as true.
    """
    people = [row for row in rows if row.type != "SERVICE"]
    return pl.DataFrame(
        {
            "account_id": [row.id for row in people],
            "username": [row.name for row in people],
            "email": [row.email_address for row in people],
            "display_name": [row.display_name for row in people],
            "active": [row.active for row in people],
            "directory": [row.directory_name for row in people],
            "mutable_details": [row.mutable_details for row in people],
            "mutable_groups": [row.mutable_groups for row in people],
            "deletable": [row.deletable for row in people],
            "last_login": [row.last_authentication_timestamp for row in people],
        },
        schema=_COLUMNS,
    )


def accounts_of(pages: Iterable[pl.DataFrame], grants: dict[int, str]) -> pl.DataFrame:
    """The frame `ACCOUNTS` from its pages and the direct global grants by account id.

    An account that two pages show, because another was created while we turned them, is kept once.
    """
    granted = pl.DataFrame(
        {"account_id": list(grants), "permission": list(grants.values())},
        schema={"account_id": pl.Int64(), "permission": pl.String()},
    )
    found = pl.concat([accounts_page([]), *pages]).unique("account_id", keep="last", maintain_order=True)
    joined = found.join(granted, on="account_id", how="left", maintain_order="left").with_columns(
        # Epoch milliseconds, described as a number: a Float64 that holds them exactly.
        pl.col("last_login").cast(pl.Int64()).cast(pl.Datetime("ms", "UTC"))
    )
    return conform(joined, ACCOUNTS)


def groups_of(names: Sequence[str], grants: dict[str, str], members_read: set[str]) -> pl.DataFrame:
    """The frame `TARGET_GROUPS`; `grants` are the global permissions by group name."""
    frame = pl.DataFrame(
        {
            "name": names,
            "permission": [grants.get(name) for name in names],
            "members_read": [name in members_read for name in names],
        },
        schema=dict(TARGET_GROUPS),
    )
    return conform(frame, TARGET_GROUPS)


class MemberRows:
    """Memberships as they come in, eight bytes and a half each: a run of account ids for each group."""

    def __init__(self) -> None:
        self._ids = array("q")
        self._runs: list[tuple[str, int]] = []

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, group: str, ids: Iterable[int]) -> None:
        before = len(self._ids)
        self._ids.extend(ids)
        self._runs.append((group, len(self._ids) - before))

    def frame(self, accounts: pl.DataFrame) -> pl.DataFrame:
        """The frame `MEMBERS`, without whom `accounts` does not hold (SERVICE accounts), each membership once."""
        runs = pl.DataFrame(self._runs, schema={"group": pl.String(), "size": pl.Int64()}, orient="row")
        groups = runs.select(pl.col("group").repeat_by("size").explode()).drop_nulls()
        members = groups.with_columns(pl.Series("account_id", self._ids, dtype=pl.Int64()).cast(pl.String()))
        known = members.join(accounts.select("account_id"), on="account_id", how="semi", maintain_order="left")
        return conform(known.unique(maintain_order=True), MEMBERS)
