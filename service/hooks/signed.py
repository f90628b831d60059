"""Bearer tokens that are signed JWTs (RFC 7519), and the public keys that prove them (RFC 7517)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, KeySetSerialization
from joserfc.jws import extract_compact

from connectors.http.client import HttpClient, Timeouts
from connectors.http.retry import RetryPolicy
from directory.errors import Fatal, UsersyncError
from service.access.bearer import bearer
from service.hooks.contract import Call, NotAuthentic, one_header

__all__ = ["Expected", "Keys", "claims_of"]

_ALGORITHMS = ["RS256"]
_LEEWAY = 120.0
_KEPT_SECONDS = 6 * 3600.0
_AGAIN_SECONDS = 30.0
"""Whoever names a key that is not known makes us look once in this time, and not more often."""
_LONGEST = 16_384
"""Characters of a token, which is a whole JWT."""


class Expected(NamedTuple):
    keys_url: str
    issuers: frozenset[str]
    audience: str


class _Kept(NamedTuple):
    keys: dict[str, Any]
    at: float


class Keys:
    """Public keys by their address, fetched when one is needed and kept for hours. For one event loop."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._tried: dict[str, float] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def get(self, url: str, key_id: str) -> Any:
        """The key, or None where there is none of that id. Raises UsersyncError where the keys cannot be had."""
        known = self._fresh(url, key_id)
        if known is not None:
            return known
        async with self._locks.setdefault(url, asyncio.Lock()):
            known = self._fresh(url, key_id)
            if known is not None:
                return known
            kept = self._kept.get(url)
            if self._clock() - self._tried.get(url, float("-inf")) > _AGAIN_SECONDS:
                self._tried[url] = self._clock()
                try:
                    kept = self._kept[url] = _Kept(await _fetched(url), self._clock())
                except UsersyncError:
                    if kept is None or key_id not in kept.keys:
                        raise
            if kept is None:
                raise Fatal("the keys that prove who asks could not be fetched a moment ago", subject=url)
            return kept.keys.get(key_id)

    def _fresh(self, url: str, key_id: str) -> Any:
        kept = self._kept.get(url)
        return kept.keys.get(key_id) if kept is not None and self._clock() - kept.at < _KEPT_SECONDS else None


async def _fetched(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    timeouts = Timeouts(connect=3, read=3, write=3, pool=3)
    async with HttpClient(
        f"{parts.scheme}://{parts.netloc}",
        name="the issuer of tokens",
        side="source",
        retry=RetryPolicy(attempts=1, malformed_attempts=1),
        timeouts=timeouts,
    ) as client:
        said: KeySetSerialization = await client.get_json(url, decode=KeySetSerialization)
    try:
        found = KeySet.import_key_set(said)
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise Fatal(f"what was fetched is no set of keys: {type(error).__name__}", subject=url) from None
    return {key.kid: key for key in found.keys if key.kid and key.key_type == "RSA"}


async def claims_of(call: Call, keys: Keys, expected: Expected) -> Mapping[str, Any]:
    """The claims of a token that is signed, meant for us and good now.

    Raises NotAuthentic, and UsersyncError where the keys cannot be had.
    """
    token = bearer(one_header(call, "authorization"), longest=_LONGEST)
    if token is None:
        raise NotAuthentic("there is no bearer token")
    key_id = _key_id(token)
    key = await keys.get(expected.keys_url, key_id)
    if key is None:
        raise NotAuthentic("the issuer has no such key as the token is signed with")
    try:
        claims = jwt.decode(token, key, algorithms=_ALGORITHMS).claims
    except (JoseError, ValueError, TypeError) as error:
        raise NotAuthentic(f"the token is not signed as it should be: {type(error).__name__}") from None
    _judge(claims, expected)
    return claims


def _key_id(token: str) -> str:
    try:
        header = extract_compact(token.encode()).headers()
    except (JoseError, ValueError, TypeError) as error:
        raise NotAuthentic(f"the token is no JWT: {type(error).__name__}") from None
    if header.get("alg") not in _ALGORITHMS or not isinstance(header.get("kid"), str):
        raise NotAuthentic("the token names no key, or another algorithm than RS256")
    return str(header["kid"])


def _judge(claims: Mapping[str, Any], expected: Expected) -> None:
    audience = claims.get("aud")
    if claims.get("iss") not in expected.issuers:
        raise NotAuthentic("the token is of another issuer")
    if expected.audience not in (audience if isinstance(audience, list) else [audience]):
        raise NotAuthentic("the token is meant for another audience")
    ends, begins = claims.get("exp"), claims.get("nbf", 0)
    if not isinstance(ends, int | float) or not isinstance(begins, int | float):
        raise NotAuthentic("the token does not say until when it is good")
    if not begins - _LEEWAY <= time.time() <= ends + _LEEWAY:
        raise NotAuthentic("the token is expired, or not good yet")
