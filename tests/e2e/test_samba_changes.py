"""Incremental reads of a real domain controller: delta after delta equals a full read, whatever happened in between."""

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from connectors.contract import IncrementalSource, Reading
from connectors.sources.ldap import LdapSource
from tests.contract.equal_readings import assert_equal
from tests.e2e.samba_company import PASSWORD_VARIABLE, SambaCompany
from tests.e2e.samba_unit import Unit
from tests.samba import AUDITOR, READER, REPLICATOR

pytestmark = pytest.mark.xdist_group("samba")

WAYS = ("dirsync", "usn-changed")


@pytest.fixture(autouse=True)
def secret(samba_server: SambaCompany) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PASSWORD_VARIABLE, samba_server.server.password)
        yield


@pytest.fixture
def unit(samba_server: SambaCompany) -> Unit:
    """Six people and three groups, one of them within another."""
    made = Unit(samba_server.server)
    people, groups = made.hire(6), made.found(3)
    for at, person in enumerate(people):
        made.join_or_quit(groups[at % 2], person)
    made.join_or_quit(groups[0], groups[1])
    return made


@pytest.fixture(params=WAYS)
def source(request: pytest.FixtureRequest, samba_server: SambaCompany, unit: Unit) -> LdapSource:
    return samba_server.source(base=unit.base, incremental=request.param)


async def changes(source: LdapSource, last: Reading) -> Reading:
    found = await source.read_changes(last)
    assert found is not None
    assert_equal(found.snapshot, await source.read())
    return found


async def test_where_nothing_changed_four_round_trips_say_so(source: LdapSource):
    assert isinstance(source, IncrementalSource)
    first = await source.read_all()
    again = await changes(source, first)
    assert_equal(again.snapshot, first.snapshot)
    assert again.snapshot.requests == 4


async def test_a_leaver_who_is_deleted_is_gone_with_every_membership(source: LdapSource, unit: Unit):
    first = await source.read_all()
    leaver, group = next(iter(unit.people)), next(iter(unit.groups))
    unit.delete(leaver)
    unit.delete(group)
    second = await changes(source, first)
    assert second.snapshot.people.height == first.snapshot.people.height - 1
    assert second.snapshot.groups.height == first.snapshot.groups.height - 1


async def test_who_moves_out_of_sight_is_gone_and_back_again_with_every_membership(source: LdapSource, unit: Unit):
    first = await source.read_all()
    person, group = next(iter(unit.people)), next(iter(unit.groups))
    unit.move(person, unit.elsewhere)
    unit.move(group, unit.elsewhere)
    second = await changes(source, first)
    assert second.snapshot.people.height == first.snapshot.people.height - 1
    unit.move(person, unit.homes[1])
    unit.move(group, unit.homes[0])
    third = await changes(source, second)
    assert third.snapshot.memberships.equals(first.snapshot.memberships)


async def test_who_matches_the_filter_no_more_is_gone(samba_server: SambaCompany, unit: Unit):
    filter_ = "(&(objectClass=user)(description=in))"
    people = list(unit.people)
    for person in people:
        unit.set(person, "description", "in")
    for way in WAYS:
        source = samba_server.source(base=unit.base, incremental=way, people_filter=filter_)
        first = await source.read_all()
        unit.set(people[0], "description", "out")
        second = await changes(source, first)
        assert second.snapshot.people.height == first.snapshot.people.height - 1
        unit.set(people[0], "description", "in")
        assert_equal((await changes(source, second)).snapshot, first.snapshot)


async def test_people_whose_unit_is_renamed_are_read_in_full(source: LdapSource, unit: Unit):
    first = await source.read_all()
    unit.rename_home()
    assert await source.read_changes(first) is None
    second = await source.read_all()
    unit.move(next(iter(unit.people)), unit.homes[0])
    await changes(source, second)


async def test_a_unit_that_is_made_and_filled_needs_no_full_read(source: LdapSource, unit: Unit):
    first = await source.read_all()
    unit.homes.insert(1, f"OU=West,{unit.base}")
    unit.server.apply(f"dn: {unit.homes[1]}\nchangetype: add\nobjectClass: organizationalUnit\n\n")
    unit.move(next(iter(unit.people)), unit.homes[1])
    await changes(source, first)


@pytest.mark.parametrize("change", ["another controller", "restored", "older", "foreign cookie", "other settings"])
async def test_a_watermark_that_is_not_of_this_server_is_no_watermark(
    samba_server: SambaCompany, unit: Unit, change: str
):
    source = samba_server.source(base=unit.base)
    first = await source.read_all()
    assert first.watermark is not None
    mark = json.loads(first.watermark)
    if change == "another controller":
        mark["identity"] = mark["identity"].replace("CN=DC1", "CN=DC2")
    elif change == "restored":
        mark["identity"] = mark["identity"][:-12] + "0" * 12
    elif change == "older":
        mark["mark"]["usn"] += 1_000_000
    elif change == "foreign cookie":
        mark["mark"]["cookie"] = "AAAA"
    else:
        source = samba_server.source(base=unit.base, primary_groups=False)
    assert await source.read_changes(Reading(first.snapshot, json.dumps(mark))) is None


