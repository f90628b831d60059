"""One connection with one read-only transaction, used in a thread and interrupted from outside of it."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import Connection, CursorResult, Engine, create_engine
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from connectors.secret import resolve_secret
from connectors.sources.sql import failures
from connectors.sources.sql.settings import SqlSettings
from connectors.tables.assembly import NOTHING_READ
from connectors.tables.values import Columns
from directory.errors import ConfigurationError, SourceUnavailable, SourceUnreadable

__all__ = ["Database"]

_CONNECT_SECONDS: Final = 10
_STEPS_BETWEEN_LOOKS: Final = 100_000
"""Of SQLite's virtual machine, some milliseconds."""
_NEVER: Final = float("inf")


class Database:
    """Where nothing says otherwise, methods run in the thread that reads."""

    def __init__(self, settings: SqlSettings) -> None:
        """Raises `ConfigurationError` where the password cannot be had."""
        self._settings = settings
        self._url = settings.address
        self._password = None if settings.password is None else resolve_secret(settings.password)
        self._stopped = threading.Event()
        self._deadline = _NEVER
        self._connection: Connection | None = None
        self._driver: Any = None

    @property
    def where(self) -> str:
        """What an administrator calls it; no password is in it."""
        url = self._url
        host = f" on {url.host}" if url.host else ""
        return f"the database {url.database or ''}{host} ({url.get_backend_name()})"

    @property
    def backend(self) -> str:
        return self._url.get_backend_name()

    def interrupt(self) -> None:
        """From another thread: end what runs now and begin nothing more."""
        self._stopped.set()
        driver = self._driver
        cancel = next(
            (getattr(driver, name) for name in ("cancel_safe", "cancel", "interrupt") if hasattr(driver, name)), None
        )
        if cancel is not None:
            with contextlib.suppress(Exception):  # it may have ended by itself this moment
                cancel()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All queries within see the same moment where the database can do that. Nothing is ever committed."""
        engine = self._engine()
        try:
            with self._opened(engine) as connection:
                self._connection = connection
                self._driver = connection.connection.driver_connection
                yield
                connection.rollback()
        finally:
            self._connection = self._driver = None
            engine.dispose()

    def read_only(self) -> bool | None:
        """Whether the database itself says that the transaction may not write; None where it cannot be asked."""
        if self.backend == "postgresql":
            return bool(self._run("read-only", "SHOW transaction_read_only").scalar_one() == "on")
        if self.backend == "sqlite":
            return bool(self._run("read-only", "PRAGMA query_only").scalar_one() == 1)
        return None

    def explained(self, name: str, query: str) -> str | None:
        """How the database would run it, on one line; None where it is not known how to ask."""
        if self.backend == "postgresql":
            (plan,) = self._run(name, f"EXPLAIN (FORMAT JSON) {query}").scalar_one()
            top = plan["Plan"]
            return f"{top['Node Type']}, about {top['Plan Rows']} rows expected, cost {top['Total Cost']:.0f}"
        if self.backend == "sqlite":
            return "; ".join(str(row[-1]) for row in self._run(name, f"EXPLAIN QUERY PLAN {query}"))
        return None

    def batches(self, name: str, query: str) -> Iterator[Columns]:
        """The columns after each batch of rows, and once where there is none. Raises as `failures.on_query` says."""
        result = self._run(name, query, streamed=True)
        try:
            names = list(result.keys())
            twice = sorted({column for column in names if names.count(column) > 1})
            if twice:
                raise SourceUnreadable(
                    f"it gives the column {twice[0]!r} twice",
                    subject=f"the query `{name}`",
                    not_done=NOTHING_READ,
                    next_step="give each column a name of its own with AS",
                )
            columns = Columns(names)
            yield columns
            while rows := self._fetched(name, result):
                columns.add(rows)
                yield columns
        finally:
            result.close()

    def _fetched(self, name: str, result: CursorResult[Any]) -> list[Any]:
        self._refuse_if_stopped(name)
        with self._judged(name):
            return list(result.fetchmany(self._settings.batch_rows))

    def _run(self, name: str, statement: str, *, streamed: bool = False) -> CursorResult[Any]:
        if self._connection is None:
            raise AssertionError("no transaction is open")
        self._refuse_if_stopped(name)
        self._deadline = time.monotonic() + self._settings.statement_timeout
        with self._judged(name):
            # The text goes to the driver as it stands: a colon or a percent sign in it is no parameter.
            options: dict[str, Any] = {"no_parameters": True}
            if streamed:
                options |= {"stream_results": True, "max_row_buffer": self._settings.batch_rows}
            return self._connection.exec_driver_sql(statement, execution_options=options)

    def _refuse_if_stopped(self, name: str) -> None:
        if self._stopped.is_set():
            raise SourceUnavailable("it was interrupted", subject=f"the query `{name}`", not_done=NOTHING_READ)

    @contextlib.contextmanager
    def _judged(self, name: str) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            self._refuse_if_stopped(name)
            if time.monotonic() >= self._deadline or _is_timeout(error):
                raise failures.too_slow(name, self._settings.statement_timeout) from None
            raise failures.on_query(error, name, self._redact) from None

    @contextlib.contextmanager
    def _opened(self, engine: Engine) -> Iterator[Connection]:
        try:
            connection = engine.connect()
        except DBAPIError as error:
            raise failures.on_connecting(error, self.where, self._redact) from None
        with connection:
            with self._judged("begin"):
                self._begin(connection)
            yield connection

    def _begin(self, connection: Connection) -> None:
        if self.backend == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            milliseconds = max(1, round(self._settings.statement_timeout * 1000))
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {milliseconds}")
        elif self.backend == "sqlite":
            connection.exec_driver_sql("PRAGMA query_only = 1")
            connection.exec_driver_sql("BEGIN")

    def _engine(self) -> Engine:
        url, arguments = self._url, self._arguments()
        if url.drivername == "postgresql":
            url = url.set(drivername="postgresql+psycopg" if find_spec("psycopg") else "postgresql+psycopg2")
        if self._password is not None:
            url = url.set(password=self._password.get_secret_value())
        try:
            engine = create_engine(url, poolclass=NullPool, hide_parameters=True, **arguments)
        except (ImportError, NoSuchModuleError, ArgumentError) as error:
            raise failures.no_driver(url.drivername, self._redact(str(error))) from None
        if engine.dialect.is_async:
            raise failures.no_driver(url.drivername, "its driver is an asynchronous one, and another is wanted")
        return engine

    def _arguments(self) -> dict[str, Any]:
        if self.backend == "sqlite":
            return {"creator": self._open_sqlite}
        return {"connect_args": {"connect_timeout": _CONNECT_SECONDS}} if self.backend == "postgresql" else {}

    def _open_sqlite(self) -> sqlite3.Connection:
        path = self._url.database
        if not path or path == ":memory:" or path.startswith("file:"):
            raise ConfigurationError(
                "the path of a SQLite file is missing",
                subject="source.url",
                not_done=NOTHING_READ,
                next_step="give it, such as sqlite:///exports/people.db",
            )
        # Nobody but this source opens a transaction on it: the driver would begin none for a query.
        address = f"file:{quote(str(Path(path).absolute()))}?mode=ro"
        connection = sqlite3.connect(address, uri=True, isolation_level=None, timeout=_CONNECT_SECONDS)
        connection.set_progress_handler(self._is_over, _STEPS_BETWEEN_LOOKS)
        return connection

    def _is_over(self) -> int:
        return int(self._stopped.is_set() or time.monotonic() >= self._deadline)

    def _redact(self, text: str) -> str:
        secret = "" if self._password is None else self._password.get_secret_value()
        shown = text.replace(secret, "***") if secret else text
        return re.sub(r"//[^/@\s]*@", "//***@", shown)


def _is_timeout(error: SQLAlchemyError) -> bool:
    return isinstance(error, DBAPIError) and "statement timeout" in str(error.orig)
