from typing import Any

import httpx
import pytest

from sandbox.faults import Fault, FaultKind
from sandbox.okta import OktaSimulator
from tests.unit.sandbox.okta.conftest import Walk, next_of

USERS = "/api/v1/users?search=status pr&limit=100"


def ids(rows: list[Any]) -> list[str]:
    return [row["id"] for row in rows]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_the_next_requests_fail_as_often_as_asked(org: OktaSimulator, client: httpx.Client, status: int):
    org.faults.add(Fault(FaultKind.STATUS, "/users$", status=status, times=2))
    assert client.get("/api/v1/groups").status_code == 200
    assert [client.get("/api/v1/users").status_code for _ in range(3)] == [status, status, 200]
    assert org.requests.statuses() == [200, status, status, 200]


def test_a_fault_can_wait_until_the_middle_of_a_read(org: OktaSimulator, client: httpx.Client):
    org.faults.add(Fault(FaultKind.STATUS, "/users$", status=503, skip=2, headers={"Retry-After": "7"}, body="<html>"))
    answers = [client.get("/api/v1/users") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 503]
    assert answers[2].headers["retry-after"] == "7"
    assert answers[2].text == "<html>"


@pytest.mark.parametrize("kind", [FaultKind.DROP, FaultKind.CUT])
def test_the_connection_closes_without_a_whole_answer(org: OktaSimulator, client: httpx.Client, kind: FaultKind):
    org.faults.add(Fault(kind))
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(USERS)
    assert client.get(USERS).status_code == 200


def test_truncated_json_arrives_as_a_whole_answer(org: OktaSimulator, client: httpx.Client):
    org.faults.add(Fault(FaultKind.TRUNCATED))
    answer = client.get(USERS)
    assert answer.status_code == 200
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        answer.json()


def test_an_early_end_hides_the_rest(org: OktaSimulator, walk: Walk):
    org.faults.add(Fault(FaultKind.EARLY_END, "/users$", skip=1))
    assert len(walk(USERS)) == 200
    assert len(walk(USERS)) == 450


def test_a_repeated_page_comes_twice(org: OktaSimulator, walk: Walk):
    org.faults.add(Fault(FaultKind.REPEATED_PAGE, "/users$", skip=1))
    rows = ids(walk(USERS))
    assert rows[100:200] == rows[200:300]
    assert len(rows) == 550
    assert len(set(rows)) == 450


def test_the_first_page_can_be_repeated_for_ever(org: OktaSimulator, client: httpx.Client):
    org.faults.add(Fault(FaultKind.REPEATED_PAGE, "/users$", times=10))
    first = client.get(USERS)
    second = client.get(str(next_of(first)))
    assert ids(first.json()) == ids(second.json())
    assert next_of(second) == next_of(first)


def test_an_empty_page_with_more_behind_it_loses_nothing(org: OktaSimulator, client: httpx.Client, walk: Walk):
    org.faults.add(Fault(FaultKind.EMPTY_PAGE, "/users$", skip=1))
    assert len(set(ids(walk(USERS)))) == 450
    org.faults.add(Fault(FaultKind.EMPTY_PAGE, "/users$"))
    empty = client.get(USERS)
    assert empty.json() == []
    assert next_of(empty)


def test_a_row_comes_twice(org: OktaSimulator, walk: Walk):
    org.faults.add(Fault(FaultKind.DUPLICATED_ROW, "/users$"))
    rows = ids(walk(USERS))
    assert len(rows) == 451
    assert len(set(rows)) == 450


def test_a_row_is_lost(org: OktaSimulator, walk: Walk):
    org.faults.add(Fault(FaultKind.LOST_ROW, "/users$"))
    assert len(walk(USERS)) == 449


def test_something_happens_in_the_middle_of_a_read(org: OktaSimulator, walk: Walk):
    def vanish() -> None:
        for person in org.company.pick(5):
            org.company.erase(person.id)

    org.faults.add(Fault(FaultKind.CHANGE, "/users$", skip=2, change=vanish))
    assert 445 <= len(walk(USERS)) <= 450
    assert len(walk(USERS)) == 445


def test_a_slow_page_takes_its_time(org: OktaSimulator, client: httpx.Client):
    org.faults.add(Fault(FaultKind.SLOW, "/users$", seconds=0.2))
    client.get(USERS)
    assert org.requests[-1].seconds >= 0.2
    assert org.requests[-1].faults == ("slow",)
