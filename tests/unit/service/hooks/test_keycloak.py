"""Events of Keycloak that an event listener posts and signs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.service.conftest import Office
from tests.unit.service.hooks.conftest import Called, calling
from tests.unit.service.hooks.payloads import as_json, keycloak_event, signed

KEY = "A3jt6D8lz"


async def sent(called: Called, payload: dict[str, Any], key: str = KEY, algorithm: str = "sha256") -> int:
    body = as_json(payload)
    answer = await called.post("keycloak", body, x_keycloak_signature=signed(body, key, algorithm))
    assert answer.content == b"" or answer.status_code != 200
    return answer.status_code


async def test_who_logs_in_is_brought_up_to_date(called: Called) -> None:
    assert await sent(called, keycloak_event()) == 200
    noted = await called.noted()
    assert (noted.who, noted.details["runs"]["ann"]["status"]) == ("hook keycloak", "succeeded")
    assert called.accounts() == {"ann"}


async def test_a_body_that_was_not_signed_so_is_refused(called: Called) -> None:
    body = as_json(keycloak_event())
    right = signed(body, KEY)
    for given in ({}, {"x_keycloak_signature": ""}, {"x_keycloak_signature": signed(body, "another")}):
        assert (await called.post("keycloak", body, **given)).status_code == 401
    changed = body.replace(b'"ann"', b'"ben"')
    assert (await called.post("keycloak", changed, x_keycloak_signature=right)).status_code == 401
    assert (await called.noted()).details["refused"]
    assert called.office.ledger.runs.latest(limit=1) == []


async def test_an_event_that_is_too_old_is_refused_and_one_that_was_sent_again_starts_nothing(called: Called) -> None:
    assert await sent(called, keycloak_event(seconds_ago=1500)) == 401
    late = keycloak_event(seconds_ago=800)
    assert await sent(called, late) == 200
    assert "replayed" not in (await called.noted()).details
    assert await sent(called, late) == 200, "the listener would send it again and again"
    assert (await called.noted()).details["replayed"] == 1


@pytest.mark.parametrize(
    ("kind", "more", "people"),
    [
        ("access.LOGIN_ERROR", {}, []),
        ("access.LOGIN", {"error": "invalid_user_credentials"}, []),
        ("admin.USER-UPDATE", {"resourcePath": "users/4-2", "details": {"username": "ben"}}, ["ben"]),
        ("admin.GROUP_MEMBERSHIP-CREATE", {"resourcePath": "users/2/groups/9", "details": {}}, ["2"]),
        ("admin.GROUP-UPDATE", {"resourcePath": "groups/9", "details": {}}, []),
    ],
    ids=["login failed", "error", "changed", "group joined", "group"],
)
async def test_whom_an_event_is_about(called: Called, kind: str, more: dict[str, Any], people: list[str]) -> None:
    assert await sent(called, keycloak_event(kind, **more)) == 200
    assert (await called.noted()).details["people"] == people


async def test_keycloaks_own_form_of_an_event_is_read_as_well(called: Called) -> None:
    form = {"id": "e1", "type": "LOGIN", "userId": "3", "details": {"username": "cleo"}}
    assert await sent(called, {**form, "time": keycloak_event()["time"]}) == 200
    assert (await called.noted()).details["people"] == ["cleo"]


async def test_sha_1_counts_only_where_the_sync_file_says_so(hooked: Office, called: Called) -> None:
    assert await sent(called, keycloak_event(), algorithm="sha1") == 401
    hooked.write_sync_file("at_login:\n  keycloak: {secret: 'env:KEYCLOAK_HOOK', algorithm: HmacSHA1}\n")
    async with calling(hooked) as again:
        assert await sent(again, keycloak_event(), algorithm="sha1") == 200
        await again.noted()
        assert await sent(again, keycloak_event()) == 401
