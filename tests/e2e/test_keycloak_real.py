"""What the source reads from a real Keycloak is what was put into it."""

import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import polars as pl
import pytest

from connectors.sources.keycloak import KeycloakSettings, KeycloakSource
from directory.errors import CredentialsRefused
from directory.snapshot import SourceSnapshot
from tests.contract.api_description import ApiDescription, description_file
from tests.e2e.keycloak_realm import CLIENT_ID, CLIENT_SECRET, Realm
from tests.e2e.keycloak_server import KeycloakServer
from tests.e2e.recording_relay import Relay, relay

pytestmark = [pytest.mark.keycloak, pytest.mark.xdist_group("keycloak")]

ON_EVENTS = (
    "each run reads everything: the service account lacks the role view-events, without which it cannot see what "
    "changed"
)


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYCLOAK_SECRET", CLIENT_SECRET)


@pytest.fixture
def relayed(keycloak_server: KeycloakServer) -> Iterator[Relay]:
    with relay(keycloak_server.url) as made:
        yield made


@asynccontextmanager
async def source(url: str, **changed) -> AsyncIterator[KeycloakSource]:
    named = {"realm": "fjordlight", "client_id": CLIENT_ID, "client_secret": "env:KEYCLOAK_SECRET"}
    made = KeycloakSource(KeycloakSettings(url=url, **{**named, "page_size": 100, **changed}))
    try:
        yield made
    finally:
        await made.close()


async def snapshot(url: str, **changed) -> SourceSnapshot:
    async with source(url, **changed) as made:
        return await made.read()


def direct(read: SourceSnapshot) -> set[tuple[str, str]]:
    return set(read.memberships.filter(~pl.col("member_is_group")).select("group_id", "member_id").iter_rows())


def nested(read: SourceSnapshot) -> set[tuple[str, str]]:
    return set(read.memberships.filter(pl.col("member_is_group")).select("group_id", "member_id").iter_rows())


async def test_everybody_is_read_with_every_attribute(keycloak_server: KeycloakServer, keycloak_realm: Realm):
    read = await snapshot(keycloak_server.url)
    assert read.completeness.findings == ()
    rows = {row["external_id"]: row for row in read.people.drop("createdTimestamp").iter_rows(named=True)}
    assert read.people.height == len(rows) == len(keycloak_realm.people)
    for person in keycloak_realm.people:
        attributes = person.attributes
        assert rows[person.id] == {
            "external_id": person.id,
            "username": person.username,
            "email": person.email,
            "display_name": " ".join(filter(None, [person.first, person.last])),
            "active": person.enabled,
            "firstName": person.first,
            "lastName": person.last,
            "emailVerified": False,
            "biography": attributes.get("biography", [None])[0],
            "department": attributes["department"][0],
            "employeeNumber": attributes["employeeNumber"][0],
            "phone": attributes.get("phone"),
        }
    assert read.people.schema["phone"] == pl.List(pl.String)
    assert read.people.schema["department"] == pl.String
    assert read.people["createdTimestamp"].null_count() == 0


async def test_every_group_of_three_levels_and_every_direct_member(
    keycloak_server: KeycloakServer, keycloak_realm: Realm
):
    read = await snapshot(keycloak_server.url)
    groups = keycloak_realm.groups
    assert set(read.groups.iter_rows()) == {(group.id, group.name, group.path) for group in groups}
    assert direct(read) == keycloak_realm.memberships
    assert nested(read) == {(group.parent, group.id) for group in groups if group.parent}
    assert max(read.groups["path"].str.count_matches("/")) == 3
    assert read.memberships.height == len(keycloak_realm.memberships) + 56


async def test_small_pages_read_the_same(keycloak_server: KeycloakServer, keycloak_realm: Realm):
    # Below one group there are more than twelve.
    read = await snapshot(keycloak_server.url, page_size=150, member_page_size=12)
    assert read.completeness.complete
    assert set(read.people["external_id"]) == {person.id for person in keycloak_realm.people}
    assert read.groups.height == len(keycloak_realm.groups)
    assert direct(read) == keycloak_realm.memberships


