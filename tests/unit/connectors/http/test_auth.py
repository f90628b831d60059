"""Credentials: sent at once, renewed in time, and never tried again after a refusal."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs

import pytest
from joserfc import jwk, jwt
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connectors.http.auth import ClientAssertion, ClientSecret, TokenProvider, basic, ssws
from connectors.http.client import HttpClient
from connectors.http.ratelimit import Limits
from connectors.http.retry import RetryPolicy
from directory.errors import ConfigurationError, CredentialsRefused
from tests.unit.connectors.http.small_server import Sleeps, SmallServer, answering, ok, status

RSA = jwk.RSAKey.generate_key(2048)
EC = jwk.ECKey.generate_key("P-384")


class TokenServer:
    """Gives tokens t1, t2, ... and accepts only the newest."""

    def __init__(self, expires_in: int = 3600) -> None:
        self.given = 0
        self.revoked: set[str] = set()
        self.expires_in = expires_in

    def __call__(self, request: Request) -> Response:
        if request.url.path == "/token":
            self.given += 1
            return ok({"access_token": f"t{self.given}", "expires_in": self.expires_in, "token_type": "Bearer"})
        sent = request.headers.get("authorization", "")
        good = sent == f"Bearer t{self.given}" and sent.removeprefix("Bearer ") not in self.revoked
        return ok([1]) if good else status(401)


def token_client(server: SmallServer, **options: Any) -> HttpClient:
    clock = options.pop("clock", None)
    provider = TokenProvider(
        f"{server.url}/token",
        ClientSecret("client", SecretStr("s3cret-value")),
        scope="read",
        **({"clock": clock} if clock else {}),
    )
    return HttpClient(server.url, name="Example", side="source", auth=provider, sleep=Sleeps(), **options)


async def test_basic_credentials_go_out_with_the_first_request():
    with answering(ok()) as server:
        async with HttpClient(
            server.url, name="x", side="target", auth=basic("admin", SecretStr("pässword"))
        ) as client:
            await client.get_json("/x", decode=list[int])
        assert server.asked[0].headers["authorization"] == "Basic YWRtaW46cMOkc3N3b3Jk"


async def test_a_refused_static_token_stops_everything_at_once():
    with answering(status(401)) as server:
        async with HttpClient(server.url, name="Okta", side="source", auth=ssws(SecretStr("bad-token"))) as client:
            with pytest.raises(CredentialsRefused, match="Okta refused our credentials"):
                await client.get_json("/x", decode=list[int])
            for _ in range(3):
                with pytest.raises(CredentialsRefused):
                    await client.request("POST", "/x")
        assert len(server.asked) == 1


async def test_a_wrong_password_is_sent_once_however_many_requests_start_together():
    with answering(status(401)) as server:
        limits = Limits(concurrency=20)
        auth = basic("admin", SecretStr("wrong-password"))
        async with HttpClient(server.url, name="Bitbucket", side="target", auth=auth, limits=limits) as client:
            results = await asyncio.gather(
                *(client.get_json("/x", decode=list[int]) for _ in range(20)), return_exceptions=True
            )
        assert all(isinstance(result, CredentialsRefused) for result in results)
        assert len(server.asked) == 1


async def test_a_connector_may_say_that_a_401_concerns_one_object():
    with answering(status(401), ok()) as server:
        client = HttpClient(server.url, name="x", side="target", refuses=lambda _answer: False)
        async with client:
            assert (await client.request("PUT", "/x")).status == 401
            assert (await client.request("PUT", "/x")).status == 200


async def test_one_token_is_fetched_for_many_requests_at_once():
    tokens = TokenServer()
    with answering(tokens) as server:
        async with token_client(server, limits=Limits(concurrency=8)) as client:
            await asyncio.gather(*(client.get_json("/x", decode=list[int]) for _ in range(30)))
            assert client.requests == 31
        form = parse_qs(server.asked[0].body.decode())
    assert tokens.given == 1
    assert form == {"grant_type": ["client_credentials"], "scope": ["read"]}


async def test_a_token_is_renewed_before_it_expires():
    tokens = TokenServer(expires_in=100)
    now = 0.0
    with answering(tokens) as server:
        async with token_client(server, clock=lambda: now) as client:
            for now, expected in ((0.0, 1), (74.0, 1), (76.0, 2), (150.0, 2), (152.0, 3)):  # noqa: B007
                await client.get_json("/x", decode=list[int])
                assert tokens.given == expected


async def test_a_token_revoked_in_mid_read_is_renewed_once_for_all():
    tokens = TokenServer()
    with answering(tokens) as server:
        async with token_client(server, limits=Limits(concurrency=4)) as client:
            await client.get_json("/x", decode=list[int])
            tokens.revoked.add("t1")
            await asyncio.gather(*(client.get_json("/x", decode=list[int]) for _ in range(12)))
    assert tokens.given == 2


async def test_a_fresh_token_that_is_refused_too_ends_it():
    def refuse(request):
        return ok({"access_token": "t", "expires_in": 60}) if request.url.path == "/token" else status(401)

    with answering(refuse) as server:
        async with token_client(server) as client:
            for _ in range(2):
                with pytest.raises(CredentialsRefused):
                    await client.get_json("/x", decode=list[int])
        assert [asked.path for asked in server.asked] == ["/token", "/x", "/token", "/x"]


async def test_a_refused_client_is_not_tried_again():
    refusal = JSONResponse({"error": "invalid_client", "error_description": "bad s3cret-value"}, 401)
    with answering(refusal) as server:
        async with token_client(server) as client:
            for _ in range(3):
                with pytest.raises(CredentialsRefused, match="invalid_client") as caught:
                    await client.get_json("/x", decode=list[int])
                assert "s3cret-value" not in str(caught.value)
        assert len(server.asked) == 1


async def test_a_token_endpoint_that_is_busy_is_asked_again():
    tokens = TokenServer()
    busy = [status(503), status(429, retry_after="1")]
    with answering(*busy, tokens) as server:
        async with token_client(server) as client:
            assert await client.get_json("/x", decode=list[int]) == [1]


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (EC, "ES384")])
@pytest.mark.parametrize("kind", ["pem", "jwk"])
async def test_an_assertion_is_signed_by_either_kind_of_key(key, algorithm, kind):
    text = key.as_pem(private=True).decode() if kind == "pem" else json.dumps(key.as_dict(private=True))
    credential = ClientAssertion("0oa1", SecretStr(text), key_id="k1")
    tokens = TokenServer()
    with answering(tokens) as server:
        provider = TokenProvider(f"{server.url}/token", credential, scope="okta.users.read")
        async with HttpClient(server.url, name="Okta", side="source", auth=provider) as client:
            await client.get_json("/x", decode=list[int])
        form = parse_qs(server.asked[0].body.decode())
        assert "authorization" not in server.asked[0].headers
    token = jwt.decode(form["client_assertion"][0], key, algorithms=[algorithm])
    assert token.header == {"alg": algorithm, "typ": "JWT", "kid": "k1"}
    assert token.claims["iss"] == token.claims["sub"] == "0oa1"
    assert token.claims["aud"] == f"{server.url}/token"
    assert 0 < token.claims["exp"] - token.claims["iat"] <= 3600


@pytest.mark.parametrize(
    "text",
    ["not a key", '{"kty": "oct", "k": "AAAA"}', RSA.as_pem(private=False).decode(), '{"kty"'],
    # Keys are made anew in every process, and tests must be called the same in all of them.
    ids=["text", "symmetric", "public", "cut off"],
)
def test_what_is_no_private_key_is_a_configuration_error_that_does_not_repeat_it(text):
    with pytest.raises(ConfigurationError) as caught:
        ClientAssertion("0oa1", SecretStr(text))
    assert text not in str(caught.value)


async def test_a_token_endpoint_that_stays_down_is_no_refusal():
    from directory.errors import SourceUnavailable

    with answering(status(500)) as server:
        async with token_client(server, retry=RetryPolicy(attempts=2)) as client:
            with pytest.raises(SourceUnavailable):
                await client.get_json("/x", decode=list[int])
