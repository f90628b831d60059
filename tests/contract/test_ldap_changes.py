"""Incremental reads of OpenLDAP: what is told after a change equals a full read, deletions apart."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from connectors.contract import IncrementalSource, Reading
from connectors.sources.ldap import LdapSource
from sandbox.population import company as found_company
from tests.company_ldif import change, openldap, person_dn
from tests.company_on_slapd import CompanyOnSlapd
from tests.contract.equal_readings import assert_equal
from tests.contract.ldap_stage import (
    ANN,
    BOB,
    aged,
    missing_here,
    person,
    settings_for,
    small_tree,
    told,
    whole_and_told,
)
from tests.slapd import PASSWORD, SUFFIX, Slapd, slapd

PEOPLE = f"ou=people,{SUFFIX}"


@pytest.fixture(autouse=True)
def _what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    reason = missing_here()
    if reason:
        pytest.skip(reason)
    monkeypatch.setenv("LDAP_PASSWORD", PASSWORD)


@contextmanager
def small(*more: str, **given: Any) -> Iterator[tuple[Slapd, LdapSource]]:
    with slapd(small_tree(*more)) as server:
        yield server, LdapSource(settings_for(server, **given), waits=())


def renamed(dn: str, first: str, *, to: str | None = None) -> str:
    moved = f"newsuperior: {to}\n" if to else ""
    return f"dn: {dn}\nchangetype: modrdn\nnewrdn: {first}\ndeleteoldrdn: 1\n{moved}\n"


def added(record: str) -> str:
    first, rest = record.split("\n", 1)
    return f"{first}\nchangetype: add\n{rest}"


def names_in(reading: Reading, group: str) -> set[str]:
    snapshot = reading.snapshot
    groups = snapshot.groups.filter(pl.col("name") == group)
    rows = snapshot.memberships.join(groups, on="group_id")
    return set(rows.join(snapshot.people, left_on="member_id", right_on="external_id")["uid"])


async def test_it_is_a_source_that_reports_changes_in_six_round_trips():
    with small() as (_, source):
        assert isinstance(source, IncrementalSource)
        assert "deleted" in source.blind_to[0]
        first = await source.read_all()
        again = await whole_and_told(source, first)
        assert again.snapshot.requests == 6


async def test_a_change_of_a_person_or_of_members_is_told():
    with small() as (server, source):
        first = await source.read_all()
        server.apply(change(ANN, "mail", ["a@example.org"]) + change(f"cn=devs,ou=groups,{SUFFIX}", "member", [ANN]))
        second = await whole_and_told(source, first)
        assert names_in(first, "devs") == {"ann", "bob"}
        assert names_in(second, "devs") == {"ann"}


async def test_who_is_renamed_leaves_the_groups_that_hold_the_old_name_and_comes_back_with_it():
    """The groups' entries do not change at all."""
    with small() as (server, source):
        first = await source.read_all()
        server.apply(renamed(ANN, "uid=anna"))
        second = await whole_and_told(source, first)
        assert names_in(second, "devs") == {"bob"}
        server.apply(renamed(f"uid=anna,{PEOPLE}", "uid=ann"))
        third = await whole_and_told(source, second)
        assert names_in(third, "devs") == {"ann", "bob"}
        assert set(third.snapshot.people["external_id"]) == set(first.snapshot.people["external_id"])


async def test_a_newcomer_is_in_the_groups_that_hold_the_name_already():
    with small() as (server, source):
        first = await source.read_all()
        server.apply(renamed(ANN, "uid=anna") + added(person(ANN)))
        second = await whole_and_told(source, first)
        assert names_in(second, "devs") == {"ann", "bob"}
        assert second.snapshot.people.height == 3


async def test_whoever_had_a_name_that_somebody_else_has_now_is_gone():
    with small() as (server, source):
        first = await source.read_all()
        server.apply(f"dn: {ANN}\nchangetype: delete\n\n" + added(person(ANN)))
        second = await whole_and_told(source, first)
        assert second.snapshot.people.height == 2


async def test_a_group_that_is_renamed_is_in_no_group_that_holds_its_old_name():
    with small() as (server, source):
        first = await source.read_all()
        server.apply(renamed(f"cn=devs,ou=groups,{SUFFIX}", "cn=makers"))
        second = await whole_and_told(source, first)
        assert second.snapshot.memberships["member_is_group"].sum() == 0


