"""The people of a realm: all of them, or a reason why that is not proved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from connectors.http.client import HttpClient
from connectors.sources.keycloak.listing import Listing, read_list
from connectors.sources.keycloak.settings import KeycloakSettings
from connectors.sources.keycloak.wire import PersonRow

__all__ = ["People", "count_people", "read_people"]


@dataclass(frozen=True)
class People:
    rows: dict[str, PersonRow]
    """By id. Keycloak lists no service accounts."""
    problems: list[str]


async def count_people(client: HttpClient) -> int:
    return await client.get_json("users/count", decode=int)


async def read_people(client: HttpClient, settings: KeycloakSettings, tell: Callable[[int], None]) -> People:
    """Read everybody, and once more where the pages do not link or not as many come as the realm counts.

    The realm is counted first, which says how many pages to ask for at a time, and again only if the number differs:
    somebody may have come meanwhile.
    """
    listing, counted, complete = await _read(client, settings, tell)
    if not complete:
        listing, counted, complete = await _read(client, settings, lambda _count: None)
    problems = []
    if not complete:
        moved = "" if listing.linked else ", and people moved between pages while they were read"
        problems.append(f"the realm counts {counted} people and {len(listing.rows)} came{moved}, also at a second read")
    if not listing.rows:
        problems.append("the realm shows nobody: it is empty, or the service account lacks the role view-users")
    return People(listing.rows, problems)


async def _read(
    client: HttpClient, settings: KeycloakSettings, tell: Callable[[int], None]
) -> tuple[Listing[PersonRow], int, bool]:
    counted = await count_people(client)
    listing = await read_list(
        client,
        "users",
        PersonRow,
        settings.page_size,
        params={"briefRepresentation": False},
        promised=counted,
        tell=tell,
    )
    if listing.linked and len(listing.rows) != counted:
        counted = await count_people(client)
    return listing, counted, listing.linked and len(listing.rows) == counted
