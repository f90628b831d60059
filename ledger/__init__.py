"""What we know and did: runs, plans, the journal of what was sent, links, leases, results.

    with ledger.open(ledger.default_url()) as book:
        run = book.runs.start(sync="okta", mode="sync", target="https://bitbucket.example")

A file of SQLite or a database of PostgreSQL; the same tables and the same promises. Importing this package costs
nothing, opening a ledger imports SQLAlchemy, and only creating or upgrading one imports SQLModel or Alembic.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledger.opening import Ledger

__all__ = ["Ledger", "default_url", "open"]


def default_url(home: Path | None = None) -> str:
    """`.usersync/ledger.db` under `home`, else under $USERSYNC_HOME, else under the working folder."""
    folder = home or Path(os.environ.get("USERSYNC_HOME") or Path.cwd())
    path = str(folder.absolute() / ".usersync" / "ledger.db")
    return f"sqlite:///{path.replace('%', '%25').replace('?', '%3F')}"


def open(url: str | Path) -> Ledger:  # noqa: A001 -- always read as ledger.open
    """Open the ledger at a database URL or in a file, create it if there is none, upgrade it if it is older.

    Raises ConfigurationError where that cannot be, among others for a ledger newer than this program.
    """
    from ledger.opening import Ledger  # noqa: PLC0415 -- imports SQLAlchemy, which most commands never need

    return Ledger(url)


def __getattr__(name: str) -> object:
    if name != "Ledger":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ledger.opening import Ledger  # noqa: PLC0415 -- as in `open`

    return Ledger
