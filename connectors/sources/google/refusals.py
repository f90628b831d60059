"""What Google's refusals mean, in words for an administrator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from connectors.sources.google.grant import SCOPES
from connectors.sources.google.settings import GoogleSettings
from directory.errors import CredentialsRefused, NotFound, SourceUnreadable

__all__ = ["in_plain_words"]


@contextmanager
def in_plain_words(settings: GoogleSettings) -> Iterator[None]:
    """A 403 or 404 below becomes an error that says what to change, and where."""
    try:
        yield
    except NotFound as error:
        (parameter, value), *_ = settings.whose.items()
        raise SourceUnreadable(
            f"Google knows no such {parameter}: {error.what}",
            subject=f"{parameter} {value}",
            not_done="the read did not finish",
            next_step=f"check `{parameter}` in the sync file",
        ) from error
    except CredentialsRefused as error:
        if "HTTP 403" not in error.what:
            raise
        what, next_step = _explained(error.what, settings)
        raise CredentialsRefused(
            f"{what} ({error.what})", subject=error.subject, not_done=error.not_done, next_step=next_step
        ) from error


def _explained(said: str, settings: GoogleSettings) -> tuple[str, str]:
    if "accessNotConfigured" in said or "has not been used in project" in said:
        return (
            "the Admin SDK API is off in the service account's Google Cloud project",
            "switch it on: Google Cloud console, APIs & Services, Library, Admin SDK API; then run `usersync check`",
        )
    if "insufficientPermissions" in said or "insufficient authentication scopes" in said:
        return (
            "the token lacks a scope",
            f"delegate {' and '.join(SCOPES)} to the service account, then run `usersync check`",
        )
    return (
        f"{settings.subject} may not read this",
        (
            f"give {settings.subject} an administrator role with the privileges Users: Read and Groups: Read, or name "
            "another administrator under `subject`; then run `usersync check`"
        ),
    )
