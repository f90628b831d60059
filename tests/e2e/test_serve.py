"""`usersync serve` as it is run: where it listens, who gets a token, and runs that outlive it."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import yaml

import ledger as ledgers
from cli.main import attempt
from tests.e2e.served_office import PASSWORD, ServedOffice, prepared_office, row, served_office
from tests.loopback_certificate import certificate

PATIENCE = 60


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    capsys.readouterr()
    assert attempt(words) == code
    out, err = capsys.readouterr()
    return out + err


def run_of(office: ServedOffice, run_id: str) -> str:
    """Its status once it ended."""
    last = time.monotonic() + PATIENCE
    while time.monotonic() < last:
        with ledgers.open(office.ledger_url) as book:
            run = book.runs.get(run_id)
        if run.ended_at is not None:
            return run.status
        time.sleep(0.1)
    raise AssertionError(f"run {run_id} did not end")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--host", "0.0.0.0"], "open to the network without TLS"),
        (["--host", "::"], "open to the network without TLS"),
        (["--tls-cert", "nothing.pem"], "the file does not exist: nothing.pem"),
        (["--allow", "everybody"], "--allow everybody: this is no network"),
        (["--host", "192.0.2.7", "--proxy", "10.0.0.1"], "nothing can listen there"),
    ],
    ids=["everywhere", "everywhere on IPv6", "no certificate", "no network", "no address of ours"],
)
def test_it_does_not_start_where_it_should_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: list[str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = said(capsys, "serve", "--port", "0", *options, code=2)
    assert told in answer
    assert "the service was not started" in answer


def test_a_token_is_made_listed_used_and_revoked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with prepared_office(tmp_path, monkeypatch) as office:
        made = said(capsys, "token", "add", "portal", "--scope", "read", "--scope", "run", "--expires", "90d")
        token = made.split()[0]
        office.write_people([row(1)])
        with served_office(office) as running, httpx.Client(base_url=running.address) as client:
            bearer = {"Authorization": f"Bearer {token}"}
            assert client.get("/health").json() == {"status": "ok"}
            assert client.get("/api/syncs", headers=bearer).json()[0]["name"] == "staff"
            person = client.post("/api/syncs/staff/people/person00001", headers=bearer, timeout=PATIENCE)
            assert (person.status_code, person.json()["person"]["outcome"]) == (200, "created")
            listed = said(capsys, "token", "list")
            said(capsys, "token", "revoke", "portal")
            assert client.get("/api/syncs", headers=bearer).status_code == 401
        assert "portal" in listed
        assert "read, run" in listed
        (entry,) = json.loads(said(capsys, "audit", "--json"))
        told = said(capsys, "audit")
    assert (entry["who"], entry["client"], entry["status"]) == ("portal", "127.0.0.1", 200)
    assert entry["what"] == "POST /api/syncs/staff/people/person00001"
    assert "portal" in told
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert token.encode() not in file.read_bytes(), file
            assert PASSWORD.encode() not in file.read_bytes(), file


def test_a_run_goes_on_when_the_service_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with prepared_office(tmp_path, monkeypatch) as office:
        office.write_people([row(number) for number in range(300)])
        with served_office(office) as running:
            bearer = {"Authorization": f"Bearer {office.token('run')}"}
            started = httpx.post(
                f"{running.address}/api/syncs/staff/runs", json={}, headers=bearer, timeout=PATIENCE
            ).json()
        assert run_of(office, started["run"]) == "succeeded"
        assert len(office.bitbucket.state.snapshot()["users"]) == 301


def test_with_a_certificate_it_speaks_tls_and_says_that_it_always_will(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = certificate(tmp_path, "127.0.0.1")
    with prepared_office(tmp_path, monkeypatch) as office:
        options = ("--tls-cert", str(made.chain), "--tls-key", str(made.key))
        with served_office(office, *options) as running:
            trusting = ssl.create_default_context(cafile=str(made.authority))
            with httpx.Client(verify=trusting) as client:
                answer = client.get(f"{running.address}/login")
    assert running.address.startswith("https://")
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert "server" not in answer.headers
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-usersync-before=")
    assert "Secure" in cookie


def test_a_proxy_that_is_declared_tells_who_asks_and_nobody_else_gets_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with prepared_office(tmp_path, monkeypatch) as office:
        with served_office(office, "--proxy", "127.0.0.1", "--allow", "2001:db8::/32") as running:
            statuses = [
                httpx.get(f"{running.address}/health", headers=[("X-Forwarded-For", one) for one in chain]).status_code
                for chain in (["2001:db8::7"], ["2001:db8::7", "203.0.113.9"], ["203.0.113.9", "2001:db8::7"], [])
            ]
        with served_office(office, "--proxy", "10.0.0.1") as running:
            statuses.append(httpx.get(f"{running.address}/health").status_code)
    assert statuses == [200, 403, 200, 403, 403]


def test_as_the_compose_file_starts_it_it_is_well_from_within_and_open_to_its_proxy_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (Path(__file__).parents[2] / "deploy" / "compose.yaml").read_text(encoding="utf-8")
    composed = yaml.safe_load(text)["services"]["serve"]
    told = composed["command"][2:]
    for named, instead in (("--host", "127.0.0.1"), ("--port", "0"), ("--syncs", "syncs")):
        told[told.index(named) + 1] = instead
    with prepared_office(tmp_path, monkeypatch) as office, served_office(office, *told) as running:
        _, python, *asked = composed["healthcheck"]["test"]
        assert python == "python"
        well = [word.replace(":8642/", f":{httpx.URL(running.address).port}/") for word in asked]
        assert subprocess.run([sys.executable, *well], check=False).returncode == 0
        plain = [word.replace("X-Forwarded-For", "X-Else") for word in well]
        refused = subprocess.run([sys.executable, *plain], check=False, capture_output=True, text=True)
    assert (refused.returncode, "403" in refused.stderr) == (1, True)


def test_what_is_pushed_to_the_service_is_kept_and_noted_with_who_sent_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with prepared_office(tmp_path, monkeypatch) as office:
        said(capsys, "scim", "add", "entra")
        token = json.loads(said(capsys, "scim", "token", "entra", "--json"))["token"]
        forwarded = {"X-Forwarded-For": "198.51.100.4, 2001:db8::7", "Host": "evil.example"}
        jane = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "jane", "externalId": "1"}
        public = ("--public-url", "https://usersync.example.com", "--proxy", "127.0.0.1", "--allow", "2001:db8::/32")
        with served_office(office, *public) as running, httpx.Client(base_url=running.address) as client:
            client.headers.update(forwarded)
            users = "/scim/entra/v2/Users"
            assert client.post(users, json=jane).status_code == 401
            client.headers["Authorization"] = f"Bearer {token}"
            made = client.post(users, json=jane)
            assert made.status_code == 201, made.text
            assert made.headers["location"] == f"https://usersync.example.com{users}/{made.json()['id']}"
            elsewhere = client.get(users, headers={"X-Forwarded-For": "2001:db8::7, 198.51.100.4"})
            assert elsewhere.status_code == 403
            assert client.get("/api/syncs").status_code == 401, "a token of SCIM opens nothing else"
        with served_office(office) as running:
            assert httpx.get(f"{running.address}{users}", headers=client.headers).status_code == 303, "asks to sign in"
        with ledgers.open(office.ledger_url) as book:
            (connector,) = book.scim.connectors.all()
            (noted,) = book.scim.audit(connector.id)
            (pushed,) = book.scim.pushed(connector.id).people
    assert (noted.client, noted.resource_id) == ("2001:db8::7", made.json()["id"])
    assert json.loads(pushed[1])["userName"] == "jane"


def test_a_public_address_that_is_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    told = said(capsys, "serve", "--port", "0", "--public-url", "usersync.example.com", code=2)
    assert "no address that clients can use" in told


def test_a_hook_at_login_gives_an_account_to_who_logs_in_and_nobody_else_may_call_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = "Basic T2t0YTpHcmVlbi1QYXN0dXJlLTk0MTI="
    monkeypatch.setenv("OKTA_HOOK", secret)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    user = {"id": "00u1", "profile": {"login": "person00001@example.com", "locale": "en"}}
    login = {
        "source": "https://example.okta.com/app/bitbucket_1/exk1/sso/saml",
        "eventId": "XMFoHCM1S4Wi_SGWzL8T9A",
        "eventTime": now,
        "eventType": "com.okta.saml.tokens.transform",
        "data": {"context": {"user": user}, "assertion": {"subject": {"nameId": "person00001@example.com"}}},
    }
    with prepared_office(tmp_path, monkeypatch) as office:
        office.write_people([row(1), row(2)])
        with (office.folder / "syncs" / "staff.yaml").open("a", encoding="utf-8") as file:
            file.write("at_login:\n  okta: {secret: 'env:OKTA_HOOK'}\n")
        with served_office(office) as running, httpx.Client(base_url=running.address, timeout=PATIENCE) as client:
            challenge = client.get("/hooks/staff/okta-events", headers={"X-Okta-Verification-Challenge": "abc"})
            assert challenge.json() == {"verification": "abc"}
            assert client.post("/hooks/staff/okta", json=login).status_code == 401
            for _ in range(2):
                answer = client.post("/hooks/staff/okta", json=login, headers={"Authorization": secret})
                assert (answer.status_code, answer.json()) == (200, {"commands": []})
            # Stopped while the work may still go on: the service waits for what has begun.
        again, first, stranger = json.loads(said(capsys, "audit", "--json"))
        assert (again["details"]["replayed"], again["details"]["runs"]) == (1, {})
        assert first["details"]["runs"]["person00001@example.com"]["status"] == "succeeded"
        assert (first["who"], first["what"], stranger["status"]) == ("hook okta", "POST /hooks/staff/okta", 401)
        assert set(office.bitbucket.state.snapshot()["users"]) == {"admin", "person00001"}


def test_a_push_wakes_a_sync_of_whom_it_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = ["urn:ietf:params:scim:schemas:core:2.0:User"]
    with prepared_office(tmp_path, monkeypatch) as office:
        said(capsys, "scim", "add", "entra")
        token = json.loads(said(capsys, "scim", "token", "entra", "--json"))["token"]
        file = office.folder / "syncs" / "staff.yaml"
        target = file.read_text(encoding="utf-8").split("target:")[1]
        source = "  kind: scim\n  connector: entra\n  wake: {quiet_seconds: 3, people: 1}\n"
        file.write_text(f"source:\n{source}target:{target}", encoding="utf-8")
        with served_office(office, "--public-url", "https://usersync.example.com") as running:
            bearer = {"Authorization": f"Bearer {token}"}
            users = f"{running.address}/scim/entra/v2/Users"
            for names in (["ann"], ["ben", "cleo"]):
                for name in names:
                    jane = {"schemas": schema, "userName": name, "emails": [{"value": f"{name}@example.com"}]}
                    assert httpx.post(users, json=jane, headers=bearer, timeout=PATIENCE).status_code == 201
                wait_for(lambda: not outbox(office))
        with ledgers.open(office.ledger_url) as book:
            modes = {(run.mode, run.status) for run in book.runs.latest(sync="staff")}
        assert {("person", "succeeded"), ("sync", "succeeded")} <= modes
        assert set(office.bitbucket.state.snapshot()["users"]) == {"admin", "ann", "ben", "cleo"}


def outbox(office: ServedOffice) -> list[str]:
    with ledgers.open(office.ledger_url) as book:
        return [one.resource_id for one in book.scim.touched(book.scim.connectors.get("entra").id)]


def wait_for(true: Callable[[], bool]) -> None:
    last = time.monotonic() + 3 * PATIENCE
    while not true():
        assert time.monotonic() < last
        time.sleep(0.1)