async def test_who_matches_the_filter_no_more_is_gone_and_may_come_back():
    with small(people_filter="(&(objectClass=inetOrgPerson)(!(title=gone)))") as (server, source):
        first = await source.read_all()
        server.apply(change(ANN, "title", ["gone"]))
        second = await whole_and_told(source, first)
        assert set(second.snapshot.people["uid"]) == {"bob"}
        server.apply(change(ANN, "title", []))
        third = await whole_and_told(source, second)
        assert names_in(third, "devs") == {"ann", "bob"}


async def test_who_moves_out_of_the_people_base_is_gone():
    with small(people_base=PEOPLE) as (server, source):
        first = await source.read_all()
        server.apply(renamed(ANN, "uid=ann", to=f"ou=elsewhere,{SUFFIX}"))
        second = await whole_and_told(source, first)
        assert set(second.snapshot.people["uid"]) == {"bob"}


async def test_a_unit_that_is_renamed_with_people_below_it_leads_to_a_full_read():
    with small() as (server, source):
        first = await source.read_all()
        server.apply(renamed(PEOPLE, "ou=staff"))
        assert await source.read_changes(first) is None
        assert (await source.read_all()).snapshot.people["dn"].str.contains("ou=staff").all()


async def test_members_by_uid_and_by_number_are_told():
    posix = {"uidNumber": "7", "gidNumber": "20", "homeDirectory": "/"}
    more = (
        person(f"uid=cy,{PEOPLE}", "posixAccount", **posix),
        f"dn: cn=wheel,ou=groups,{SUFFIX}\nobjectClass: posixGroup\ncn: wheel\ngidNumber: 10\nmemberUid: cy\n\n",
        f"dn: cn=staff,ou=groups,{SUFFIX}\nobjectClass: posixGroup\ncn: staff\ngidNumber: 20\nmemberUid: dee\n\n",
    )
    with small(*more) as (server, source):
        last = await source.read_all()
        assert names_in(last, "wheel") == names_in(last, "staff") == {"cy"}
        for record in (
            change(f"uid=cy,{PEOPLE}", "gidNumber", ["10"]),
            renamed(f"uid=cy,{PEOPLE}", "uid=dee"),
            change(f"cn=wheel,ou=groups,{SUFFIX}", "gidNumber", ["30"]),
            change(f"uid=dee,{PEOPLE}", "gidNumber", ["20"]),
        ):
            server.apply(record)
            last = await whole_and_told(source, last)
        assert names_in(last, "staff") == {"dee"}
        assert names_in(last, "wheel") == set()


async def test_a_deleted_person_is_found_by_the_full_read_alone():
    with small() as (server, source):
        first = await source.read_all()
        server.apply(f"dn: {BOB}\nchangetype: delete\n\n")
        assert (await told(source, first)).snapshot.people.height == 2
        assert (await source.read_all()).snapshot.people.height == 1


async def test_a_group_beyond_the_filter_that_comes_into_one_that_is_read_leads_to_a_full_read():
    with small(groups_filter="(cn=none)") as (server, source):
        first = await source.read_all()
        assert first.watermark is not None
        none = f"cn=none,ou=groups,{SUFFIX}"
        server.apply(change(none, "member", [ANN, f"uid=stranger,{SUFFIX}"]))
        second = await whole_and_told(source, first)
        server.apply(change(none, "member", [f"cn=all,ou=groups,{SUFFIX}"]))
        assert await source.read_changes(second) is None
        third = await source.read_all()
        assert set(third.snapshot.groups["name"]) == {"none", "all", "devs"}
        assert third.watermark is None


async def test_a_watermark_of_other_settings_or_of_another_server_is_not_used():
    with small() as (server, source):
        first = await source.read_all()
        other = LdapSource(settings_for(server, email="cn"), waits=())
        assert await other.read_changes(first) is None
        assert await source.read_changes(Reading(first.snapshot, None)) is None
        assert await source.read_changes(Reading(first.snapshot, "{}")) is None
        same = LdapSource(settings_for(server, page_size=7), waits=())
        assert await same.read_changes(first) is not None
    with small() as (_, source):
        assert await source.read_changes(first) is None


async def test_without_incremental_reads_there_is_no_watermark():
    with small(incremental="off") as (_, source):
        first = await source.read_all()
        assert first.watermark is None
        assert source.blind_to == ()
        assert await source.read_changes(first) is None


async def test_an_incomplete_reading_has_no_watermark():
    with small(external_id="employeeNumber") as (_, source):
        reading = await source.read_all()
        assert not reading.snapshot.completeness.complete
        assert reading.watermark is None


