"""Incremental reads of a real Keycloak: change after change equals a full read, by the events that it really keeps."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Final

import httpx
import pytest

from connectors.contract import Reading
from connectors.sources.keycloak import KeycloakSettings, KeycloakSource
from tests.contract.equal_readings import assert_equal
from tests.e2e.keycloak_realm import CLIENT_SECRET, Realm
from tests.e2e.keycloak_server import KeycloakServer

pytestmark = [pytest.mark.keycloak, pytest.mark.xdist_group("keycloak")]

READINGS: Final = 3
DEEDS_BETWEEN: Final = 8
HEARD: Final = (
    "DELETE_ACCOUNT",
    "REGISTER",
    "UPDATE_EMAIL",
    "UPDATE_PROFILE",
    "USER_DISABLED_BY_PERMANENT_LOCKOUT",
    "VERIFY_EMAIL",
)


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYCLOAK_SECRET", CLIENT_SECRET)


def reader(url: str) -> KeycloakSource:
    settings = KeycloakSettings(url=url, realm="fjordlight", client_id="eventful", client_secret="env:KEYCLOAK_SECRET")
    # Nothing is listened to again but what happened in the moment of the last event.
    return KeycloakSource(settings, overlap=timedelta())


class Administration:
    """What an administrator does at random. People of the realm only join and quit groups that were made here."""

    def __init__(self, server: KeycloakServer, realm: Realm, chance: random.Random) -> None:
        self._server = server
        self._chance = chance
        self._realm = realm
        self._made = 0
        self.people: list[str] = []
        self.parents: dict[str, str | None] = {}
        """Of the groups that were made here."""

    def __call__(self, method: str, path: str, body: object = None) -> httpx.Response:
        with self._server.administrator() as admin:
            return admin.request(method, f"/{self._realm.name}{path}", json=body).raise_for_status()

    def keep_events(self, *, administrators: bool, users: bool) -> None:
        kinds = {"eventsEnabled": users, "enabledEventTypes": list(HEARD)}
        self("PUT", "/events/config", {"adminEventsEnabled": administrators, **kinds})

    def anything(self) -> None:
        deeds: list[Callable[[], None]] = [self.hire, self.found, self.join]
        if self.people:
            deeds += [self.change, self.disable, self.erase]
        if self.parents:
            deeds += [self.join, self.quit, self.rename, self.move, self.close]
        self._chance.choice(deeds)()

    def hire(self) -> None:
        """With a group from the start, of which Keycloak keeps no event."""
        path = self._chance.choice(self._realm.groups).path
        made = self("POST", "/users", {"username": f"hired.{self._name()}", "enabled": True, "groups": [path]})
        self.people.append(made.headers["location"].rpartition("/")[2])

    def change(self) -> None:
        """Some with a second value for an attribute that nobody had."""
        values = [self._name() for _ in range(self._chance.randint(1, 2))]
        self._update(firstName=f"Changed {self._name()}", attributes={"shoes": values})

    def disable(self) -> None:
        self._update(enabled=False)

    def erase(self) -> None:
        person = self._chance.choice(self.people)
        self.people.remove(person)
        self("DELETE", f"/users/{person}")

    def join(self) -> None:
        if not self.parents:
            self.found()
        self("PUT", f"/users/{self._somebody()}/groups/{self._group()}")

    def quit(self) -> None:
        group = self._group()
        members = self("GET", f"/groups/{group}/members").json()
        if members:
            self("DELETE", f"/users/{self._chance.choice(members)['id']}/groups/{group}")

    def found(self) -> None:
        parent = self._chance.choice([None, *self.parents])
        path = "/groups" if parent is None else f"/groups/{parent}/children"
        made = self("POST", path, {"name": f"founded {self._name()}"})
        self.parents[made.headers["location"].rpartition("/")[2] if parent is None else made.json()["id"]] = parent

    def rename(self) -> None:
        self("PUT", f"/groups/{self._group()}", {"name": f"renamed {self._name()}"})

    def move(self) -> None:
        group, place = self._group(), self._chance.choice([None, *self.parents])
        if place is None or group not in self._lineage(place):
            known = self("GET", f"/groups/{group}").json()
            path = "/groups" if place is None else f"/groups/{place}/children"
            self("POST", path, {"id": group, "name": known["name"]})
            self.parents[group] = place

    def close(self) -> None:
        """With all that is below it."""
        group = self._group()
        below = [known for known in self.parents if group in self._lineage(known)]
        self("DELETE", f"/groups/{group}")
        for known in below:
            del self.parents[known]

    def undo(self) -> None:
        for person in self.people:
            self("DELETE", f"/users/{person}")
        for group in [known for known, parent in self.parents.items() if parent is None]:
            self("DELETE", f"/groups/{group}")
        self.keep_events(administrators=False, users=False)
        self("DELETE", "/admin-events")
        self("DELETE", "/events")

    def _update(self, **changed: Any) -> None:
        path = f"/users/{self._chance.choice(self.people)}"
        self("PUT", path, {**self("GET", path).json(), **changed})

    def _name(self) -> str:
        self._made += 1
        return str(self._made)

    def _somebody(self) -> str:
        return self._chance.choice([*self.people, *(person.id for person in self._realm.people[:3])])

    def _group(self) -> str:
        return self._chance.choice(list(self.parents))

    def _lineage(self, group: str | None) -> Iterator[str]:
        while group is not None:
            yield group
            group = self.parents[group]


@pytest.fixture
def administration(
    request: pytest.FixtureRequest, keycloak_server: KeycloakServer, keycloak_realm: Realm
) -> Iterator[Administration]:
    seed = getattr(request, "param", 0)
    administration = Administration(keycloak_server, keycloak_realm, random.Random(seed))
    try:
        administration.keep_events(administrators=True, users=seed % 2 == 1)
        yield administration
    finally:
        administration.undo()


async def begun(source: KeycloakSource) -> Reading:
    """Not in the second of the switch: its event would be heard again, and asks for a full read."""
    for _ in range(3):
        found = await source.read_changes(await source.read_all())
        if found is not None:
            return found
    raise AssertionError("nothing happens in the realm, and yet it is read whole each time")


async def changes(source: KeycloakSource, last: Reading) -> Reading:
    found = await source.read_changes(last)
    assert found is not None
    return found


@pytest.mark.parametrize("administration", [1, 2], indirect=True)
async def test_whatever_an_administrator_does_changes_add_up_to_a_full_read(
    keycloak_server: KeycloakServer, administration: Administration
):
    source = reader(keycloak_server.url)
    administration.found()
    last = await begun(source)
    for _ in range(READINGS):
        for _ in range(DEEDS_BETWEEN):
            administration.anything()
        last = await changes(source, last)
        assert_equal(last.snapshot, await source.read())
    await source.close()


async def test_ten_people_who_changed_cost_few_requests(
    keycloak_server: KeycloakServer, administration: Administration
):
    for _ in range(10):
        administration.hire()
    source = reader(keycloak_server.url)
    first = await begun(source)
    for person in administration.people:
        administration("PUT", f"/users/{person}", {"firstName": "Changed"})
    second = await changes(source, first)
    # What is kept, events twice, all ten at once, and two counts. Those hired within the second may be asked for twice.
    assert second.snapshot.requests <= 8
    assert_equal(second.snapshot, await source.read())
    await source.close()


async def test_events_that_were_cleared_ask_for_a_full_read(
    keycloak_server: KeycloakServer, administration: Administration
):
    administration.found()
    source = reader(keycloak_server.url)
    last = await source.read_all()
    assert last.watermark is not None
    administration.hire()
    administration("DELETE", "/admin-events")
    administration.hire()
    assert await source.read_changes(last) is None
    await source.close()


async def test_a_time_without_events_asks_for_a_full_read(
    keycloak_server: KeycloakServer, administration: Administration
):
    administration.found()
    source = reader(keycloak_server.url)
    last = await source.read_all()
    assert last.watermark is not None
    administration.keep_events(administrators=False, users=False)
    assert await source.read_changes(last) is None
    administration.hire()
    administration.keep_events(administrators=True, users=False)
    administration.hire()
    assert await source.read_changes(last) is None
    await source.close()
