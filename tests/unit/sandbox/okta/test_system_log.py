from datetime import UTC, datetime, timedelta

import httpx

from sandbox.okta import OktaSimulator
from sandbox.okta.documents import timestamp
from sandbox.population import Standing
from tests.unit.sandbox.okta.conftest import next_of


def test_polling_always_offers_a_next_link_and_continues_where_it_stopped(org: OktaSimulator, client: httpx.Client):
    first = client.get("/api/v1/logs?sortOrder=ASCENDING")
    assert first.json() == []
    follow = next_of(first)
    assert follow
    person = org.company.pick(1)[0]
    org.company.leave(person.id)
    second = client.get(follow)
    assert [event["eventType"] for event in second.json()] == ["user.lifecycle.deactivate"]
    assert second.json()[0]["target"][0]["id"] == org.state.user_id(person.id)
    third = client.get(str(next_of(second)))
    assert third.json() == []
    assert next_of(third) == next_of(second)


def test_each_happening_has_its_event_type(org: OktaSimulator, client: httpx.Client):
    company = org.company
    person = company.hire(1)[0]
    company.rename(person.id)
    company.set_standing(person.id, Standing.SUSPENDED)
    company.return_(person.id)
    company.leave(person.id)
    company.return_(person.id)
    company.erase(person.id)
    company.rename_group(company.group("bb-data").id, "bb-facts")
    company.close_group(company.group("bb-project-retired").id)
    events = client.get("/api/v1/logs?limit=1000").json()
    assert [event["eventType"] for event in events] == [
        "user.lifecycle.create",
        "group.user_membership.add",
        "group.user_membership.add",
        "user.account.update_profile",
        "user.lifecycle.suspend",
        "user.lifecycle.unsuspend",
        "user.lifecycle.deactivate",
        "user.lifecycle.activate",
        "group.user_membership.remove",
        "group.user_membership.remove",
        "user.lifecycle.delete.completed",
        "group.profile.update",
        "group.lifecycle.delete",
    ]


def test_a_bounded_query_ends(org: OktaSimulator, client: httpx.Client):
    org.company.hire(3)
    until = timestamp(datetime.now(UTC) + timedelta(minutes=1))
    first = client.get("/api/v1/logs", params={"until": until, "limit": 6})
    assert len(first.json()) == 6
    second = client.get(str(next_of(first)))
    assert len(second.json()) == 3
    assert next_of(second) is None


def test_events_are_chosen_by_time_and_filter(org: OktaSimulator, client: httpx.Client):
    person = org.company.hire(1)[0]
    later = timestamp(datetime.now(UTC) + timedelta(minutes=1))
    assert client.get("/api/v1/logs", params={"since": later}).json() == []
    rows = client.get("/api/v1/logs", params={"filter": 'eventType eq "user.lifecycle.create"'}).json()
    assert len(rows) == 1
    rows = client.get("/api/v1/logs", params={"filter": f'target.id eq "{org.state.user_id(person.id)}"'}).json()
    assert len(rows) == 3
    newest = client.get("/api/v1/logs", params={"sortOrder": "DESCENDING", "limit": 1}).json()
    assert newest[0]["uuid"] == rows[-1]["uuid"]


def test_a_time_that_cannot_be_read_is_refused(client: httpx.Client):
    assert client.get("/api/v1/logs?since=yesterday").json()["errorCode"] == "E0000001"
