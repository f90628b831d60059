"""Finding one record by its id, or by the beginning of it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, RowMapping, TextClause

from directory.errors import UnknownRecord

__all__ = ["by_prefix"]

_NAMED = 5


def by_prefix(connection: Connection, statement: TextClause, prefix: str, *, noun: str, shortest: int) -> RowMapping:
    """The one row whose `id` begins with `prefix`, or is it.

    `statement` selects by `:prefix`, in any order. Raises UnknownRecord where no row fits, or more than one does, or
    the prefix is shorter than `shortest` characters.
    """
    wanted = prefix.strip().lower()
    found: list[RowMapping] = []
    if len(wanted) >= shortest:
        found = list(connection.execute(statement, {"prefix": wanted}).mappings())
    exact = [row for row in found if row["id"] == wanted]
    if len(exact or found) == 1:
        return (exact or found)[0]
    raise _unknown(prefix, found, noun, shortest)


def _unknown(prefix: str, found: list[Any], noun: str, shortest: int) -> UnknownRecord:
    nothing_done = "nothing was done"
    if found:
        named = ", ".join(sorted(row["id"] for row in found)[:_NAMED])
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        return UnknownRecord(
            f"{len(found)} {noun}s begin with {prefix!r}: {named}{more}",
            not_done=nothing_done,
            next_step="write more of the id",
        )
    if len(prefix.strip()) < shortest:
        return UnknownRecord(
            f"{prefix!r} is too short to name a {noun}",
            not_done=nothing_done,
            next_step=f"write at least {shortest} characters of the id",
        )
    return UnknownRecord(
        f"the ledger has no {noun} {prefix!r}",
        not_done=nothing_done,
        next_step="`usersync runs` lists the runs and their plans; is this the ledger they were written to?",
    )
