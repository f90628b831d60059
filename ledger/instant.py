"""Instants as the ledger keeps them: microseconds since 1970 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import overload

__all__ = ["micros", "moment", "now"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def now() -> datetime:
    return datetime.now(UTC)


def micros(instant: datetime | None) -> int:
    """The instant as a whole number; the present one for None. Raises TypeError for a time without a zone."""
    return ((instant or now()) - _EPOCH) // _MICROSECOND


@overload
def moment(value: int) -> datetime: ...
@overload
def moment(value: int | None) -> datetime | None: ...
def moment(value: int | None) -> datetime | None:
    """The reverse of `micros`; exact to the microsecond."""
    return None if value is None else _EPOCH + timedelta(microseconds=value)
