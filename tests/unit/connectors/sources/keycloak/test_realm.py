"""Tokens that say what they give, lists that never end, and answers that are not Keycloak's."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.sources.keycloak import KeycloakSettings, KeycloakSource
from connectors.sources.keycloak.listing import read_list
from connectors.sources.keycloak.realm import Realm
from connectors.sources.keycloak.wire import MemberRow
from directory.errors import ConfigurationError, CredentialsRefused
from sandbox.serving import served

READER: dict[str, Any] = {"exp": 160, "iat": 100, "resource_access": {"realm-management": {"roles": ["view-users"]}}}


def token(claims: object) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{payload}.c2lnbmF0dXJl"


@contextmanager
def server(access_token: str, answer: object) -> Iterator[str]:
    """Gives one token and one answer, whatever it is asked."""

    async def grant(_: Request) -> Response:
        return JSONResponse({"access_token": access_token, "expires_in": 60})

    async def say(_: Request) -> Response:
        return JSONResponse(answer)

    routes = [Route("/realms/r/protocol/openid-connect/token", grant, methods=["POST"]), Route("/{rest:path}", say)]
    with served(Starlette(routes=routes)) as url:
        yield url


def settings(url: str) -> KeycloakSettings:
    return KeycloakSettings(url=url, realm="r", client_id="c", client_secret="env:KEYCLOAK_SECRET")


@asynccontextmanager
async def realm(url: str) -> AsyncIterator[Realm]:
    made = Realm(settings(url))
    try:
        yield made
    finally:
        await made.client.aclose()


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYCLOAK_SECRET", "s")


async def test_a_token_tells_roles_and_lifespan():
    with server(token(READER), 7) as url:
        async with realm(url) as made:
            await made.client.get_json("users/count", decode=int)
            assert made.claims.roles == frozenset({"view-users"})
            assert made.claims.lifespan == 60
            made.require_role()


@pytest.mark.parametrize("opaque", ["opaque", "a.b", "a.!!!.c", token([1]), token({"sub": "x"}), token({"exp": "x"})])
async def test_a_token_that_tells_nothing_is_no_reason_to_refuse(opaque: str):
    with server(opaque, 7) as url:
        async with realm(url) as made:
            await made.client.get_json("users/count", decode=int)
            assert made.claims.roles is None
            made.require_role()


@pytest.mark.parametrize("roles", [[], ["query-users", "query-groups"], ["view-realm"]])
async def test_a_token_without_the_role_is_refused_although_the_server_answers(roles: list[str]):
    claims = {"resource_access": {"realm-management": {"roles": roles}, "account": {"roles": ["view-users"]}}}
    with server(token(claims), 7) as url:
        source = KeycloakSource(settings(url))
        (finding,) = await source.check()
        await source.close()
    assert finding.level == "problem"
    assert "lacks the role view-users of realm-management" in finding.what


async def test_a_list_whose_pages_are_all_the_same_ends_and_is_not_linked():
    rows = [{"id": str(number)} for number in range(11)]
    with server(token(READER), rows) as url:
        async with realm(url) as made:
            listing = await read_list(made.client, "groups/x/members", MemberRow, 10)
            assert made.client.requests == 3
    assert not listing.linked
    assert len(listing.rows) == 11


async def test_a_list_that_ends_with_a_full_page_needs_no_empty_one():
    rows = [{"id": str(number)} for number in range(10)]
    with server(token(READER), rows) as url:
        async with realm(url) as made:
            listing = await read_list(made.client, "groups/x/members", MemberRow, 10)
            assert made.client.requests == 2
    assert listing.linked
    assert list(listing.rows) == [str(number) for number in range(10)]


async def test_an_address_that_is_none_is_a_setting_to_mend():
    source = KeycloakSource(settings("id.example.org"))
    with pytest.raises(ConfigurationError, match="must look like https"):
        await source.read()
    assert [finding.level for finding in await source.check()] == ["problem"]


async def test_an_address_without_keycloak_behind_it_names_the_url():
    async def nothing(_: Request) -> Response:
        return JSONResponse({"error": "Unable to find matching target resource method"}, 404)

    with served(Starlette(routes=[Route("/{rest:path}", nothing, methods=["GET", "POST"])])) as url:
        source = KeycloakSource(settings(url))
        with pytest.raises(CredentialsRefused, match="check `url`"):
            await source.read()
        await source.close()
