"""What `usersync check` says about a Google Workspace account."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Final

from connectors.contract import CheckFinding
from connectors.sources.google.api import GoogleApi
from connectors.sources.google.frames import attribute
from connectors.sources.google.refusals import in_plain_words
from connectors.sources.google.settings import CUSTOM, GoogleSettings
from directory.errors import CredentialsRefused, UsersyncError

__all__ = ["check"]

_SAMPLE: Final = 100
"""Users that are looked at for custom attributes."""

Probe = Callable[[GoogleApi, GoogleSettings], Coroutine[Any, Any, list[CheckFinding]]]


async def check(api: GoogleApi, settings: GoogleSettings) -> list[CheckFinding]:
    """One probe a permission. After a refusal of the credentials themselves nothing more is asked."""
    return [finding async for finding in _findings(api, settings)]


async def _findings(api: GoogleApi, settings: GoogleSettings) -> AsyncIterator[CheckFinding]:
    probes: tuple[Probe, ...] = (_users, _groups)
    for probe in probes:
        try:
            with in_plain_words(settings):
                found = await probe(api, settings)
        except UsersyncError as error:
            yield CheckFinding.of(error)
            if not isinstance(error, CredentialsRefused) or api.client.is_refused or "HTTP 403" not in error.what:
                return
        else:
            for finding in found:
                yield finding


async def _users(api: GoogleApi, settings: GoogleSettings) -> list[CheckFinding]:
    sample: list[dict[str, Any]] = []
    async for page in api.users(at_most=_SAMPLE):
        sample = page
        break
    if not sample:
        return [CheckFinding("problem", "no user is in sight", "check `customer` or `domain` in the sync file")]
    found = [CheckFinding("ok", f"{api.client_email} acts for {settings.subject} and may read users")]
    for path in settings.columns.values():
        if path.startswith(f"{CUSTOM}.") and all(attribute(user, path) is None for user in sample):
            what = f"none of {len(sample)} users has a value for {path}"
            step = "compare with Directory, Users, More options, Manage custom attributes; names are case-sensitive"
            found.append(CheckFinding("note", what, step))
    return found


async def _groups(api: GoogleApi, settings: GoogleSettings) -> list[CheckFinding]:
    async for page in api.groups(at_most=1):
        await api.members(page[0].id)
        return [CheckFinding("ok", "groups and their members may be read")]
    whose = next(iter(settings.whose))
    return [CheckFinding("problem", "no group is in sight", f"check `{whose}` in the sync file")]
