"""What was pushed, as the ledger keeps it: names, versions, members, and who is touched by what."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

import ledger
from directory.errors import ConfigurationError, UnknownRecord
from ledger.scim import predicates as sql
from ledger.scim.reading import Keyset, Order, Stored
from ledger.scim.writing import Actor, Draft, NameTaken, UnknownMembers, Writer

ACTOR = Actor("token", "192.0.2.7", "request", "replace")


def user(name: str, **emails: str) -> Draft:
    keys = "{}" if not emails else f'{{"title": "{emails["title"]}"}}'
    return Draft(
        "User", name, f"x-{name}", f'{{"userName":"{name}"}}', keys, {"emails.value": frozenset({f"{name}@x"})}
    )


def group(name: str) -> Draft:
    return Draft("Group", name, None, f'{{"displayName":"{name}"}}', "{}")


@pytest.fixture
def connector(book: ledger.Ledger) -> str:
    return book.scim.connectors.add("entra").id


def stored(writer: Writer, kind: str, resource_id: str) -> Stored:
    found = writer.get("User" if kind == "User" else "Group", resource_id)
    assert found is not None
    return found


def test_a_name_is_taken_once_in_a_connector_and_free_when_its_holder_is_gone(book: ledger.Ledger, connector: str):
    other = book.scim.connectors.add("okta").id
    with book.scim.write() as transaction:
        writer = transaction.writer(connector, ACTOR)
        jane = writer.insert(user("jane"))
        joe = writer.insert(user("joe"))
        transaction.writer(other, ACTOR).insert(user("jane"))
        writer.insert(group("jane"))
        with pytest.raises(NameTaken), transaction.part():
            writer.insert(user("jane"))
        with pytest.raises(NameTaken), transaction.part():
            writer.update(joe, user("jane"))
        writer.delete(jane)
        assert writer.update(joe, user("jane")).version == 2
        assert (writer.count(["User"]), writer.count(["User", "Group"])) == (1, 2)
        assert transaction.reader(other).get("User", joe.id) is None


def test_a_version_follows_each_change_and_nothing_else(book: ledger.Ledger, connector: str):
    with book.scim.write() as transaction:
        writer = transaction.writer(connector, ACTOR)
        jane, devs = writer.insert(user("jane")), writer.insert(group("devs"))
        assert writer.update(jane, user("jane")) == jane
        devs = writer.change_members(devs, add={jane.id: "Jane"}, remove=())
        assert writer.change_members(devs, add={jane.id: "Other"}, remove=("nobody",)) == devs
        assert [(each.id, each.display) for each in writer.members(devs.id)] == [(jane.id, "Jane")]
        assert [each.display for each in writer.groups_of_one(jane.id)] == ["devs"]
        writer.delete(jane)
        assert (stored(writer, "Group", devs.id).version, writer.members(devs.id)) == (3, [])


def test_nobody_becomes_a_member_who_was_never_pushed(book: ledger.Ledger, connector: str):
    with book.scim.write() as transaction:
        writer = transaction.writer(connector, ACTOR)
        stranger = transaction.writer(book.scim.connectors.get("entra").id, ACTOR).insert(user("jane"))
        devs = writer.insert(group("devs"))
        with pytest.raises(UnknownMembers) as caught:
            writer.change_members(devs, add={"nobody": None, stranger.id: None}, remove=None)
        assert caught.value.ids == ("nobody",)
        assert writer.members(devs.id) == []


def test_pages_and_keysets_reach_everybody_once(book: ledger.Ledger, connector: str):
    with book.scim.write() as transaction:
        writer = transaction.writer(connector, ACTOR)
        for number in range(10):
            writer.insert(user(f"p{number}", **({"title": f"t{number % 3}"} if number % 4 else {})))
        pages = [writer.page(["User"], None, offset=offset, limit=4) for offset in (0, 4, 8, 12)]
        assert [page.total for page in pages] == [10] * 4
        assert len({each.id for page in pages for each in page.resources}) == 10
        for descending in (False, True):
            order = Order(sql.JsonPath(("title",)), descending=descending)
            seen: list[str] = []
            place: Keyset | None = None
            while True:
                page = writer.page_from(["User"], None, place=place, limit=3, order=order)
                seen += [each.id for each in page.resources]
                if not page.more:
                    break
                place = Keyset(page.values[-1], page.resources[-1].id)
            assert len(seen) == len(set(seen)) == 10
            whole = writer.page_from(["User"], None, place=None, limit=None, order=order)
            assert seen == [each.id for each in whole.resources]


def test_values_of_attributes_with_many_are_found_and_forgotten(book: ledger.Ledger, connector: str):
    with book.scim.write() as transaction:
        writer = transaction.writer(connector, ACTOR)
        jane = writer.insert(user("jane"))
        mail = sql.Indexed("emails.value", "jane@x")
        assert writer.count(["User"], mail) == 1
        writer.update(jane, user("janet"))
        assert writer.count(["User"], mail) == 0
        assert writer.count(["User"], sql.Not(mail)) == 1


def test_a_write_is_noted_with_where_it_came_from_and_without_values(book: ledger.Ledger, connector: str):
    with book.scim.write() as transaction:
        transaction.writer(connector, ACTOR).insert(user("jane"))

    (noted,) = book.scim.audit(connector)
    assert (noted.action, noted.client, noted.changed) == ("create", "192.0.2.7", ("userName",))


def test_what_fails_takes_back_what_is_noted_of_it(book: ledger.Ledger, connector: str):
    def fail() -> None:
        with book.scim.write() as transaction:
            transaction.writer(connector, ACTOR).insert(user("jane"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    assert (book.scim.audit(connector), book.scim.touched(connector)) == ([], [])
    assert book.scim.pushed(connector).promised == {}


def test_a_token_is_good_for_its_connector_until_its_end(book: ledger.Ledger, connector: str):
    connectors = book.scim.connectors
    connectors.add("okta")
    token = connectors.add_token("entra", expires_at=datetime(2100, 1, 1, tzinfo=UTC))
    past = connectors.add_token("entra", expires_at=datetime(2000, 1, 1, tzinfo=UTC))

    shown = connectors.authenticate("entra", token.secret)
    assert shown is not None
    assert (shown.connector.id, shown.token.id) == (connector, token.id)
    wrong = [("okta", token.secret), ("entra", past.secret), ("entra", ""), ("entra", token.secret[:-1] + "\udc80")]
    assert [connectors.authenticate(slug, secret) for slug, secret in wrong] == [None] * 4
    with pytest.raises(UnknownRecord):
        connectors.revoke_token("okta", token.id)
    with pytest.raises(ConfigurationError, match="no address"):
        connectors.add("hr", base_url="hr.example")
