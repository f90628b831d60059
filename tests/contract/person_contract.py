"""What a source must do that can be asked for one person; a test inherits this beside the contract of every source."""

from __future__ import annotations

from typing import ClassVar

import polars as pl
import pytest

from connectors.contract import PersonSource
from directory.errors import UsersyncError
from directory.snapshot import SourceSnapshot
from reconcile.person import with_columns_of
from sandbox.company import Company, Person, Standing
from sandbox.faults import Fault, FaultKind
from tests.contract.source_contract import HttpSourceContract, Sleeps, SourceContract, Stage
from tests.one_person import read_alone

__all__ = ["HttpPersonContract", "PersonContract", "assert_one", "person_source"]


def person_source(stage: Stage) -> PersonSource:
    assert isinstance(stage.source, PersonSource)
    return stage.source


def assert_one(alone: SourceSnapshot, whole: SourceSnapshot, external_id: str) -> None:
    """What a source says of one person is what it says of them in a full read, row by row."""
    expected = read_alone(whole, external_id)
    assert alone.completeness.findings == ()
    # Some vendors show an attribute only where somebody has it.
    people = with_columns_of(alone, whole.people.schema).people.select(whole.people.columns)
    assert people.schema == whole.people.schema
    assert people.equals(expected.people), (people, expected.people)
    assert alone.groups.sort("group_id").equals(expected.groups.sort("group_id")), (alone.groups, expected.groups)
    columns = ["group_id", "member_id"]
    assert alone.memberships.sort(columns).equals(expected.memberships.sort(columns))


class PersonContract(SourceContract):
    names_of_who_left: ClassVar[bool] = True
    """Whether the vendor finds by name who is not active."""

    def unknown_id(self, stage: Stage) -> str:
        """An id that the vendor never gave."""
        return "00000000-0000-4000-8000-00000000dead"

    def one_of_each(self, stage: Stage) -> list[Person]:
        """Somebody of every standing that the vendor lists, and who of them is in most groups."""
        found: dict[Standing, Person] = {}
        for person in stage.company.people.values():
            if self.person_appears(person):
                found.setdefault(person.standing, person)
        busy = max(stage.company.employed(), key=lambda one: len(stage.company.effective_groups(one.id)))
        return list({person.id: person for person in (*found.values(), busy)}.values())

    async def test_one_person_is_read_as_a_full_read_shows_them(self, firm: Company, sleeps: Sleeps) -> None:
        leaver, suspended = firm.pick(2)
        firm.leave(leaver.id)
        firm.set_standing(suspended.id, Standing.SUSPENDED)
        with self.staged(firm, sleeps) as stage:
            source = person_source(stage)
            whole = await source.read()
            for person in self.one_of_each(stage):
                external_id = stage.external_id(person)
                row = whole.people.row(by_predicate=pl.col("external_id") == external_id, named=True)
                assert_one(await source.read_person(external_id, by_id=True), whole, external_id)
                assert_one(await source.read_person(external_id), whole, external_id)
                if self.names_of_who_left or self.is_active(person):
                    for name in {row["username"], row["email"]} - {None}:
                        assert_one(await source.read_person(name), whole, external_id)
            await source.close()

    async def test_that_there_is_nobody_of_a_name_is_proved(self, firm: Company, sleeps: Sleeps) -> None:
        with self.staged(firm, sleeps) as stage:
            source = person_source(stage)
            for found in (
                await source.read_person(self.unknown_id(stage), by_id=True),
                await source.read_person("nobody-at-all"),
                await source.read_person("nobody.at.all@example.com"),
                await source.read_person('"quoted" (one)*\\ & %41/../'),
            ):
                self.assert_well_formed(found)
                assert found.completeness.findings == ()
                assert found.people.height == found.groups.height == found.memberships.height == 0
            await source.close()

    async def test_groups_are_found_by_name_and_no_others(self, firm: Company, sleeps: Sleeps) -> None:
        firm.rename_group(next(iter(firm.groups)), 'Équipe "✓" (ü), \\ 開発*')
        with self.staged(firm, sleeps) as stage:
            source = person_source(stage)
            whole = await source.read()
            some = whole.groups.filter(
                pl.col("name").is_in(whole.groups["name"].sort().gather_every(5).implode())
                | pl.col("name").str.contains("✓", literal=True)
            )
            found = await source.find_groups([*some["name"], "no such group", "no*", '"quoted" (one)*\\'])
            await source.close()
        assert found.completeness.findings == ()
        assert found.groups.sort("group_id").equals(some.sort("group_id"))
        assert found.people.height == found.memberships.height == 0


class HttpPersonContract(PersonContract, HttpSourceContract):
    @pytest.mark.parametrize(
        ("kind", "status"),
        [(FaultKind.STATUS, 500), (FaultKind.STATUS, 403), (FaultKind.TRUNCATED, 200), (FaultKind.DROP, 0)],
        ids=["500", "403", "truncated", "dropped"],
    )
    async def test_what_fails_is_never_the_proof_that_there_is_nobody(
        self, firm: Company, sleeps: Sleeps, kind: FaultKind, status: int
    ) -> None:
        person = firm.employed()[0]
        for healthy in range(4):
            with self.staged(firm, sleeps) as stage:
                source = person_source(stage)
                external_id = stage.external_id(person)
                whole = await source.read_person(external_id, by_id=True)
                stage.faults.add(Fault(kind, ".*", status=status, skip=healthy, times=10_000))
                try:
                    found = await source.read_person(external_id, by_id=True)
                except UsersyncError:
                    continue
                finally:
                    await source.close()
                if found.completeness.complete:
                    assert_one(found, whole, external_id)
