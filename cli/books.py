"""Opening the ledger to look something up: nothing is created where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import ledger as ledgers
from directory.errors import UnknownRecord

if TYPE_CHECKING:
    from ledger.opening import Ledger

__all__ = ["looked_up"]

_SQLITE = "sqlite:///"


@contextmanager
def looked_up(url: str | None) -> Iterator[Ledger]:
    """The ledger, to read from. Raises `UnknownRecord` where it would be an empty new file."""
    place = url or ledgers.default_url()
    if place.startswith(_SQLITE) and not Path(place.removeprefix(_SQLITE)).exists():
        raise UnknownRecord(
            "there is no ledger yet, so no run and no plan is known",
            subject=place.removeprefix(_SQLITE),
            next_step="run it in the folder of the first run, or name the ledger with --ledger or USERSYNC_LEDGER",
        )
    with ledgers.open(place) as ledger:
        yield ledger
