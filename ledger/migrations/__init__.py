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

__all__ = ["HEAD", "REVISIONS", "VERSION_TABLE", "bring_up_to_date", "upgrade"]

REVISIONS = ("0001",)
"""Every version that a ledger ever had, oldest first."""

HEAD = REVISIONS[-1]

VERSION_TABLE = "ledger_version"
"""Not Alembic's usual name: Prefect's own tables may lie in the same database, and use that."""

_FOLDER = Path(__file__).parent
_CREATE_VERSION = text(
    f"CREATE TABLE {VERSION_TABLE} ("
    f"version_num VARCHAR(32) NOT NULL, CONSTRAINT {VERSION_TABLE}_pkc PRIMARY KEY (version_num))"
)
_READ_VERSION = text(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608 -- a constant
_WRITE_VERSION = text(f"INSERT INTO {VERSION_TABLE} (version_num) VALUES (:version)")  # noqa: S608 -- a constant
_LOCK = text("SELECT pg_advisory_xact_lock(7306932475)")
"""Held by whoever creates or upgrades the ledger; the number is arbitrary."""


def bring_up_to_date(database: Database) -> None:
    """Create or upgrade the tables. Raises ConfigurationError for a ledger that a newer program wrote."""
    with database.read() as connection:
        version = _version(connection)
    if version == HEAD:
        return
    _refuse_newer(version, database)
    with database.write() as connection:
        if not database.sqlite:
            connection.execute(_LOCK)
        version = _version(connection)
        _refuse_newer(version, database)
        if version is None:
            _create(connection)
        elif version != HEAD:
            upgrade(connection)


def upgrade(connection: Connection, *, folder: Path = _FOLDER, revision: str = "head") -> None:
    """Run Alembic's migrations of a folder in the connection's transaction."""
    from alembic import command  # noqa: PLC0415 -- a second of imports that an up to date ledger does without
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _create(connection: Connection) -> None:
    from ledger.schema import Table  # noqa: PLC0415 -- imports SQLModel, which only a fresh ledger needs

    Table.metadata.create_all(connection, checkfirst=False)
    connection.execute(_CREATE_VERSION)
    connection.execute(_WRITE_VERSION, {"version": HEAD})


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return str(connection.execute(_READ_VERSION).scalar_one())


def _refuse_newer(version: str | None, database: Database) -> None:
    if version is None or version in REVISIONS:
        return
    raise ConfigurationError(
        f"the ledger has version {version}, and this program knows versions up to {HEAD}",
        subject=database.location,
        not_done="nothing was read from it or written to it",
        next_step="run the newer usersync that wrote it, or restore the backup made before that was installed",
    )
