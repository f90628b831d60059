"""The LDAP source against a real OpenLDAP server that holds the invented company."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from connectors.contract import CheckFinding, Progress, Reading
from connectors.sources.ldap import LdapSettings, LdapSource
from sandbox.company import Company, Person
from sandbox.population import company as found_company
from tests import request_formulas
from tests.company_ldif import entry_uuid, locked, openldap
from tests.company_on_slapd import CompanyOnSlapd
from tests.contract.ldap_stage import aged, missing_here, settings_for
from tests.contract.person_contract import PersonContract, assert_one
from tests.contract.source_contract import Sleeps, Stage
from tests.slapd import PASSWORD, slapd


@pytest.fixture(autouse=True)
def _what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    reason = missing_here()
    if reason:
        pytest.skip(reason)
    monkeypatch.setenv("LDAP_PASSWORD", PASSWORD)


class CaughtUpFirst(LdapSource):
    """What happened to the company is done in the directory before each read."""

    def __init__(self, settings: LdapSettings, directory: CompanyOnSlapd, sleeps: Sleeps) -> None:
        super().__init__(settings, sleep=sleeps)
        self._directory = directory

    async def read_all(self, progress: Progress | None = None) -> Reading:
        self._directory.catch_up()
        return await super().read_all(progress)

    async def check(self) -> list[CheckFinding]:
        self._directory.catch_up()
        return await super().check()


class TestOpenLdap(PersonContract):
    nests = True

    def is_active(self, person: Person) -> bool:
        return not locked(person)

    @contextmanager
    def staged(self, company: Company, sleeps: Sleeps) -> Iterator[Stage]:
        with slapd(openldap(company), tls=True) as server:
            directory = CompanyOnSlapd(company, server)

            def tie_a_knot() -> None:
                first, second = list(company.groups)[:2]
                directory.inside |= {(first, second), (second, first)}

            yield Stage(
                CaughtUpFirst(settings_for(server, page_size=100), directory, sleeps),
                company,
                external_id=lambda person: entry_uuid(person.id),
                secrets=(os.environ["LDAP_PASSWORD"],),
                tie_a_knot=tie_a_knot,
            )


@pytest.mark.parametrize(("people", "groups"), [(400, 24), (10_000, 120)], ids=["400", "10000"])
async def test_round_trips_are_pages_and_five_more(people: int, groups: int):
    company = found_company(people=people, groups=groups)
    with slapd(aged(openldap(company))) as server:
        snapshot = await LdapSource(settings_for(server)).read()
    assert snapshot.completeness.complete
    assert snapshot.people.height == people
    assert snapshot.requests == request_formulas.ldap(people, groups)


async def test_one_person_is_in_the_groups_of_the_settings_and_in_those_within_them() -> None:
    company = found_company(people=120, groups=24)
    inner = next(group for group in company.groups.values() if group.parent is not None)
    outer = company.groups[str(inner.parent)]
    person = next(one for one in company.employed() if inner.id in company.memberships[one.id])
    with slapd(aged(openldap(company))) as server:
        source = LdapSource(settings_for(server, groups_filter=f"(cn={outer.name})"))
        whole = await source.read()
        assert_one(await source.read_person(entry_uuid(person.id), by_id=True), whole, entry_uuid(person.id))
        found = await source.find_groups([group.name for group in company.groups.values()])
    assert {inner.name, outer.name} <= set(whole.groups["name"]) < {group.name for group in company.groups.values()}
    assert found.groups.equals(whole.groups)