async def test_no_request_too_many(relayed: Relay, keycloak_realm: Realm):
    read = await snapshot(relayed.url, page_size=500)
    groups = keycloak_realm.groups
    parents = {group.parent for group in groups if group.parent}
    token, top, counts = 1, 1, 2
    pages = math.ceil(len(keycloak_realm.people) / 500)
    assert read.requests == len(relayed.seen) == token + top + counts + len(parents) + len(groups) + pages
    assert {relayed.status for relayed in relayed.seen} == {200}


async def test_a_token_is_renewed_in_the_middle_of_a_read(relayed: Relay, keycloak_realm: Realm):
    read = await snapshot(relayed.url, client_id="short-lived", page_size=25, member_page_size=25, concurrency=1)
    assert len(relayed.to("/token")) >= 2
    # On a busy machine a token may end while its request waits; that is a 401, and a fresh token cures it.
    assert {relayed.status for relayed in relayed.seen} <= {200, 401}
    assert read.completeness.complete
    assert read.people.height == len(keycloak_realm.people)
    assert direct(read) == keycloak_realm.memberships


async def test_the_role_view_users_is_enough(keycloak_server: KeycloakServer, keycloak_realm: Realm):
    read = await snapshot(keycloak_server.url, client_id="view-only", groups=("/Verkauf",))
    assert read.completeness.complete
    assert read.people.height == len(keycloak_realm.people)
    assert direct(read) == {pair for pair in keycloak_realm.memberships if pair[0] in set(read.groups["group_id"])}


@pytest.mark.parametrize("client_id", ["query-only", "no-role"])
async def test_too_few_rights_name_the_role_and_read_nothing(keycloak_server: KeycloakServer, client_id: str):
    with pytest.raises(CredentialsRefused, match="lacks the role view-users of realm-management") as refused:
        await snapshot(keycloak_server.url, client_id=client_id)
    assert refused.value.subject == f"client {client_id} of realm fjordlight"
    async with source(keycloak_server.url, client_id=client_id) as made:
        assert [finding.level for finding in await made.check()] == ["problem"]


async def test_check_tells_counts_lifespan_and_roles(keycloak_server: KeycloakServer):
    async with source(keycloak_server.url) as made:
        findings = await made.check()
    assert [finding.level for finding in findings] == ["ok", "ok", "ok", "note"]
    told = "\n".join(finding.what for finding in findings)
    assert "2000 people and 60 groups" in told
    assert "60 s" in told
    assert "query-groups, query-users, view-users" in told
    assert ON_EVENTS in told


async def test_check_notes_more_rights_than_needed(keycloak_server: KeycloakServer):
    async with source(keycloak_server.url, client_id="manager") as made:
        findings = await made.check()
    assert [finding.what for finding in findings if finding.level == "note"] == [
        "the service account has more rights than reading needs: manage-users",
        ON_EVENTS,
    ]


@pytest.mark.parametrize(
    ("below", "changed", "advice"),
    [
        ("", {"client_secret": "env:WRONG_SECRET"}, "check the client's secret"),
        ("", {"client_id": "nobody"}, "check client_id"),
        ("", {"realm": "nowhere"}, "check `realm`"),
        ("/auth", {}, "check `url`"),
    ],
)
async def test_a_wrong_setting_is_told_apart_and_tried_once(
    relayed: Relay, monkeypatch: pytest.MonkeyPatch, below: str, changed: dict[str, str], advice: str
):
    monkeypatch.setenv("WRONG_SECRET", "wrong")
    async with source(relayed.url + below, **changed) as made:
        (finding,) = await made.check()
    assert finding.level == "problem"
    assert finding.next_step is not None
    assert advice in finding.next_step
    assert len(relayed.seen) == 1


