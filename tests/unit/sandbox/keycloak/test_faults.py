import json
import signal
import subprocess
import sys

import httpx
import pytest

from sandbox.faults import Fault, FaultKind
from sandbox.keycloak import KeycloakSimulator
from tests.unit.sandbox.keycloak.conftest import ADMIN, TOKEN_PATH, walk


def test_the_next_requests_fail_in_keycloaks_shape(realm: KeycloakSimulator, client: httpx.Client):
    realm.faults.add(Fault(FaultKind.STATUS, "/users$", status=503, times=2, headers={"Retry-After": "3"}))
    answers = [client.get("/users?max=1") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert answers[0].json()["error"] == "unknown_error"
    assert answers[0].headers["retry-after"] == "3"
    realm.faults.add(Fault(FaultKind.STATUS, status=409))
    assert client.get("/users").json() == {"error": "unknown_error"}
    realm.faults.add(Fault(FaultKind.STATUS, body="<html>bad gateway</html>", status=502))
    assert client.get("/users").text == "<html>bad gateway</html>"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (FaultKind.EMPTY_PAGE, 0),
        (FaultKind.EARLY_END, 25),
        (FaultKind.LOST_ROW, 49),
        (FaultKind.DUPLICATED_ROW, 51),
    ],
)
def test_a_page_has_too_few_or_too_many_rows(
    realm: KeycloakSimulator, client: httpx.Client, kind: FaultKind, expected: int
):
    realm.faults.add(Fault(kind, "/users$", skip=1))
    first, second, third = (client.get("/users", params={"first": first, "max": 50}).json() for first in (0, 50, 50))
    assert [len(first), len(second), len(third)] == [50, expected, 50]


def test_a_page_comes_twice(realm: KeycloakSimulator, client: httpx.Client):
    realm.faults.add(Fault(FaultKind.REPEATED_PAGE, "/users$", skip=1))
    rows = [row["id"] for row in walk(client, "/users", 50)]
    assert rows[:50] == rows[50:100]


def test_a_user_who_vanishes_in_the_middle_of_a_read_shifts_the_pages(realm: KeycloakSimulator, client: httpx.Client):
    first = realm.state.users()[0]
    realm.faults.add(Fault(FaultKind.CHANGE, "/users$", skip=1, change=lambda: realm.company.leave(first.id)))
    assert len(walk(client, "/users", 50)) == 250
    shifted = realm.state.users()[0]
    erase = Fault(FaultKind.CHANGE, "/users$", skip=1, change=lambda: realm.company.erase(shifted.id))
    realm.faults.add(erase)
    names = [row["username"] for row in walk(client, "/users", 50)]
    assert len(names) == 249
    assert len(set(names) - {shifted.username}) == 248
    assert client.get("/users/count").json() == 249


def test_a_page_that_is_too_large_stops_half_way(realm: KeycloakSimulator, client: httpx.Client):
    realm.switches.truncate_pages_above = 100
    assert len(client.get("/users?max=100").json()) == 100
    for size in ("101", "-1"):
        answer = client.get(f"/users?max={size}")
        assert answer.status_code == 200
        with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
            answer.json()


def test_json_stops_half_way_and_connections_close(realm: KeycloakSimulator, client: httpx.Client):
    realm.faults.add(Fault(FaultKind.TRUNCATED, "/groups$"))
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        client.get("/groups").json()
    realm.faults.add(Fault(FaultKind.DROP))
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/groups")


def test_the_token_endpoint_can_fail_too(realm: KeycloakSimulator, url: str):
    realm.faults.add(Fault(FaultKind.STATUS, "/token$", status=503))
    assert httpx.post(url + TOKEN_PATH, data={"grant_type": "client_credentials"}).status_code == 503


def test_an_unknown_path_is_not_found(url: str, client: httpx.Client):
    within, elsewhere = client.get("/nothing"), client.get(f"{url}/auth{ADMIN}/users")
    assert (within.status_code, within.json()) == (404, {"error": "HTTP 404 Not Found"})
    assert elsewhere.status_code == 404
    assert elsewhere.json() == {"error": "Unable to find matching target resource method"}


def test_a_process_announces_itself_and_stops_on_sigterm():
    command = [sys.executable, "-m", "sandbox.keycloak", "--people", "60", "--groups", "8"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        announced = json.loads(process.stdout.readline())
        url = announced["url"]
        credentials = (announced["client_id"], announced["client_secret"])
        granted = httpx.post(url + TOKEN_PATH, data={"grant_type": "client_credentials"}, auth=credentials).json()
        counted = httpx.get(f"{url}{ADMIN}/users/count", headers={"Authorization": f"Bearer {granted['access_token']}"})
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) in (0, -signal.SIGTERM)
    assert counted.json() == 60
