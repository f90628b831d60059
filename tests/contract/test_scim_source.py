"""The `scim` source against a receiver's store that somebody provisions as the company changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import ledger
from connectors.contract import CheckFinding, Progress
from connectors.sources.scim import ScimSettings, ScimSource
from directory.errors import SourceUnreadable
from directory.snapshot import SourceSnapshot
from ledger.scim.writing import Actor, Writer
from sandbox.company import Company, Person, Standing
from service.scim import Limits
from service.scim.drafts import draft_of
from service.scim.shape import ENTERPRISE, Shape, shape_of
from tests.contract.person_contract import PersonContract
from tests.contract.source_contract import Sleeps, Stage


class Provisioned(ScimSource):
    """Pushes what the company is like now before each read, as an identity provider does all the time."""

    def __init__(self, settings: ScimSettings, book: ledger.Ledger, company: Company) -> None:
        super().__init__(settings)
        self.feed(book.scim)
        self.provisioner = Provisioner(book, company)

    async def read(self, progress: Progress | None = None) -> SourceSnapshot:
        self.provisioner.push()
        return await super().read(progress)

    async def check(self) -> list[CheckFinding]:
        self.provisioner.push()
        return await super().check()


class Provisioner:
    def __init__(self, book: ledger.Ledger, company: Company) -> None:
        self._book = book
        self._company = company
        self._ids: dict[str, str] = {}
        self.knot: dict[str, tuple[str, ...]] = {}
        """Further groups in groups."""

    def push(self) -> None:
        connector = self._book.scim.connectors.get("entra")
        shape = shape_of(connector, Limits())
        with self._book.scim.write() as transaction:
            writer = transaction.writer(connector.id, Actor("token", None, "request", "replace"))
            for person in self._company.people.values():
                self._keep(writer, shape, "User", person.id, as_user(person))
            groups = {
                each.id: {"displayName": each.name, "externalId": each.id} for each in self._company.groups.values()
            }
            for key, group in groups.items():
                self._keep(writer, shape, "Group", key, group)
            for key in groups:
                stored = writer.get("Group", self._ids[key])
                assert stored is not None
                wanted = {self._ids[each]: None for each in self._company.direct[key]}
                within = {self._ids[each.id]: None for each in self._company.groups.values() if each.parent == key}
                writer.change_members(
                    stored,
                    add={**wanted, **within, **{self._ids[each]: None for each in self.knot.get(key, ())}},
                    remove=None,
                )

    def _keep(self, writer: Writer, shape: Shape, kind: Any, key: str, raw: dict[str, Any]) -> None:
        with shape.provider:
            draft = draft_of(shape, kind, shape.models[kind].model_validate(raw))
        if key in self._ids:
            stored = writer.get(kind, self._ids[key])
            assert stored is not None
            writer.update(stored, draft)
        else:
            self._ids[key] = writer.insert(draft).id


def as_user(person: Person) -> dict[str, Any]:
    return {
        "userName": person.login,
        "externalId": person.id,
        "displayName": person.display_name,
        "name": {"givenName": person.first, "familyName": person.last},
        "active": person.standing not in {Standing.LEFT, Standing.SUSPENDED, Standing.STAGED},
        "emails": [{"value": "other@example.com"}, {"value": person.email, "type": "work", "primary": True}],
        ENTERPRISE: {"department": person.department, "employeeNumber": person.employee_number},
    }


class TestScimSource(PersonContract):
    nests = True
    people_in_a_large_company = 3_000

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    @contextmanager
    def staged(self, company: Company, sleeps: Sleeps) -> Iterator[Stage]:
        with ledger.open(ledger.default_url(self.folder)) as book:
            if not book.scim.connectors.all():
                book.scim.connectors.add("entra")
            settings = ScimSettings(connector="entra", identify_by="externalId")
            source = Provisioned(settings, book, company)

            def tie_a_knot() -> None:
                first, second = list(company.groups)[:2]
                source.provisioner.knot = {first: (second,), second: (first,)}

            yield Stage(source, company, external_id=lambda person: person.id, tie_a_knot=tie_a_knot)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[ledger.Ledger]:
    with ledger.open(ledger.default_url(tmp_path)) as opened:
        opened.scim.connectors.add("entra")
        yield opened


def source(book: ledger.Ledger, **settings: Any) -> ScimSource:
    made = ScimSource(ScimSettings(connector="entra", **settings))
    made.feed(book.scim)
    return made


def pushed(book: ledger.Ledger, *users: dict[str, Any], kind: Any = "User") -> list[str]:
    connector = book.scim.connectors.get("entra")
    shape = shape_of(connector, Limits())
    with book.scim.write() as transaction, shape.provider:
        writer = transaction.writer(connector.id, Actor("token", None, "request", "test"))
        drafts = [draft_of(shape, kind, shape.models[kind].model_validate(each)) for each in users]
        return [writer.insert(draft).id for draft in drafts]


async def test_a_person_is_known_by_the_receivers_own_id_and_bears_what_was_pushed(book: ledger.Ledger):
    user = {
        "userName": "jane",
        "externalId": "00u1",
        "name": {"givenName": "Jane", "familyName": "Doe"},
        "userType": "Employee",
        "roles": [{"value": "admin"}, {"value": "dev"}],
        "emails": [{"value": "home@x.example", "type": "home"}, {"value": "work@x.example", "type": "work"}],
        ENTERPRISE: {"department": "Tools", "manager": {"value": "m1"}},
    }
    (jane,) = pushed(book, user)

    snapshot = await source(book).read()

    assert snapshot.completeness.complete
    row = snapshot.people.row(0, named=True)
    assert {name: row[name] for name in ("external_id", "username", "email", "display_name", "active")} == {
        "external_id": jane,
        "username": "jane",
        "email": "work@x.example",
        "display_name": "Jane Doe",
        "active": True,
    }
    assert (row["scim_external_id"], row["user_type"], row["roles"]) == ("00u1", "Employee", ["admin", "dev"])
    assert (row["department"], row["manager"], row["title"]) == ("Tools", "m1", None)


async def test_nothing_pushed_yet_is_no_reason_to_remove_anybody(book: ledger.Ledger):
    snapshot = await source(book).read()

    assert snapshot.completeness.findings == ("connector entra: nothing was pushed yet",)


async def test_people_without_an_external_id_make_a_read_by_it_incomplete(book: ledger.Ledger):
    pushed(book, {"userName": "a", "externalId": "1"}, {"userName": "b"}, {"userName": "c", "externalId": "1"})

    snapshot = await source(book, identify_by="externalId").read()

    assert snapshot.people["external_id"].to_list() == ["1"]
    assert len(snapshot.completeness.findings) == 2


async def test_a_client_that_stays_away_makes_the_read_incomplete_where_it_is_expected(book: ledger.Ledger):
    pushed(book, {"userName": "a"})

    silent = await source(book, expect_contact_hours=2).read()
    shown = book.scim.connectors.authenticate("entra", book.scim.connectors.add_token("entra").secret)
    assert shown is not None
    book.scim.connectors.note_use(shown.token)
    heard = await source(book, expect_contact_hours=2).read()

    assert silent.completeness.findings == ("the identity provider came never, and is expected every 2 hours",)
    assert heard.completeness.complete
    assert heard.read_at <= datetime.now(UTC)


async def test_a_connector_that_is_not_there_is_no_empty_company(book: ledger.Ledger):
    book.scim.connectors.revoke("entra")

    with pytest.raises(SourceUnreadable, match="there is no such connector"):
        await source(book).read()
    assert [finding.level for finding in await source(book).check()] == ["problem"]
