"""How a ledger comes to have the tables that this program knows.

A fresh database gets the tables of `ledger.schema` at once; an older one is upgraded by Alembic, revision by revision;
a newer one is refused. Each of these is one transaction, so two processes that open the same ledger do it once.

A new revision: change `ledger/schema.py`, add `versions/vNNNN_what.py` with `revision = "NNNN"`, append the number to
`REVISIONS`, and check in the SQL script of the version before under `tests/unit/ledger/versions/`. The tests compare
an upgraded ledger with a fresh one.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from directory.errors import ConfigurationError
from ledger.database import Database

__all__ = ["FOLDER", "REVISIONS", "VERSION_TABLE", "bring_up_to_date", "upgrade"]

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009")
"""Every version that a ledger ever had, oldest first."""

VERSION_TABLE = "ledger_version"
"""Not Alembic's usual name: Prefect's own tables may lie in the same database, and use that."""

FOLDER = Path(__file__).parent
_CREATE_VERSION = text(
    f"CREATE TABLE {VERSION_TABLE} ("
    f"version_num VARCHAR(32) NOT NULL, CONSTRAINT {VERSION_TABLE}_pkc PRIMARY KEY (version_num))"
)
_READ_VERSION = text(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608 -- a constant
_WRITE_VERSION = text(f"INSERT INTO {VERSION_TABLE} (version_num) VALUES (:version)")  # noqa: S608 -- a constant
_LOCK = text("SELECT pg_advisory_xact_lock(7306932475)")
"""Held by whoever creates or upgrades the ledger; the number is arbitrary."""


def bring_up_to_date(database: Database, *, revisions: tuple[str, ...] = REVISIONS, folder: Path = FOLDER) -> None:
    """Create or upgrade the tables. Raises ConfigurationError for a ledger that a newer program wrote."""
    with database.read() as connection:
        version = _version(connection)
    if version == revisions[-1]:
        return
    _refuse_newer(version, database, revisions)
    with database.write() as connection:
        if not database.sqlite:
            connection.execute(_LOCK)
        version = _version(connection)
        _refuse_newer(version, database, revisions)
        if version is None:
            _create(connection, revisions[-1])
        elif version != revisions[-1]:
            upgrade(connection, folder)


def upgrade(connection: Connection, folder: Path = FOLDER) -> None:
    """Run the migrations of a folder that the ledger lacks, from none at all if need be, in the open transaction."""
    from alembic import command  # noqa: PLC0415 -- a second of imports that an up to date ledger does without
    from alembic.config import Config  # noqa: PLC0415 -- the same

    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _create(connection: Connection, version: str) -> None:
    from ledger.schema import Table  # noqa: PLC0415 -- imports SQLModel, which only a fresh ledger needs

    Table.metadata.create_all(connection, checkfirst=False)
    connection.execute(_CREATE_VERSION)
    connection.execute(_WRITE_VERSION, {"version": version})


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return str(connection.execute(_READ_VERSION).scalar_one())


def _refuse_newer(version: str | None, database: Database, revisions: tuple[str, ...]) -> None:
    if version is None or version in revisions:
        return
    raise ConfigurationError(
        f"the ledger has version {version}, and this program knows versions up to {revisions[-1]}",
        subject=database.location,
        not_done="nothing was read from it or written to it",
        next_step="run the newer usersync that wrote it, or restore the backup made before that was installed",
    )
