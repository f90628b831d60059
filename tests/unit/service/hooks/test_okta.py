"""Okta's inline hooks and event hooks."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.service.conftest import Office, on_both_databases
from tests.unit.service.hooks.conftest import SECRET, Called, calling
from tests.unit.service.hooks.payloads import Issuer, as_json, log_event, okta_events, okta_inline, party

NOTHING: dict[str, list[str]] = {"commands": []}


@pytest.mark.parametrize("kind", ["com.okta.saml.tokens.transform", "com.okta.oauth2.tokens.transform"])
async def test_who_logs_in_is_brought_up_to_date(called: Called, kind: str) -> None:
    answer = await called.post("okta", okta_inline(kind=kind), authorization=SECRET)
    assert (answer.status_code, answer.json()) == (200, NOTHING)
    assert answer.headers["content-type"] == "application/json"
    noted = await called.noted()
    assert called.accounts() == {"ann"}
    assert (noted.who, noted.client, noted.what) == ("hook okta", "192.0.2.7", "POST /hooks/staff/okta")
    assert noted.status == 200
    assert noted.details["runs"]["ann@example.com"]["status"] == "succeeded"
    assert called.office.ledger.runs.get(noted.details["runs"]["ann@example.com"]["run"]).mode == "person"


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Basic bm90aGluZw=="}, {"authorization": ""}, {"x_secret": SECRET}],
    ids=["none", "another", "empty", "in another header"],
)
@pytest.mark.parametrize("kind", ["okta", "okta-events"])
async def test_without_the_secret_nothing_is_done(called: Called, kind: str, headers: dict[str, str]) -> None:
    payload = okta_inline() if kind == "okta" else okta_events(log_event(party("ann@example.com")))
    answer = await called.post(kind, payload, **headers)
    assert answer.status_code == 401
    noted = await called.noted()
    assert (noted.status, "refused" in noted.details, "people" in noted.details) == (401, True, False)
    assert called.office.ledger.runs.latest(limit=1) == []


@pytest.mark.parametrize("seconds_ago", [400, -400], ids=["old", "from the future"])
async def test_a_call_of_another_time_is_refused(called: Called, seconds_ago: float) -> None:
    answer = await called.post("okta", okta_inline(seconds_ago=seconds_ago), authorization=SECRET)
    assert answer.status_code == 401
    assert "more than 300 seconds" in (await called.noted()).details["refused"]
    assert called.accounts() == set()


@on_both_databases
async def test_the_same_call_again_starts_nothing(called: Called) -> None:
    body = as_json(okta_inline())
    for _ in range(2):
        answer = await called.post("okta", body, authorization=SECRET)
        assert (answer.status_code, answer.json()) == (200, NOTHING), "Okta may have missed the first answer"
        noted = await called.noted()
    assert (noted.details["replayed"], noted.details["runs"]) == (1, {})
    assert len(called.office.ledger.runs.latest(limit=9)) == 1


async def test_a_token_for_a_client_is_about_nobody(called: Called) -> None:
    payload = okta_inline(None, kind="com.okta.oauth2.tokens.transform")
    assert (await called.post("okta", payload, authorization=SECRET)).json() == NOTHING
    assert (await called.noted()).details["people"] == []


@pytest.mark.parametrize(
    "payload",
    [
        {**okta_inline(event="one"), "eventType": "com.okta.user.credential.password.import"},
        {key: value for key, value in okta_inline(event="two").items() if key != "eventTime"},
        {"data": [], "eventId": 7},
    ],
    ids=["another hook", "no time", "another form"],
)
async def test_what_okta_does_not_document_lets_the_login_go_on(called: Called, payload: dict[str, Any]) -> None:
    answer = await called.post("okta", payload, authorization=SECRET)
    assert (answer.status_code, answer.json()) == (200, NOTHING)
    assert (await called.noted()).details["trouble"]
    assert called.accounts() == set()


async def test_the_verification_of_an_event_hook_is_answered(called: Called) -> None:
    given = {"X-Okta-Verification-Challenge": 'a"b'}
    answer = await called.client.get("/hooks/staff/okta-events", headers=given)
    assert (answer.status_code, answer.json()) == (200, {"verification": 'a"b'})
    assert (await called.client.get("/hooks/staff/okta-events")).status_code == 405
    assert (await called.client.get("/hooks/staff/okta", headers=given)).status_code == 405


@on_both_databases
async def test_events_are_about_whom_something_was_done_to_else_about_who_did_it(called: Called) -> None:
    admin = party("dan@example.com")
    delivery = okta_events(
        log_event(party("ann@example.com")),
        log_event(admin, party("ben@example.com"), party("bb-dev", kind="UserGroup")),
        log_event(party("cleo@example.com"), result="FAILURE"),
        log_event(party("dan@example.com", kind="SystemPrincipal")),
    )
    answer = await called.post("okta-events", delivery, authorization=SECRET)
    assert (answer.status_code, answer.content) == (200, b"")
    assert (await called.noted()).details["people"] == ["ann@example.com", "ben@example.com"]
    assert called.accounts() == {"ann", "ben"}


async def test_an_event_that_is_delivered_again_in_another_call_starts_nothing(called: Called) -> None:
    first = log_event(party("ann@example.com"))
    await called.post("okta-events", okta_events(first), authorization=SECRET)
    await called.noted()
    second = log_event(party("ben@example.com"))
    await called.post("okta-events", okta_events(first, second), authorization=SECRET)
    noted = await called.noted()
    assert (noted.details["replayed"], noted.details["people"]) == (1, ["ben@example.com"])


def oauth(keys: Issuer) -> str:
    return (
        "at_login:\n  wait_seconds: 2.5\n  okta:\n    oauth:\n      issuer: https://example.okta.com/oauth2/default\n"
        f"      audience: api://default\n      client_id: 0oa1\n      keys_url: {keys.url}\n"
    )


CLAIMS: dict[str, Any] = {"iss": "https://example.okta.com/oauth2/default", "aud": "api://default", "cid": "0oa1"}


async def test_a_token_of_the_authorization_server_opens_an_inline_hook(hooked: Office, keys: Issuer) -> None:
    hooked.write_sync_file(oauth(keys))
    async with calling(hooked) as called:
        answer = await called.post("okta", okta_inline(), authorization=f"Bearer {keys.token(**CLAIMS)}")
        assert (answer.status_code, answer.json()) == (200, NOTHING)
        await called.noted()
        assert called.accounts() == {"ann"}
        assert (await called.post("okta", okta_inline(), authorization=SECRET)).status_code == 401
        stranger = keys.token(**{**CLAIMS, "cid": "0oa2"})
        assert (await called.post("okta", okta_inline(), authorization=f"Bearer {stranger}")).status_code == 401
        assert (await called.post("okta-events", okta_events(), authorization=SECRET)).status_code == 404
