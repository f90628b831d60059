"""One database, SQLite or PostgreSQL, behind two kinds of transaction: `read` and `write`."""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, ProgrammingError

from directory.errors import ConfigurationError, Fatal

__all__ = ["Database"]

_BUSY_SECONDS = 30
_POSTGRESQL_DRIVERS = ("psycopg", "psycopg2")
_WRITES = "usersync_writes"
_DURABLY = "usersync_durably"
_ANOTHERS_DOING = frozenset({"42501", "42P01", "3F000"})
"""PostgreSQL counts these as mistakes of who asks (appendix A of its manual: insufficient_privilege, undefined_table,
invalid_schema_name); here somebody took a right or a table away."""
_POSTGRESQL_NOW = text("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)")


class Database:
    """Holds connections. `location` is the URL without its password."""

    def __init__(self, url: str | Path) -> None:
        """Connect to nothing yet. Raises ConfigurationError for a URL that no ledger can be at."""
        parsed = _parse(url)
        self.location = parsed.render_as_string(hide_password=True)
        self.sqlite = parsed.get_backend_name() == "sqlite"
        self._path = Path(parsed.database or "")
        # Parameters are names and addresses of people: they do not belong into error messages.
        self._engine = create_engine(parsed, hide_parameters=True, **_engine_options(self.sqlite))
        if self.sqlite:
            _create_privately(self._path, self.location)
            _prepare_sqlite(self._engine)
        self._writer = self._engine.execution_options(**{_WRITES: True})
        self._durable_writer = self._engine.execution_options(**{_WRITES: True, _DURABLY: True})

    def read(self) -> AbstractContextManager[Connection]:
        """A transaction that sees one state of the ledger. Raises Fatal when the database does not answer."""
        return self._transaction(self._engine)

    def write(self) -> AbstractContextManager[Connection]:
        """A transaction that is committed at its end, or not at all. Raises Fatal when it could not be."""
        return self._transaction(self._writer)

    def write_durably(self) -> AbstractContextManager[Connection]:
        """As `write`; what was committed outlives a power cut as well. For what is answered to somebody else."""
        return self._transaction(self._durable_writer)

    def read_steadily(self) -> AbstractContextManager[Connection]:
        """As `read`, for more than one statement: none sees what was committed after the first of them."""
        if self.sqlite:
            return self.read()
        return self._transaction(self._engine.execution_options(isolation_level="REPEATABLE READ"))

    def clock(self, connection: Connection) -> int:
        """The present instant in microseconds, by the clock that all users of the database share."""
        if self.sqlite:
            return time.time_ns() // 1000
        return int(connection.execute(_POSTGRESQL_NOW).scalar_one())

    def compact(self) -> int:
        """Give the room of what was deleted back to the file system; returns how many bytes.

        0 for PostgreSQL, which looks after that itself, and for a SQLite file that others use at this moment: what is
        deleted later finds the room there.
        """
        if not self.sqlite:
            return 0
        before = self._path.stat().st_size
        connection = self._engine.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute("VACUUM")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            cursor.close()
        except sqlite3.OperationalError:
            return 0
        finally:
            connection.close()
        return max(0, before - self._path.stat().st_size)

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Connection]:
        try:
            with engine.begin() as connection:
                yield connection
        except IntegrityError:  # a mistake of ours, not of the database
            raise
        except DBAPIError as error:
            if isinstance(error, ProgrammingError) and _sqlstate(error) not in _ANOTHERS_DOING:
                raise
            raise self._unusable(error) from error

    def _unusable(self, error: DBAPIError) -> Fatal:
        return Fatal(
            f"the ledger's database failed: {error.orig}",
            subject=self.location,
            not_done="what was being written to the ledger was not written; what was written before stays",
            next_step="see that the database answers, is writable and has room, then run again; "
            "an interrupted plan goes on where it stopped",
        )


def _sqlstate(error: DBAPIError) -> str | None:
    """PostgreSQL's code, which psycopg and psycopg2 call by different names; SQLite has none."""
    code = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None)
    return None if code is None else str(code)


def _parse(url: str | Path) -> URL:
    if isinstance(url, Path):
        return URL.create("sqlite", database=str(url))
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # The text may hold a password, so it is not repeated.
        raise ConfigurationError(
            "the URL of the ledger cannot be read",
            not_done="the ledger was not opened",
            next_step="write it as sqlite:///folder/ledger.db or postgresql://user:password@host/database",
        ) from None
    backend = parsed.get_backend_name()
    if backend == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return parsed.set(drivername="sqlite")
    if backend == "postgresql":
        return parsed.set(drivername=_postgresql_driver(parsed))
    raise ConfigurationError(
        "the ledger is a file of SQLite or a database of PostgreSQL",
        subject=parsed.render_as_string(hide_password=True),
        not_done="the ledger was not opened",
        next_step="write its URL as sqlite:///folder/ledger.db or postgresql://user:password@host/database",
    )


def _postgresql_driver(url: URL) -> str:
    named = url.drivername.partition("+")[2]
    for driver in (named,) if named in _POSTGRESQL_DRIVERS else _POSTGRESQL_DRIVERS:
        if find_spec(driver) is not None:
            return f"postgresql+{driver}"
    raise ConfigurationError(
        f"a ledger in PostgreSQL needs a driver ({' or '.join(_POSTGRESQL_DRIVERS)}), and none is installed",
        subject=url.render_as_string(hide_password=True),
        not_done="the ledger was not opened",
        next_step='install one beside usersync: pip install "psycopg[binary]"',
    )


def _engine_options(sqlite: bool) -> dict[str, Any]:  # noqa: FBT001 -- read by name where it is called
    return {"connect_args": {"timeout": _BUSY_SECONDS}, "paramstyle": "named"} if sqlite else {"pool_pre_ping": True}


def _create_privately(path: Path, location: str) -> None:
    """It holds names, addresses and groups of people: for its owner alone. SQLite gives side files the same mode."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _create_file(path)
    except OSError as error:
        raise ConfigurationError(
            f"the ledger cannot be created or written: {error.strerror}",
            subject=location,
            not_done="the ledger was not opened",
            next_step="make the folder writable for this user, or name another place for the ledger",
        ) from error


def _create_file(path: Path) -> None:
    """Raises OSError where there is none and none can be made, or where it may not be written.

    One that is there is not opened, not even to look: closing it again would drop the locks that another connection of
    this process holds on it (POSIX gives locks to processes), and whoever closes the ledger last would then take the
    write-ahead log away from under that connection, which sees nothing new from then on.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path)) from None
        if not os.access(path, os.R_OK | os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path)) from None


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:  # Any: the driver's, which SQLAlchemy does not type
        # The driver would otherwise begin and end transactions on its own terms, and leave DDL outside of them.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        # A commit outlives the death of the process; only a power cut can cost the last ones, and never the file.
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer asks for the write lock at once and waits for it. One that began as a reader could not wait.
        options = connection.get_execution_options()
        if options.get(_WRITES, False):
            # Holds for this connection until it is set again, and cannot be set within a transaction.
            connection.exec_driver_sql(f"PRAGMA synchronous = {'FULL' if options.get(_DURABLY, False) else 'NORMAL'}")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql("BEGIN")
