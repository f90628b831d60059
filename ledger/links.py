"""Links: which account belongs to which person, by the source's immutable id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import polars as pl
from sqlalchemy import Connection, String, bindparam, text

from ledger.database import Database
from ledger.frame import Rows, columns_of, read_frame, records, write_rows
from ledger.instant import micros

__all__ = ["LINKS", "Links", "delete_links", "write_links"]

LINKS: Mapping[str, pl.DataType] = {
    "external_id": pl.String(),
    "account_id": pl.String(),
    "username": pl.String(),
    "state": pl.String(),
    "adopted": pl.Boolean(),
    "linked_at": pl.Datetime("us", "UTC"),
    "updated_at": pl.Datetime("us", "UTC"),
    "left_at": pl.Datetime("us", "UTC"),
    "access_since": pl.Datetime("us", "UTC"),
}
"""`account_id` is null from a creation until the account is first read; `username` is the target's; `state` is one of
`active`, `access_removed`, `anonymised`, `inactive` and `deleted`; `adopted` tells accounts that existed before their
link; `left_at` is when a run first acted on a leaver, `access_since` when access was last given."""

_FIRST_VALUES = {
    "account_id": None,
    "username": None,
    "state": "active",
    "adopted": False,
    "left_at": None,
    "access_since": None,
}
_INSTANTS = ("left_at", "access_since")
_COUNT = text("SELECT COUNT(*) FROM links WHERE sync = :sync")
_READ = text(
    "SELECT external_id, account_id, username, state, CASE WHEN adopted THEN 1 ELSE 0 END, linked_at, updated_at,"
    " left_at, access_since"
    " FROM links WHERE sync = :sync ORDER BY external_id"
)
_SOME = text(
    str(_READ).replace(
        " ORDER BY",
        " AND (external_id IN :external_ids OR account_id IN :account_ids OR lower(username) IN :usernames) ORDER BY",
    )
).bindparams(
    *(bindparam(name, type_=String(), expanding=True) for name in ("external_ids", "account_ids", "usernames"))
)
_PUT = text(
    "INSERT INTO links (sync, external_id, account_id, username, state, adopted, linked_at, updated_at,"
    " left_at, access_since)"
    " VALUES (:sync, :external_id, :account_id, :username, :state, :adopted, :at, :at, :left_at, :access_since)"
    " ON CONFLICT (sync, external_id) DO UPDATE SET username = excluded.username, updated_at = excluded.updated_at,"
    " account_id = CASE WHEN :has_account_id THEN excluded.account_id ELSE links.account_id END,"
    " state = CASE WHEN :has_state THEN excluded.state ELSE links.state END,"
    " adopted = CASE WHEN :has_adopted THEN excluded.adopted ELSE links.adopted END,"
    " left_at = CASE WHEN :has_left_at THEN excluded.left_at ELSE links.left_at END,"
    " access_since = CASE WHEN :has_access_since THEN excluded.access_since ELSE links.access_since END"
)
_CHANGE = text(
    "UPDATE links SET updated_at = :at,"
    " account_id = CASE WHEN :has_account_id THEN :account_id ELSE account_id END,"
    " state = CASE WHEN :has_state THEN :state ELSE state END,"
    " adopted = CASE WHEN :has_adopted THEN :adopted ELSE adopted END,"
    " left_at = CASE WHEN :has_left_at THEN CAST(:left_at AS BIGINT) ELSE left_at END,"
    " access_since = CASE WHEN :has_access_since THEN CAST(:access_since AS BIGINT) ELSE access_since END"
    " WHERE sync = :sync AND external_id = :external_id"
)
_DELETE = text("DELETE FROM links WHERE sync = :sync AND external_id = :external_id")


class Links:
    def __init__(self, database: Database) -> None:
        self._database = database

    def frame(self, sync: str) -> pl.DataFrame:
        """All links of a sync, schema `LINKS`, sorted by `external_id`."""
        with self._database.read() as connection:
            return read_frame(connection, _READ, {"sync": sync}, LINKS)

    def count(self, sync: str) -> int:
        """How many accounts are linked to a person."""
        with self._database.read() as connection:
            return int(connection.execute(_COUNT, {"sync": sync}).scalar_one())

    def some(
        self,
        sync: str,
        *,
        external_ids: Iterable[str] = (),
        account_ids: Iterable[str] = (),
        usernames: Iterable[str] = (),
    ) -> pl.DataFrame:
        """The links of these people, to these accounts and under these usernames, as `frame`.

        Usernames are compared without case, on SQLite of the letters A to Z alone.
        """
        names = {spelled for name in usernames for spelled in (name, name.lower(), _in_ascii_lower(name))}
        asked = {"external_ids": [*external_ids], "account_ids": [*account_ids], "usernames": [*names]}
        with self._database.read() as connection:
            return read_frame(connection, _SOME, {"sync": sync, **asked}, LINKS)

    def put(self, sync: str, rows: Rows, *, at: datetime | None = None) -> None:
        """Write links, all or none. Rows have `external_id` and any of `account_id`, `username`, `state`, `adopted`,
        `left_at` and `access_since` (instants, or None).

        What the rows do not give stays as it is. Without `username` only links that exist are changed; a new one is
        active and not adopted unless its row says otherwise.
        """
        with self._database.write() as connection:
            write_links(connection, sync, rows, at=micros(at))

    def remove(self, sync: str, external_ids: Iterable[str]) -> None:
        """Forget links, such as those of deleted accounts; ids without a link are passed over."""
        with self._database.write() as connection:
            delete_links(connection, sync, external_ids)


def write_links(connection: Connection, sync: str, rows: Rows, *, at: int) -> None:
    """As `Links.put`, within a transaction; `at` in microseconds."""
    given = columns_of(rows)
    if not given:
        return
    defaults = {name: value for name, value in _FIRST_VALUES.items() if name not in given}
    constants = {f"has_{name}": name in given for name in _FIRST_VALUES if name != "username"}
    parameters = records(rows, **constants, **defaults, sync=sync, at=at)
    for name in given.intersection(_INSTANTS):
        for row in parameters:
            row[name] = None if row[name] is None else micros(row[name])
    write_rows(connection, _PUT if "username" in given else _CHANGE, parameters)


def delete_links(connection: Connection, sync: str, external_ids: Iterable[str]) -> None:
    """As `Links.remove`, within a transaction."""
    parameters = [{"sync": sync, "external_id": external_id} for external_id in external_ids]
    write_rows(connection, _DELETE, parameters)


def _in_ascii_lower(name: str) -> str:
    return "".join(char.lower() if char.isascii() else char for char in name)
