"""How many requests a whole read takes, computed from a company's size alone. A token is one more, where there is any.

`sizes` are the members that each group lists: with those of the groups below it where the vendor has no nesting, and
with these groups themselves where it shows them as members. Page sizes are the defaults of docs/sources.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

__all__ = [
    "BARS",
    "MODEL_PEOPLE",
    "MODEL_SIZES",
    "entra",
    "entra_beginning_deltas",
    "google",
    "keycloak",
    "ldap",
    "model_requests",
    "okta",
    "okta_changes",
    "onelogin",
]

MODEL_PEOPLE: Final = 100_000
MODEL_SIZES: Final = (200,) * 4980 + (5000,) * 20

BARS: Final[Mapping[str, int]] = {
    "entra": 362,
    "okta": 5600,
    "google": 5700,
    "onelogin": 1050,
    "keycloak": 5200,
    "ldap": 190,
}
"""The most requests that the model may take, by the kind of the source."""


def model_requests() -> dict[str, int]:
    """What each source asks for 100,000 people in 5,000 groups, of which twenty have 5,000 members and the rest 200."""
    people, sizes = MODEL_PEOPLE, MODEL_SIZES
    return {
        "entra": entra(people, sizes),
        "okta": okta(people, sizes),
        "google": google(people, sizes),
        "onelogin": onelogin(people, len(sizes)),
        "keycloak": keycloak(people, sizes),
        "ldap": ldap(people, len(sizes)),
    }


def entra(people: int, sizes: Sequence[int]) -> int:
    """Pages of users, pages of groups, and batches of twenty pages of members."""
    members = sum(max(1, _pages(size, 999)) for size in sizes)
    return _pages(people, 999) + _pages(len(sizes), 999) + _pages(members, 20)


def entra_beginning_deltas(people: int, sizes: Sequence[int]) -> int:
    """Of a whole read from which deltas go on: pages of both deltas and two counts. Graph documents no size of these
    pages; here they hold 200 rows, and a row of a group 500 members."""
    rows = sum(max(1, _pages(size, 500)) for size in sizes)
    return _pages(people, 200) + _pages(rows, 200) + 2


def okta(people: int, sizes: Sequence[int], *, groups_page: int = 1000, members_page: int = 1000) -> int:
    """Okta counts members in its list of groups, so nothing is asked about an empty one. Everyone is listed besides."""
    members = sum(_pages(size, members_page) for size in sizes)
    return _pages(people, 200) + _pages(len(sizes) + 1, groups_page) + members


def okta_changes(changed: int, groups: int, touched: Sequence[int], deactivated: int) -> int:
    """Of a read of changes. `touched` are the sizes of the groups whose members changed. The System Log is asked once,
    and each user who was deactivated or came back."""
    members = sum(_pages(size, 1000) for size in touched)
    return _pages(changed, 200) + _pages(groups + 1, 1000) + 1 + deactivated + members


def google(people: int, sizes: Sequence[int], *, users_page: int = 500, members_page: int = 200) -> int:
    """Google counts members in its list of groups, so nothing is asked about an empty one."""
    members = sum(_pages(size, members_page) for size in sizes)
    return _pages(people, users_page) + _pages(len(sizes), members_page) + members


def onelogin(people: int, roles: int, *, page_size: int = 100, asks_what_is_left: bool = False) -> int:
    """Users bring their roles with them. What is left of the hour's calls is asked with `minimum_calls_left`."""
    return _pages(people, page_size) + _pages(roles, 650) + asks_what_is_left


def keycloak(
    people: int, sizes: Sequence[int], *, parents: int = 0, page_size: int = 600, member_page_size: int = 5000
) -> int:
    """Groups at the top, those below each of the `parents`, two counts, members of every group, and pages of people.

    The parents must not have more groups below them than fit in a page.
    """
    top, counts = _pages(len(sizes), member_page_size), 2
    members = sum(max(1, _pages(size, member_page_size)) for size in sizes)
    return top + parents + counts + members + _pages(people, page_size)


def ldap(people: int, groups: int) -> int:
    """Pages of people and of groups, the bind, the root DSE, what changed meanwhile (people, groups), and which server
    it was; of a server that gives lists of members whole."""
    return _pages(people, 1000) + _pages(groups, 1000) + 5


def _pages(rows: int, page: int) -> int:
    return -(-rows // page)