async def test_chosen_groups_are_read_with_what_is_below_them(relayed: Relay, keycloak_realm: Realm):
    read = await snapshot(relayed.url, groups=("/Verkauf", "/Ingénierie/team 3"))
    wanted = {
        group for group in keycloak_realm.groups if f"{group.path}/".startswith(("/Verkauf/", "/Ingénierie/team 3/"))
    }
    ids = {group.id for group in wanted}
    assert read.completeness.complete
    assert set(read.groups["group_id"]) == ids
    assert direct(read) == {pair for pair in keycloak_realm.memberships if pair[0] in ids}
    assert nested(read) == {(group.parent, group.id) for group in wanted if group.parent in ids}
    assert len(relayed.to("/members")) == len(ids)


async def test_a_chosen_group_that_is_not_there_makes_the_read_incomplete(keycloak_server: KeycloakServer):
    read = await snapshot(keycloak_server.url, groups=("/Verkauf", "/Gone"))
    assert read.completeness.findings == ("the realm has no group /Gone, which the sync file names",)


async def test_subgroups_and_attributes_can_be_left_out(keycloak_server: KeycloakServer):
    read = await snapshot(
        keycloak_server.url, groups=("/Verkauf",), inherit_subgroups=False, attributes=("department", "costCentre")
    )
    assert nested(read) == set()
    assert read.people.columns[-2:] == ["department", "costCentre"]
    assert read.people["costCentre"].null_count() == read.people.height
    assert "phone" not in read.people.columns


async def test_a_person_added_between_pages_is_read_and_hides_nobody(
    relayed: Relay, keycloak_server: KeycloakServer, keycloak_realm: Realm
):
    with changed_between_pages(relayed, keycloak_server, after_pages=3) as added:
        read = await snapshot(relayed.url, page_size=300, concurrency=1)
    everybody = {person.id for person in keycloak_realm.people}
    assert read.completeness.complete
    assert set(read.people["external_id"]) == everybody | set(added)
    assert len(relayed.to("/users")) == 14


async def test_the_requests_and_the_answers_are_as_keycloak_describes_them(relayed: Relay):
    api = ApiDescription.load(description_file("keycloak-admin-26.6.2.users-groups.json"), base_path="", closed=True)
    async with source(relayed.url, groups=("/Verkauf",)) as made:
        await made.read()
        await made.check()
    # The part of the description that is at hand does not cover the configuration of events, for which check() asks.
    covered = [seen for seen in relayed.seen if seen.path.startswith("/admin/") and "/events/" not in seen.path]
    for exchange in covered:
        headers = {"content-type": exchange.content_type}
        api.check_request(exchange.method, exchange.path, exchange.query)
        api.check_response(exchange.method, exchange.path, exchange.status, exchange.body, headers)
    assert {api.operation("GET", seen.path).template.partition("{realm}")[2] for seen in covered} >= {
        "/users",
        "/users/count",
        "/groups",
        "/groups/count",
        "/groups/{group-id}/children",
        "/groups/{group-id}/members",
    }


@contextmanager
def changed_between_pages(relayed: Relay, server: KeycloakServer, *, after_pages: int) -> Iterator[list[str]]:
    """Create a person who sorts first when so many pages of people were asked for; their id is in what is yielded."""
    added: list[str] = []

    def add(path: str, _query: str) -> None:
        if not added and path.endswith("/users") and len(relayed.to("/users")) == after_pages:
            with server.administrator() as admin:
                person = {"username": "aaa.newcomer", "firstName": "Åse", "enabled": True}
                made = admin.post("/fjordlight/users", json=person).raise_for_status()
                added.append(made.headers["location"].rpartition("/")[2])

    relayed.before = add
    try:
        yield added
    finally:
        with server.administrator() as admin:
            for person_id in added:
                admin.delete(f"/fjordlight/users/{person_id}").raise_for_status()
