"""An open ledger."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ledger.audit import Audit
from ledger.copying import copy
from ledger.database import Database
from ledger.journal import Journal
from ledger.leases import Leases
from ledger.links import Links
from ledger.memories import Memories
from ledger.migrations import bring_up_to_date
from ledger.ownership import Ownership
from ledger.pictures import Pictures
from ledger.plans import Plans
from ledger.questions import Questions
from ledger.readings import Readings
from ledger.results import Results
from ledger.retention import Retention
from ledger.runs import Runs
from ledger.snapshots import Snapshots
from ledger.tokens import Tokens
from ledger.watermarks import Watermarks

if TYPE_CHECKING:
    from ledger.scim.store import Scim

__all__ = ["Ledger"]


class Ledger:
    """Each subject is an attribute. May be shared by threads; every method is one transaction."""

    def __init__(self, url: str | Path) -> None:
        """As `ledger.open`."""
        database = Database(url)
        try:
            bring_up_to_date(database)
        except BaseException:
            database.close()
            raise
        self._database = database
        self.location = database.location
        """The URL, without a password."""
        self.runs = Runs(database)
        self.plans = Plans(database)
        self.questions = Questions(database)
        self.journal = Journal(database)
        self.links = Links(database)
        self.memories = Memories(database)
        self.ownership = Ownership(database)
        self.leases = Leases(database)
        self.results = Results(database)
        self.retention = Retention(database)
        self.readings = Readings(database)
        self.snapshots = Snapshots(database)
        self.pictures = Pictures(database)
        self.watermarks = Watermarks(database)
        self.tokens = Tokens(database)
        self.audit = Audit(database)

    @cached_property
    def scim(self) -> Scim:
        """What was pushed. Imported where it is asked for: most runs read another source."""
        from ledger.scim.store import Scim  # noqa: PLC0415

        return Scim(self._database)

    def copy_to(self, other: Ledger) -> dict[str, int]:
        """Copy everything into an empty ledger, but who holds which target now; returns rows by table.

        Raises ConfigurationError where the other is not empty; then it is left as it is.
        """
        return copy(self._database, other._database)

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