@pytest.mark.parametrize("account", [READER, REPLICATOR])
async def test_an_account_that_does_not_see_who_is_deleted_reads_in_full(
    samba_server: SambaCompany, unit: Unit, account: str
):
    # Samba, unlike Active Directory, hides deleted objects from the right Replicating Directory Changes as well.
    for way in ("auto", *WAYS):
        reading = await samba_server.source(account, base=unit.base, incremental=way).read_all()
        assert reading.snapshot.completeness.complete
        assert reading.watermark is None


@pytest.mark.parametrize("account", [AUDITOR, "Administrator"])
async def test_an_account_that_does_learns_of_changes(samba_server: SambaCompany, unit: Unit, account: str):
    source = samba_server.source(account, base=unit.base)
    first = await source.read_all()
    unit.delete(next(iter(unit.people)))
    await changes(source, first)


@pytest.mark.parametrize(
    "given_settings",
    [
        {"attributes": ["memberOf"]},
        {"attributes": ["manager"]},
        {"attributes": ["lastLogon"]},
        {"people_filter": "(&(objectClass=user)(!(memberOf=CN=Staff,DC=corp,DC=example,DC=org)))"},
        {"external_id": "objectSid"},
    ],
    ids=["the other end of a link", "a name", "one server's own", "a filter by membership", "no objectGUID"],
)
async def test_what_is_not_reported_cannot_be_learned(
    samba_server: SambaCompany, unit: Unit, given_settings: dict[str, Any]
):
    source = samba_server.source(base=unit.base, **given_settings)
    reading = await source.read_all()
    assert reading.snapshot.completeness.complete
    assert reading.watermark is None
    notes = [finding.what for finding in await source.check() if finding.level == "note"]
    assert any("every read is a full one" in note for note in notes)


EXPIRIES = ("0", "133000000000000000", "233000000000000000")
"""Never, in 2022, and in 2339: hundreds of nanoseconds since 1601."""
DEEDS: dict[str, Callable[["Chance"], object]] = {
    "hire": lambda of: of.unit.join_or_quit(of.group(), of.unit.hire()[0]),
    "found": lambda of: of.unit.join_or_quit(of.group(), of.unit.found()[0]),
    "join or quit": lambda of: of.unit.join_or_quit(*of.group_and_another()),
    "rename": lambda of: of.unit.rename(of.anything()),
    "move": lambda of: of.unit.move(*of.thing_and_home()),
    "disable": lambda of: of.unit.disable(of.person(), disabled=True),
    "enable": lambda of: of.unit.disable(of.person(), disabled=False),
    "delete": lambda of: of.unit.delete(of.anything()),
    "primary": lambda of: of.unit.make_primary(of.person(), of.group()),
    "expire": lambda of: of.unit.set(of.person(), "accountExpires", of.one_of(EXPIRIES)),
    "touch": lambda of: of.unit.set(of.person(), "title", of.one_of("abc")),
}


DAYS = st.lists(st.sampled_from(sorted(DEEDS)), min_size=1, max_size=4)


@dataclass
class Chance:
    unit: Unit
    data: st.DataObject

    def one_of(self, things: Iterable[str]) -> str:
        return self.data.draw(st.sampled_from(list(things)))

    def person(self) -> str:
        return self.one_of(self.unit.people)

    def group(self) -> str:
        return self.one_of(self.unit.groups)

    def anything(self) -> str:
        return self.one_of([*self.unit.people, *self.unit.groups])

    def group_and_another(self) -> tuple[str, str]:
        group = self.group()
        return group, self.one_of(name for name in [*self.unit.people, *self.unit.groups] if name != group)

    def thing_and_home(self) -> tuple[str, str]:
        thing = self.anything()
        return thing, self.one_of(home for home in self.unit.homes if not self.unit.dn(thing).endswith(home))


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(data=st.data(), days=st.lists(DAYS, min_size=2, max_size=4))
def test_delta_after_delta_equals_a_full_read(samba_server: SambaCompany, data: st.DataObject, days: list[list[str]]):
    unit = Unit(samba_server.server)
    people, groups = unit.hire(6), unit.found(4)
    for at, person in enumerate(people):
        unit.join_or_quit(groups[at % 3], person)
    unit.join_or_quit(groups[0], groups[1])

    async def history() -> None:
        sources = [samba_server.source(base=unit.base, incremental=way) for way in WAYS]
        readings = [await source.read_all() for source in sources]
        for deeds in days:
            for deed in deeds:
                if len(unit.people) > 1 and len(unit.groups) > 1:
                    DEEDS[deed](Chance(unit, data))
            whole = await sources[0].read()
            found = [await source.read_changes(last) for source, last in zip(sources, readings, strict=True)]
            readings = [reading for reading in found if reading is not None]
            assert len(readings) == len(found)
            for reading in readings:
                assert reading.watermark is not None
                assert_equal(reading.snapshot, whole)

    asyncio.run(history())
