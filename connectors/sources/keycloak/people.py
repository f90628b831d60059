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
    """Read everybody, and once more where the pages do not link or fewer came than the realm counts.

    The realm is counted first, which says how many pages to ask for at a time. Where more came than that, it is
    counted again: those who come while the list is read hide nobody. Those who go may: together with a new name
    that moves its bearer to a page already read, no page is shifted, but the count falls.
    """
    counted, listing = await _read(client, settings, tell)
    if listing.linked and len(listing.rows) > counted:
        counted = await count_people(client)
    if not listing.linked or len(listing.rows) != counted:
        _, listing = await _read(client, settings, lambda _count: None)
        counted = await count_people(client)
    problems = []
    if not listing.linked or len(listing.rows) != counted:
        moved = "" if listing.linked else ", and people moved between pages while they were read"
        problems.append(f"the realm counts {counted} people and {len(listing.rows)} came{moved}, also at a second read")
    return People(listing.rows, problems)


async def _read(
    client: HttpClient, settings: KeycloakSettings, tell: Callable[[int], None]
) -> tuple[int, Listing[PersonRow]]:
    counted = await count_people(client)
    full = {"briefRepresentation": False}
    listing = await read_list(client, "users", PersonRow, settings.page_size, params=full, promised=counted, tell=tell)
    return counted, listing
