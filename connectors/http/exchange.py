"""One request and its answer. Failures come back as values, so no exception carries a frame that holds a secret."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode
from urllib.request import getproxies, proxy_bypass

import msgspec
from pydantic import SecretStr

from connectors.http.answer import Answer, decode_json
from connectors.http.auth import Fields
from connectors.http.library import LIBRARY_ERRORS, httpx, read_transport
from connectors.http.redaction import redacted
from connectors.http.retry import Verdict, is_concurrency_limit, seconds_to_wait

__all__ = ["Attempt", "Call", "Exchange", "Params", "Timeouts", "throttled"]

Scalar = str | int | float | bool | SecretStr | None
Params = Mapping[str, Scalar | Sequence[str]]
"""Query parameters: None is left out, a sequence is repeated, a `SecretStr` is shown to nobody but the server."""

_THROTTLED: Final = frozenset({429, 503})
_LOST: Final = frozenset({500, 502, 504})
_KEEPALIVE_SECONDS: Final = 4.0
"""Servers commonly close idle connections after five seconds, and a write on a dying one has no known outcome."""


@dataclass(frozen=True)
class Timeouts:
    """Seconds."""

    connect: float = 10.0
    read: float = 60.0
    write: float = 30.0
    pool: float = 60.0


@dataclass(slots=True)
class Call:
    """One request, before credentials are added. Secrets in it are still wrapped."""

    method: str
    url: str
    params: Params | None
    headers: Fields
    body: bytes | Fields | None
    is_read: bool
    decode: Any
    authenticated: bool
    renewed: bool = False
    """Whether fresh credentials were asked for already."""

    def __str__(self) -> str:
        return f"{self.method} {self.url.partition('?')[0]}"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one attempt."""

    verdict: Verdict
    answer: Answer | None = None
    reason: str = ""
    """In words, without secrets."""
    told: float | None = None
    """Seconds the server asks us to wait."""
    too_many_at_once: bool = False


class Exchange:
    """Builds requests, sends them over as many connections as are needed at a time, and judges what comes back."""

    def __init__(
        self, origin: str, host: str, headers: Mapping[str, str], timeouts: Timeouts, ca_file: Path | None
    ) -> None:
        scheme = origin.partition(":")[0]
        self._headers = dict(headers)
        self._extensions = {"timeout": vars(timeouts)}
        self._trust = _trust(scheme, ca_file)
        self._proxy = _proxy(scheme, host)
        # Reads are thousands, and cost half over aiohttp. But it may send an idempotent request again by itself, and
        # does not tell a request that was lost from one that was never sent: no matter for reads, fatal for writes.
        self._reads = read_transport(self._trust, self._proxy, keepalive_seconds=_KEEPALIVE_SECONDS)
        self._idle: list[httpx.AsyncHTTPTransport] = []
        self._all: list[httpx.AsyncHTTPTransport] = []

    async def aclose(self) -> None:
        await self._reads.aclose()
        for transport in self._all:
            await transport.aclose()
        self._all.clear()
        self._idle.clear()

    def _opened(self) -> httpx.AsyncHTTPTransport:
        """A transport of one connection. The library's own pool looks at all its connections for each request, which
        at ten of them costs a third of the request; the one used last is the likeliest to be open still."""
        if self._idle:
            return self._idle.pop()
        transport = httpx.AsyncHTTPTransport(
            verify=self._trust,
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=_KEEPALIVE_SECONDS),
            proxy=self._proxy,
        )
        self._all.append(transport)
        return transport

    async def send(self, call: Call, credentials: Mapping[str, str]) -> Attempt:
        # The transport alone, without the library's client around it: that one adds redirects, cookies and a log line
        # with the whole address, none of which is wanted, at an eighth of a request's cost.
        writer = None if call.is_read else self._opened()
        response: httpx.Response | None = None
        try:
            response = await (writer or self._reads).handle_async_request(self._request(call, credentials))
            content = await response.aread()
        except LIBRARY_ERRORS as error:
            if response is not None:
                await response.aclose()
            return Attempt(_verdict_on(error), reason=redacted(f"{type(error).__name__} {error}".strip()))
        except asyncio.CancelledError:
            if response is not None:
                await response.aclose()
            raise
        finally:
            if writer is not None:
                self._idle.append(writer)
        answer = Answer(call.method, call.url.partition("?")[0], response.status_code, response.headers, content)
        if 200 <= answer.status < 300:
            return Attempt(Verdict.FINAL, answer) if call.decode is None else _decoded(call, answer)
        return _judged(answer)

    def _request(self, call: Call, credentials: Mapping[str, str]) -> httpx.Request:
        headers = {**self._headers, **credentials, **_revealed(call.headers)}
        body: bytes | None = call.body if isinstance(call.body, bytes) else None
        if body is None and call.body is not None:
            body = urlencode(_revealed(call.body)).encode()  # type: ignore[arg-type]
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        return httpx.Request(
            call.method, _address(call), headers=headers, content=body, extensions=dict(self._extensions)
        )


def throttled(answer: Answer) -> Attempt:
    """The answer as one that says: nothing happened, ask again later."""
    reason = f"HTTP {answer.status}"
    if is_concurrency_limit(answer.status, answer.headers):
        return Attempt(Verdict.THROTTLED, answer, f"{reason}, too many requests at a time", too_many_at_once=True)
    told = seconds_to_wait(answer.headers)
    asked = "" if told is None else f", asking us to wait {told:.0f} s"
    return Attempt(Verdict.THROTTLED, answer, reason + asked, told)


def _judged(answer: Answer) -> Attempt:
    reason = f"HTTP {answer.status}"
    if answer.status in _THROTTLED:
        return throttled(answer)
    if answer.status in _LOST:
        return Attempt(Verdict.LOST, answer, reason)
    return Attempt(Verdict.FINAL, answer, reason)


def _decoded(call: Call, answer: Answer) -> Attempt:
    try:
        answer.value = decode_json(answer.content, call.decode)
    except msgspec.ValidationError as error:
        return Attempt(Verdict.UNFIT, answer, redacted(str(error)))
    except msgspec.DecodeError as error:
        return Attempt(Verdict.MALFORMED, answer, f"no whole JSON ({redacted(str(error))})")
    return Attempt(Verdict.FINAL, answer)


def _verdict_on(error: Exception) -> Verdict:
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol) or "CERTIFICATE_VERIFY_FAILED" in str(error):
        return Verdict.HOPELESS
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.ProxyError):
        return Verdict.NOT_SENT
    return Verdict.LOST


def _address(call: Call) -> str:
    if not call.params:
        return call.url
    pairs = [
        f"{quote(name, safe='')}={quote(_text(value), safe='')}"
        for name, given in call.params.items()
        if given is not None
        for value in ([given] if isinstance(given, str | int | float | SecretStr) else given)
    ]
    return f"{call.url}{'&' if '?' in call.url else '?'}{'&'.join(pairs)}"


def _text(value: Scalar) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(value).lower() if isinstance(value, bool) else str(value)


def _revealed(fields: Fields) -> dict[str, str]:
    return {name: _text(value) for name, value in fields.items()}


def _trust(scheme: str, ca_file: Path | None) -> ssl.SSLContext:
    if scheme == "http":
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = httpx.create_ssl_context()
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context


def _proxy(scheme: str, host: str) -> str | None:
    """The proxy that the environment names, as every other tool on the machine would use it."""
    return None if proxy_bypass(host) else getproxies().get(scheme)
