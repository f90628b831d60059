"""Entra's custom authentication extension."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.unit.service.conftest import Office
from tests.unit.service.hooks.conftest import Called, calling
from tests.unit.service.hooks.payloads import TENANT, Issuer, as_json, entra_event

NOTHING = {
    "data": {
        "@odata.type": "microsoft.graph.onTokenIssuanceStartResponseData",
        "actions": [
            {
                "@odata.type": "microsoft.graph.tokenIssuanceStart.provideClaimsForToken",
                "claims": {"apiVersion": "1.0.0"},
            }
        ],
    }
}


@pytest.mark.parametrize(
    "claims",
    [{}, {"iss": f"https://sts.windows.net/{TENANT}/", "azp": None, "appid": "99045FE1-7639-4A75-9D4A-577B6CA3810F"}],
    ids=["version 2", "version 1"],
)
async def test_who_logs_in_is_brought_up_to_date(called: Called, keys: Issuer, claims: dict[str, Any]) -> None:
    token = keys.token(**claims) if "appid" not in claims else without_azp(keys, claims)
    answer = await called.post("entra", entra_event(), authorization=f"Bearer {token}")
    assert (answer.status_code, answer.json()) == (200, NOTHING)
    assert answer.headers["content-type"] == "application/json"
    noted = await called.noted()
    assert noted.details["runs"]["ann@example.com"]["status"] == "succeeded"
    assert called.accounts() == {"ann"}


def without_azp(keys: Issuer, claims: dict[str, Any]) -> str:
    from joserfc import jwt

    from tests.unit.service.hooks.payloads import APP

    given = {key: value for key, value in claims.items() if value is not None}
    return jwt.encode({"alg": "RS256", "kid": "k1"}, {"aud": APP, "exp": int(time.time()) + 60, **given}, keys.key)


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"aud": "another"}, "another audience"),
        ({"azp": "another"}, "another application"),
        ({"iss": "https://login.microsoftonline.com/another/v2.0"}, "another issuer"),
        ({"exp": 1_700_000_000}, "expired"),
        ({"nbf": 4_000_000_000}, "not good yet"),
        ({"exp": "never"}, "until when"),
        ({"kid": "k2"}, "no such key"),
        ({"key": "other"}, "not signed as it should be"),
    ],
    ids=["audience", "caller", "issuer", "expired", "not yet", "no end", "unknown key", "another key"],
)
async def test_a_token_that_is_not_entras_or_not_for_us_is_refused(
    called: Called, keys: Issuer, claims: dict[str, Any], reason: str
) -> None:
    given = {**claims, "key": keys.other} if "key" in claims else claims
    answer = await called.post("entra", entra_event(), authorization=f"Bearer {keys.token(**given)}")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert reason in (await called.noted()).details["refused"]
    assert reason not in answer.text
    assert called.office.ledger.runs.latest(limit=1) == []


@pytest.mark.parametrize(
    "header",
    [None, "Bearer", "Bearer a.b.c", "Bearer eyJhbGciOiJub25lIiwia2lkIjoiazEifQ.e30.", "Basic YTpi"],
    ids=["none", "no token", "no JWT", "not signed", "another scheme"],
)
async def test_what_is_no_token_is_refused(called: Called, header: str | None) -> None:
    headers = {} if header is None else {"authorization": header}
    assert (await called.post("entra", entra_event(), **headers)).status_code == 401
    assert "refused" in (await called.noted()).details


async def test_an_event_of_another_tenant_is_refused(called: Called, keys: Issuer) -> None:
    event = entra_event(tenant="00000000-4b5c-4d6e-8f70-112233445566")
    assert (await called.post("entra", event, authorization=f"Bearer {keys.token()}")).status_code == 401


async def test_the_same_event_again_starts_nothing_and_the_login_goes_on(called: Called, keys: Issuer) -> None:
    body = as_json(entra_event())
    for _ in range(2):
        answer = await called.post("entra", body, authorization=f"Bearer {keys.token()}")
        assert (answer.status_code, answer.json()) == (200, NOTHING), "Entra fails the login otherwise"
        noted = await called.noted()
    assert noted.details["replayed"] == 1
    assert len(called.office.ledger.runs.latest(limit=9)) == 1


async def test_one_token_may_serve_for_several_logins(called: Called, keys: Issuer) -> None:
    token = f"Bearer {keys.token()}"
    for name in ("ann@example.com", "ben@example.com"):
        await called.post("entra", entra_event(name), authorization=token)
        await called.noted()
    assert called.accounts() == {"ann", "ben"}


async def test_a_guest_is_called_by_their_mail(called: Called, keys: Issuer) -> None:
    event = entra_event("ann_example.com#EXT#@contoso.onmicrosoft.com", mail="ann@example.com")
    await called.post("entra", event, authorization=f"Bearer {keys.token()}")
    assert (await called.noted()).details["people"] == ["ann@example.com"]


async def test_keys_are_fetched_once_and_an_unknown_one_makes_us_look_again_but_not_often(
    called: Called, keys: Issuer
) -> None:
    before = keys.asked
    for kid in ("k1", "k1", "k7", "k8"):
        await called.post("entra", entra_event(), authorization=f"Bearer {keys.token(kid=kid)}")
        await called.noted()
    assert keys.asked - before == 1


async def test_where_the_keys_cannot_be_had_the_login_goes_on_and_nobody_is_worked_for(
    hooked: Office, keys: Issuer
) -> None:
    text = (hooked.folder / "syncs" / "staff.yaml").read_text(encoding="utf-8").replace(keys.url, "http://127.0.0.1:9/")
    (hooked.folder / "syncs" / "staff.yaml").write_text(text, encoding="utf-8")
    async with calling(hooked) as called:
        answer = await called.post("entra", entra_event(), authorization=f"Bearer {keys.token()}")
        assert (answer.status_code, answer.json()) == (200, NOTHING)
        noted = await called.noted()
    assert noted.details["trouble"]
    assert called.accounts() == set()
