"""Long lists of members that come in ranges, by the documented behaviour of Active Directory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from connectors.sources.ldap import LdapSettings, LdapSource
from connectors.sources.ldap.server import Server
from directory.errors import SourceUnreadable
from directory.snapshot import SourceSnapshot
from tests.contract.ranged_directory import BASE, RangedDirectory

SETTINGS = LdapSettings.model_validate(
    {"product": "active-directory", "url": "ldaps://dc1.corp.example", "base": BASE, "incremental": "off"}
)


def directory(people: int, sizes: Sequence[int]) -> tuple[RangedDirectory, LdapSource]:
    made = RangedDirectory(SETTINGS, people, sizes)
    return made, LdapSource(SETTINGS, waits=(), connect=lambda settings: Server(settings, lambda _: made))


def sizes_of(snapshot: SourceSnapshot) -> dict[str, int]:
    """How many members each group has, by name."""
    names = dict(snapshot.groups.select("group_id", "name").iter_rows())
    return dict(Counter(names[group] for group in snapshot.memberships["group_id"]))


async def test_every_range_is_asked_for_and_put_together():
    sizes = [0, 1, 1499, 1500, 1501, 3000, 3001, 5000]
    _, source = directory(5000, sizes)
    snapshot = await source.read()
    assert snapshot.completeness.complete
    assert sizes_of(snapshot) == {f"g{number}": size for number, size in enumerate(sizes) if size}


async def test_a_hundred_thousand_people_and_five_thousand_groups_take_170_round_trips():
    """4,980 groups of up to 200 people and 20 of 5,000: as many as the people and the groups have pages, and 60 ranges.

    Bind, root DSE, and what changed meanwhile are five more.
    """
    made, source = directory(100_000, [5000] * 20 + [number % 201 for number in range(4980)])
    snapshot = await source.read()
    assert snapshot.people.height == 100_000
    assert snapshot.requests == 1 + made.searches
    assert snapshot.requests == 100 + 5 + 60 + 4


async def test_a_group_that_changes_between_two_ranges_is_read_again():
    made, source = directory(4000, [4000])
    (dn,) = made.groups
    changes = iter([True, False, False, False, False])

    def leave(_dn: str) -> None:
        if next(changes):
            made.groups[dn] = made.groups[dn][1:]
            made.versions[dn] += 1

    made.at_range = leave
    snapshot = await source.read()
    assert snapshot.completeness.complete
    assert sizes_of(snapshot) == {"g0": 3999}


async def test_a_group_that_changes_all_the_while_is_a_finding():
    made, source = directory(4000, [4000])
    (dn,) = made.groups

    def change(_dn: str) -> None:
        made.versions[dn] += 1

    made.at_range = change
    snapshot = await source.read()
    assert [finding for finding in snapshot.completeness.findings if "changed each time" in finding]


async def test_a_group_that_vanishes_between_two_ranges_is_a_finding():
    made, source = directory(2000, [2000, 3])
    first = next(iter(made.groups))
    made.at_range = lambda dn: made.groups.pop(dn, None)
    snapshot = await source.read()
    assert snapshot.completeness.findings == (f"the group {first} was deleted while it was read",)
    assert sizes_of(snapshot) == {"g1": 3}


async def test_a_server_that_gives_no_further_range_is_not_believed(monkeypatch: pytest.MonkeyPatch):
    made, source = directory(2000, [2000])
    monkeypatch.setattr(made, "_members", lambda *_arguments, asked: {} if asked else {"member;range=0-1499": []})
    with pytest.raises(SourceUnreadable, match="no further members"):
        await source.read()
