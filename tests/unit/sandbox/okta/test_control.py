import json
import signal
import subprocess
import sys

import httpx

from sandbox.okta import OktaSimulator


def test_faults_are_ordered_listed_and_forgotten_from_outside(org: OktaSimulator, client: httpx.Client):
    order = {"kind": "status", "path": "/users$", "status": 503, "times": 2}
    assert client.post("/sandbox/faults", json=order).json()[0]["times"] == 2
    assert client.get("/api/v1/users").status_code == 503
    assert [fault["times"] for fault in client.get("/sandbox/faults").json()] == [1]
    assert client.delete("/sandbox/faults").json() == []
    assert client.get("/api/v1/users").status_code == 200


def test_a_mistyped_order_is_refused_with_the_reason(client: httpx.Client):
    for path, body in (
        ("/sandbox/faults", {"kind": "explode"}),
        ("/sandbox/faults", {"kind": "drop", "route": "/users"}),
        ("/sandbox/faults", {"kind": "drop", "path": "("}),
        ("/sandbox/mutations", {"do": "promote"}),
        ("/sandbox/mutations", {"do": "leave", "person": "nobody"}),
        ("/sandbox/mutations", {"do": "close-group"}),
        ("/sandbox/mutations", {"do": "leave", "count": 100_000}),
    ):
        answer = client.post(path, json=body)
        assert answer.status_code == 400
        assert answer.json()["error"]


def test_requests_are_recorded_without_the_steering(org: OktaSimulator, client: httpx.Client):
    client.get("/api/v1/users?limit=1")
    seen = client.get("/sandbox/requests").json()
    assert [(row["method"], row["path"], row["query"], row["status"]) for row in seen] == [
        ("GET", "/api/v1/users", "limit=1", 200)
    ]
    assert seen[0]["headers"]["authorization"].startswith("SSWS")
    assert org.requests.to("/api/v1/users")[0].url == "/api/v1/users?limit=1"
    client.delete("/sandbox/requests")
    assert org.requests == []


def test_mutations_change_the_company(org: OktaSimulator, client: httpx.Client):
    person, other = org.company.pick(2)

    def order(**body: object) -> list[dict[str, str]]:
        answer = client.post("/sandbox/mutations", json=body)
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, str]] = answer.json()
        return rows

    assert order(do="leave", person=person.login)[0]["standing"] == "left"
    assert order(do="return", person=person.id)[0]["standing"] == "active"
    assert order(do="suspend", person=person.id)[0]["standing"] == "suspended"
    assert order(do="rename", person=other.username, name="Ångström")[0]["last"] == "Ångström"
    assert order(do="move", person=other.id, group="bb-data-reviewers")[0]["department"] == "Data & Analytics"
    assert len(order(do="hire", count=3)) == 3
    assert len(order(do="leave", count=4)) == 4
    assert order(do="erase", person=person.id)[0]["id"] == person.id
    assert order(do="join", person=other.id, group="bb-security")
    assert "bb-security" in {org.company.groups[key].name for key in org.company.memberships[other.id]}
    assert order(do="quit", person=other.id, group="bb-security")
    order(do="rename-group", group="bb-security", name="bb-guards")
    order(do="empty-group", group="bb-guards")
    assert not org.company.effective_members(org.company.group("bb-guards").id)
    order(do="close-group", group="bb-guards")
    assert len(order(do="lose", fraction=0.1)) == 45
    summary = client.get("/sandbox/company").json()
    assert summary["people"] == 450 + 3 - 1 - 45
    assert summary["changes"] == org.company.version


def test_a_mutation_can_be_ordered_for_the_middle_of_a_read(org: OktaSimulator, client: httpx.Client):
    order = {"kind": "change", "path": "/users$", "skip": 1, "change": {"do": "lose", "fraction": 0.5}}
    client.post("/sandbox/faults", json=order)
    client.get("/api/v1/users")
    assert len(org.company.people) == 450
    client.get("/api/v1/users")
    assert len(org.company.people) == 225


def test_an_unknown_path_and_method_are_answered_in_oktas_shape(client: httpx.Client):
    assert client.get("/api/v1/nothing").json()["errorCode"] == "E0000007"
    assert client.post("/api/v1/groups").json()["errorCode"] == "E0000022"


def test_a_process_announces_itself_and_stops_on_sigterm():
    command = [sys.executable, "-m", "sandbox.okta", "--people", "60", "--groups", "8"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        announced = json.loads(process.stdout.readline())
        headers = {"Authorization": f"SSWS {announced['token']}"}
        answer = httpx.get(f"{announced['url']}/api/v1/users?search=status pr", headers=headers)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) in (0, -signal.SIGTERM)
    assert len(answer.json()) == 60
    assert len(answer.headers.get_list("date")) == 1
