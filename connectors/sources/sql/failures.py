"""What a database's refusal means, in plain words, without the statement, its parameters or a password."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from connectors.tables.assembly import NOTHING_READ
from directory.errors import ConfigurationError, CredentialsRefused, SourceUnavailable, SourceUnreadable, UsersyncError

__all__ = ["TooSlow", "no_driver", "on_connecting", "on_query", "too_slow"]

Redact = Callable[[str], str]

_REFUSED: Final = (
    "password authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "is not permitted to log in",
    "access denied",
    "login failed",
    "invalid username/password",
    "ora-01017",
)
_DENIED: Final = ("permission denied", "command denied", "insufficient privileges", "permission was denied")
_PASSING: Final = ("database is locked", "deadlock", "could not serialize", "connection", "gone away", "terminat")
_READ_ONLY: Final = ("read-only", "readonly database")
_PASSING_STATES: Final = ("08", "40", "53", "57P")
"""SQLSTATE classes: connection exceptions, transaction rollback, insufficient resources, operator intervention."""


class TooSlow(SourceUnavailable):
    """A query took longer than it may; the same at once again would too."""


def no_driver(dialect: str, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"nothing here can speak to {dialect} ({reason})",
        subject="the database",
        not_done=NOTHING_READ,
        next_step='install its driver beside usersync, for PostgreSQL: pip install "psycopg[binary]"',
    )


def on_connecting(error: SQLAlchemyError, where: str, redact: Redact) -> UsersyncError:
    """Why no connection was to be had."""
    said = redact(_said(error))
    if any(words in said.lower() for words in _REFUSED):
        return CredentialsRefused(
            f"the database refused our credentials ({said})",
            subject=where,
            not_done=NOTHING_READ,
            next_step="check `username` and `password` in the sync file, then run `usersync check`",
        )
    return SourceUnavailable(
        f"there is no connection to the database ({said})",
        subject=where,
        not_done=NOTHING_READ,
        next_step="see whether the database is up, reachable from here, and called so",
    )


def on_query(error: SQLAlchemyError, name: str, redact: Redact) -> UsersyncError:
    """Why a query failed."""
    said = redact(_said(error))
    subject, lower = f"the query `{name}`", said.lower()
    state = getattr(error.orig, "sqlstate", None) or "" if isinstance(error, DBAPIError) else ""
    if any(words in lower for words in _READ_ONLY):
        what = f"it would write, and usersync only reads ({said})"
        return SourceUnreadable(what, subject=subject, not_done="nothing was written", next_step="let it only select")
    if state == "42501" or any(words in lower for words in _DENIED):
        return CredentialsRefused(
            f"the database says that we may not read this ({said})",
            subject=subject,
            not_done=NOTHING_READ,
            next_step="grant USAGE of the schema and SELECT on what the query reads, then run `usersync check`",
        )
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    if lost or state.startswith(_PASSING_STATES) or (not state and any(words in lower for words in _PASSING)):
        return SourceUnavailable(
            f"the database ended it ({said})",
            subject=subject,
            not_done=NOTHING_READ,
            next_step="see what the database was busy with, then run again",
        )
    return SourceUnreadable(
        f"the database cannot run it ({said})",
        subject=subject,
        not_done=NOTHING_READ,
        next_step=f"correct `{name}` in the sync file, then run `usersync check`",
    )


def too_slow(name: str, seconds: float) -> TooSlow:
    return TooSlow(
        f"it took longer than statement_timeout allows ({seconds:g} s)",
        subject=f"the query `{name}`",
        not_done=NOTHING_READ,
        next_step="see with `usersync check` how the database runs it, or raise statement_timeout",
    )


def _said(error: SQLAlchemyError) -> str:
    """The driver's own first line: SQLAlchemy's text holds the statement and its parameters."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    text = str(cause) if cause is not None else type(error).__name__
    return text.strip().partition("\n")[0] or type(cause).__name__
