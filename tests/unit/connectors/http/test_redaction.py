"""No secret in logs, errors, reprs or the locals of a traceback."""

from __future__ import annotations

import html
import json
import logging
import traceback
from urllib.parse import quote, quote_plus

import pytest
from pydantic import SecretStr
from starlette.responses import PlainTextResponse

from connectors.http.auth import ClientSecret, TokenProvider, basic, bearer
from connectors.http.client import HttpClient
from connectors.http.library import httpx
from connectors.http.redaction import HIDDEN, Redactor, hide_secrets_in_library_logs, redacted
from connectors.http.retry import RetryPolicy
from directory.errors import UsersyncError
from tests.unit.connectors.http.small_server import BrokenAnswer, Sleeps, answering, ok, status

MARK = "MARKED-SECRET-91f3"


@pytest.mark.parametrize(
    "text",
    [
        f"POST https://b.example/admin/users?name=a&password={MARK}&notify=false",
        f"client_id=a&client_secret={MARK}&client_assertion={MARK}",
        f'{{"access_token": "{MARK}", "expires_in": 1}}',
        f"Authorization: SSWS {MARK}",
        f"(b'Set-Cookie', b'sid={MARK}; Path=/')",
        f"[('authorization', 'Bearer {MARK}'), ('accept', '*/*')]",
        f"https://user:{MARK}@proxy.example:3128",
        f"Basic {MARK}==",
    ],
)
def test_what_looks_like_a_credential_is_hidden(text):
    assert MARK not in redacted(text)


SPELT = 'Mark "7461" <a>/b+é&c'


@pytest.mark.parametrize(
    "written",
    [
        SPELT,
        json.dumps(SPELT),
        json.dumps(SPELT, ensure_ascii=False),
        html.escape(SPELT),
        html.escape(SPELT, quote=False),
        quote(SPELT),
        quote(SPELT, safe=""),
        quote_plus(SPELT),
    ],
)
def test_a_secret_is_hidden_however_an_answer_writes_it(written):
    hide = Redactor(lambda: [SPELT])
    assert hide(f"you sent {written}, which is wrong") == f"you sent {written}, which is wrong".replace(
        written.strip('"'), HIDDEN
    )


@pytest.mark.parametrize("length", range(5, len(MARK)))
def test_a_secret_that_was_cut_off_at_the_end_is_hidden(length):
    hide = Redactor(lambda: [MARK])
    assert hide(f"you sent {MARK[:length]}") == f"you sent {HIDDEN}"
    assert hide(f"you sent {MARK[:length]} twice") == f"you sent {MARK[:length]} twice"


def test_ordinary_text_stays_as_it_is():
    text = "GET https://okta.example/api/v1/users?limit=200&search=status pr&after=200abc gave HTTP 404"
    assert redacted(text) == text


def whole_traceback(error: BaseException) -> str:
    """What a reporter with local variables would print of our frames, for the error and for what it came from."""
    text = ""
    while True:
        text += repr(error) + str(error)
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if "/tests/" not in frame.f_code.co_filename:
                text += f"{frame.f_code.co_qualname}: {frame.f_locals!r}\n"
        earlier = error.__cause__ or error.__context__
        if earlier is None:
            return text
        error = earlier


@pytest.mark.parametrize(
    "auth",
    [basic("admin", SecretStr(MARK)), bearer(SecretStr(MARK))],
    ids=["basic", "bearer"],
)
@pytest.mark.parametrize(
    "answer",
    [
        status(401, {"m": MARK}),
        status(503),
        status(500),
        BrokenAnswer(),
        PlainTextResponse(f"bad password={MARK}", 500),
        ok({"password": MARK}, set_cookie=f"s={MARK}"),
    ],
    ids=["401", "503", "500", "broken", "echo", "ok"],
)
async def test_no_secret_shows_whatever_happens(auth, answer, caplog):
    caplog.set_level(logging.DEBUG)
    caught: list[UsersyncError] = []
    with answering(answer) as server:
        retry = RetryPolicy(attempts=2)
        async with HttpClient(server.url, name="x", side="target", auth=auth, retry=retry, sleep=Sleeps()) as client:
            for method in ("GET", "POST"):
                try:
                    shown = await client.request(
                        method, "/admin/users", params={"name": "a", "password": SecretStr(MARK)}
                    )
                    assert MARK not in repr(shown)
                except UsersyncError as error:
                    caught.append(error)
            shown_client = repr(client) + repr(vars(client))
        assert any(f"password={MARK}" in asked.query for asked in server.asked)
    assert MARK not in shown_client
    assert MARK not in caplog.text
    assert not [record for record in caplog.records if MARK in str(vars(record))]
    for one in caught:
        assert MARK not in whole_traceback(one)


@pytest.mark.parametrize("code", [302, 400, 403, 404, 418])
async def test_an_answer_that_echoes_a_secret_is_quoted_without_it(code):
    echo = PlainTextResponse(f"{MARK} is not valid", code, headers={"location": f"/login?password={MARK}"})
    with answering(echo) as server:
        async with HttpClient(server.url, name="x", side="source", auth=bearer(SecretStr(MARK))) as client:
            with pytest.raises(UsersyncError, match=r"\[hidden\] is not valid") as caught:
                await client.get_json("/users", decode=list[int])
    assert MARK not in whole_traceback(caught.value)


async def test_no_client_secret_and_no_token_shows_when_a_token_is_refused(caplog):
    caplog.set_level(logging.DEBUG)

    def refuse(request):
        return ok({"access_token": MARK, "expires_in": 60}) if request.url.path == "/token" else status(401)

    for script in (refuse, status(400, {"error": "invalid_client", "error_description": MARK}), status(500)):
        with answering(script) as server:
            provider = TokenProvider(f"{server.url}/token", ClientSecret("c", SecretStr(MARK), in_body=True))
            retry = RetryPolicy(attempts=2)
            async with HttpClient(
                server.url, name="x", side="source", auth=provider, retry=retry, sleep=Sleeps()
            ) as client:
                with pytest.raises(UsersyncError) as caught:
                    await client.get_json("/x", decode=list[int])
            assert f"client_secret={MARK}".encode() in server.asked[0].body
        assert MARK not in whole_traceback(caught.value)
    assert MARK not in caplog.text


async def test_the_librarys_own_log_lines_never_carry_a_password(caplog):
    caplog.set_level(logging.DEBUG)
    hide_secrets_in_library_logs()
    with answering(ok(set_cookie=f"s={MARK}")) as server:
        async with httpx.AsyncClient() as plain:
            await plain.get(f"{server.url}/users?name=a&password={MARK}")
    assert "HTTP Request: GET" in caplog.text
    assert "password=[hidden]" in caplog.text
    assert MARK not in caplog.text
