"""What `usersync check` says about a OneLogin account."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from connectors.contract import CheckFinding
from connectors.sources.onelogin.api import OneLoginApi
from connectors.sources.onelogin.frames import attribute
from connectors.sources.onelogin.settings import CUSTOM, OneLoginSettings
from directory.errors import UsersyncError

__all__ = ["check"]

_SAMPLE: Final = 50
"""Users that are looked at for custom attributes."""


async def check(api: OneLoginApi, settings: OneLoginSettings) -> list[CheckFinding]:
    """After the first problem nothing more is asked."""
    found: list[CheckFinding] = []
    try:
        async for finding in _findings(api, settings):
            found.append(finding)  # noqa: PERF401 what came before an error is kept
    except UsersyncError as error:
        found.append(CheckFinding.of(error, "see what OneLogin says about it, then run `usersync check`"))
    return found


async def _findings(api: OneLoginApi, settings: OneLoginSettings) -> AsyncIterator[CheckFinding]:
    listing, documents = await api.users(lambda _count: None, at_most=_SAMPLE)
    if not listing.rows:
        yield CheckFinding("note", "no user is in sight", "give the credentials the scope Read All")
    count = listing.totals[0] if listing.totals else None
    yield CheckFinding("ok", f"the credentials work; OneLogin counts {count} users")
    for path in settings.columns.values():
        if (
            documents
            and path.startswith(f"{CUSTOM}.")
            and all(attribute(row, path) is None for row in documents.values())
        ):
            step = "compare with Users, Custom User Fields; the short name counts"
            yield CheckFinding("note", f"none of {len(documents)} users has a value for {path}", step)
    if settings.groups_from == "roles":
        yield CheckFinding("ok", f"{len((await api.roles()).rows)} roles may be read")
    elif settings.groups_from == "group":
        yield CheckFinding("ok", f"{len(await api.groups())} groups may be read")
    left = await api.calls_left()
    needed = -(-(count or 0) // settings.page_size) + 3
    said = f"{left.remaining} of {left.limit} API calls are left in this hour; a run takes about {needed}"
    if left.remaining < max(needed, settings.minimum_calls_left):
        yield CheckFinding("note", said, f"wait {-(-left.reset // 60)} minutes, or ask OneLogin for a higher limit")
    else:
        yield CheckFinding("ok", said)