class Histories(RuleBasedStateMachine):
    """Anything may happen to the company between two readings, and now and then the changes are read."""

    def __init__(self) -> None:
        super().__init__()
        self.firm = found_company(people=30, groups=12)
        self.loop = asyncio.new_event_loop()
        self.held = slapd(aged(openldap(self.firm)))
        self.directory = CompanyOnSlapd(self.firm, self.held.__enter__())
        self.source = LdapSource(settings_for(self.directory.server, page_size=7), waits=())
        self.last = self.loop.run_until_complete(self.source.read_all())
        self.has_deleted = False

    def teardown(self) -> None:
        try:
            self.changes_are_read()
        finally:
            self.held.__exit__(None, None, None)
            self.loop.close()

    def person(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.firm.people)))

    def group(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.firm.groups)))

    @rule(count=st.integers(1, 3))
    def hire(self, count: int) -> None:
        self.firm.hire(count)

    @rule(data=st.data(), deed=st.sampled_from(["leave", "return_", "rename", "move"]))
    @precondition(lambda self: self.firm.people)
    def happens_to_somebody(self, data: st.DataObject, deed: str) -> None:
        getattr(self.firm, deed)(self.person(data))

    @rule(data=st.data())
    @precondition(lambda self: self.firm.people)
    def vanishes(self, data: st.DataObject) -> None:
        self.firm.erase(self.person(data))
        self.has_deleted = True

    @rule(data=st.data())
    @precondition(lambda self: self.firm.people and self.firm.groups)
    def joins(self, data: st.DataObject) -> None:
        self.firm.join(self.person(data), self.group(data))

    @rule(data=st.data())
    @precondition(lambda self: any(self.firm.direct.values()))
    def quits(self, data: st.DataObject) -> None:
        group = data.draw(st.sampled_from(sorted(key for key, people in self.firm.direct.items() if people)))
        self.firm.quit(data.draw(st.sampled_from(sorted(self.firm.direct[group]))), group)

    @rule(data=st.data())
    @precondition(lambda self: self.firm.people)
    def is_renamed_and_nobody_mends_the_groups(self, data: st.DataObject) -> None:
        key = self.person(data)
        self.directory.old_names.setdefault(key, person_dn(self.firm.people[key]))
        self.firm.rename(key)

    @rule()
    def the_groups_are_mended(self) -> None:
        self.directory.old_names.clear()

    @rule(data=st.data(), deed=st.sampled_from(["rename", "empty", "close"]))
    @precondition(lambda self: len(self.firm.groups) > 6)
    def happens_to_a_group(self, data: st.DataObject, deed: str) -> None:
        group = self.group(data)
        if deed == "rename":
            self.firm.rename_group(group, f"renamed, {self.firm.version}")
        elif deed == "empty":
            self.firm.empty_group(group)
        elif self.firm.groups[group].parent is not None:
            self.firm.close_group(group)
            self.has_deleted = True

    @rule(data=st.data())
    @precondition(lambda self: len(self.firm.groups) > 1)
    def nests_or_frees_a_group(self, data: st.DataObject) -> None:
        self.directory.inside ^= {(self.group(data), self.group(data))}

    @rule()
    def changes_are_read(self) -> None:
        self.directory.catch_up()
        found = self.loop.run_until_complete(self.source.read_changes(self.last))
        assert found is not None
        whole = self.loop.run_until_complete(self.source.read_all())
        if not self.has_deleted:
            assert_equal(found.snapshot, whole.snapshot)
            self.last = found
            return
        self.assert_only_more(found, whole)
        self.last, self.has_deleted = whole, False

    def assert_only_more(self, found: Reading, whole: Reading) -> None:
        """Nothing is missing, and what is too much speaks of ids that are gone."""
        gone = set(found.snapshot.people["external_id"]) - set(whole.snapshot.people["external_id"])
        gone |= set(found.snapshot.groups["group_id"]) - set(whole.snapshot.groups["group_id"])
        for name, keys in (
            ("people", ["external_id"]),
            ("groups", ["group_id"]),
            ("memberships", ["group_id", "member_id"]),
        ):
            mine: pl.DataFrame = getattr(found.snapshot, name)
            here = mine.filter(~pl.any_horizontal(pl.col(keys).is_in(sorted(gone))))
            assert here.equals(getattr(whole.snapshot, name)), name


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=30, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)
