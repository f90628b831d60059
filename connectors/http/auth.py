"""How a client proves who it is: small objects that the client asks for headers."""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final, Protocol

import msgspec
from pydantic import SecretStr

from connectors.http.answer import Answer
from connectors.http.redaction import Redactor
from directory.errors import ConfigurationError, CredentialsRefused

if TYPE_CHECKING:
    from joserfc import jwk

    SigningKey = jwk.RSAKey | jwk.ECKey

__all__ = [
    "Authentication",
    "ClientAssertion",
    "ClientCredential",
    "ClientSecret",
    "Fields",
    "NoAuthentication",
    "SendForm",
    "StaticHeader",
    "TokenProvider",
    "basic",
    "bearer",
    "ssws",
]

Fields = Mapping[str, str | SecretStr]
"""What is secret stays wrapped until the request is built, so that no frame on a traceback shows it."""

SendForm = Callable[[str, Fields, Fields], Awaitable[Answer]]
"""Posts a form: address, fields, headers. Retried like a read, since asking twice for a token does no harm."""


class Authentication(Protocol):
    """What a client needs to know about credentials."""

    def secrets(self) -> tuple[str, ...]:
        """Every secret that must never be shown."""

    async def headers(self, send: SendForm) -> Mapping[str, str]:
        """The headers of the next request."""

    def renew(self, headers: Mapping[str, str]) -> bool:
        """Told that these headers got a 401: whether asking for headers again gives different ones."""


class StaticHeader:
    """One header that stays the same."""

    def __init__(self, name: str, value: SecretStr, *further_secrets: SecretStr) -> None:
        self._name = name
        self.value = value
        self._headers = {name: value.get_secret_value()}
        self._further = further_secrets

    def __repr__(self) -> str:
        return f"StaticHeader({self._name!r})"

    def secrets(self) -> tuple[str, ...]:
        whole = self.value.get_secret_value()
        parts = [secret.get_secret_value() for secret in self._further]
        return (whole, whole.rpartition(" ")[2], *parts)

    async def headers(self, send: SendForm) -> Mapping[str, str]:  # noqa: ARG002 the protocol's signature
        return self._headers

    def renew(self, headers: Mapping[str, str]) -> bool:  # noqa: ARG002 the protocol's signature
        return False


class NoAuthentication:
    """For a server that asks for none."""

    def secrets(self) -> tuple[str, ...]:
        return ()

    async def headers(self, send: SendForm) -> Mapping[str, str]:  # noqa: ARG002 the protocol's signature
        return {}

    def renew(self, headers: Mapping[str, str]) -> bool:  # noqa: ARG002 the protocol's signature
        return False


def bearer(token: SecretStr) -> StaticHeader:
    return StaticHeader("Authorization", SecretStr(f"Bearer {token.get_secret_value()}"))


def ssws(token: SecretStr) -> StaticHeader:
    """Okta's API tokens."""
    return StaticHeader("Authorization", SecretStr(f"SSWS {token.get_secret_value()}"))


def basic(username: str, password: SecretStr) -> StaticHeader:
    """Sent with the first request already: Bitbucket never asks for it (its 401 offers OAuth alone)."""
    pair = f"{username}:{password.get_secret_value()}".encode()
    return StaticHeader("Authorization", SecretStr(f"Basic {base64.b64encode(pair).decode()}"), password)


Form = dict[str, str | SecretStr]


class ClientCredential(Protocol):
    """How a client authenticates at a token endpoint."""

    def secrets(self) -> tuple[str, ...]: ...

    def apply(self, token_url: str, form: Form, headers: Form) -> None:
        """Add what proves the client to the form or to the headers."""


class ClientSecret:
    """RFC 6749 section 2.3.1: HTTP Basic, or in the body for servers that insist."""

    def __init__(self, client_id: str, secret: SecretStr, *, in_body: bool = False) -> None:
        self._client_id = client_id
        self._secret = secret
        self._basic = None if in_body else basic(client_id, secret)

    def __repr__(self) -> str:
        return f"ClientSecret({self._client_id!r})"

    def secrets(self) -> tuple[str, ...]:
        own = (self._secret.get_secret_value(),)
        return own if self._basic is None else (*own, *self._basic.secrets())

    def apply(self, token_url: str, form: Form, headers: Form) -> None:  # noqa: ARG002 protocol
        if self._basic is None:
            form["client_id"] = self._client_id
            form["client_secret"] = self._secret
        else:
            headers["Authorization"] = self._basic.value


ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_LIFE: Final = 300
_EC_ALGORITHMS: Final = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}


class ClientAssertion:
    """private_key_jwt (RFC 7523 section 2.2): a fresh signed assertion each time, good for five minutes.

    The key is PEM text or a JWK; its kind chooses the algorithm unless one is given. Raises `ConfigurationError` where
    it is no private RSA or EC key.
    """

    def __init__(
        self,
        client_id: str,
        private_key: SecretStr,
        *,
        key_id: str | None = None,
        algorithm: str | None = None,
        audience: str | None = None,
    ) -> None:
        self._client_id = client_id
        self._text = private_key
        self._key = _private_key(private_key)
        self._key_id = key_id or self._key.kid
        self._algorithm = algorithm or _algorithm(self._key)
        self._audience = audience

    def __repr__(self) -> str:
        return f"ClientAssertion({self._client_id!r}, kid={self._key_id!r})"

    def secrets(self) -> tuple[str, ...]:
        return (self._text.get_secret_value(),)

    def apply(self, token_url: str, form: Form, headers: Form) -> None:  # noqa: ARG002 protocol
        now = int(time.time())
        header = {"alg": self._algorithm, "typ": "JWT"}
        if self._key_id:
            header["kid"] = self._key_id
        claims = {
            "iss": self._client_id,
            "sub": self._client_id,
            "aud": self._audience or token_url,
            "iat": now,
            "exp": now + _ASSERTION_LIFE,
            "jti": secrets.token_urlsafe(24),
        }
        from joserfc import jwt  # noqa: PLC0415 -- with cryptography, and most clients sign nothing

        form["client_assertion_type"] = ASSERTION_TYPE
        form["client_assertion"] = SecretStr(jwt.encode(header, claims, self._key, algorithms=[self._algorithm]))


def _private_key(text: SecretStr) -> SigningKey:
    from joserfc import jwk  # noqa: PLC0415

    key: SigningKey | None = None
    raw = text.get_secret_value().strip()
    for kind in (jwk.RSAKey, jwk.ECKey):
        try:
            key = kind.import_key(msgspec.json.decode(raw, type=dict[str, str | list[str]]) if raw[:1] == "{" else raw)
        except Exception:  # noqa: BLE001, S112 the library raises a dozen kinds, and the text must not be shown
            continue
        break
    del raw
    if key is None or not key.is_private:
        raise ConfigurationError(
            "the private key is neither a PEM text nor a JWK of a private RSA or EC key",
            next_step="give the private key that was made for this client, whole, with its first and last line",
        )
    return key


def _algorithm(key: SigningKey) -> str:
    from joserfc import jwk  # noqa: PLC0415

    return "RS256" if isinstance(key, jwk.RSAKey) else _EC_ALGORITHMS[str(key.curve_name)]


class _TokenAnswer(msgspec.Struct):
    access_token: str
    expires_in: float | str = 300.0


class _OAuthError(msgspec.Struct):
    error: str = ""
    error_description: str = ""


class TokenProvider:
    """Client credentials (RFC 6749 section 4.4): fetched once for all, renewed ahead of expiry and after a 401.

    At `renew_at` of its life a token is replaced by whichever request comes first, while the others go on with the old
    one. `advice` maps an OAuth error code to what the administrator can do about it. Raises `CredentialsRefused` where
    the server will not give a token.
    """

    def __init__(
        self,
        token_url: str,
        credential: ClientCredential,
        *,
        scope: str | None = None,
        renew_at: float = 0.75,
        advice: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.token_url = token_url
        self._credential = credential
        self._scope = scope
        self._renew_at = renew_at
        self._advice = advice or {}
        self._clock = clock
        self._headers: dict[str, str] = {}
        self._renew_time = 0.0
        self._dead_time = 0.0
        self._lock = asyncio.Lock()

    def __repr__(self) -> str:
        return f"TokenProvider({self.token_url!r}, {self._credential!r})"

    def secrets(self) -> tuple[str, ...]:
        token = self._headers.get("Authorization", "").rpartition(" ")[2]
        return (*self._credential.secrets(), token)

    async def headers(self, send: SendForm) -> Mapping[str, str]:
        now = self._clock()
        if now < self._renew_time or (now < self._dead_time and self._lock.locked()):
            return self._headers
        async with self._lock:
            if self._clock() >= self._renew_time:
                await self._fetch(send)
        return self._headers

    def renew(self, headers: Mapping[str, str]) -> bool:
        if headers.get("Authorization") == self._headers.get("Authorization"):
            self._headers = {}
            self._renew_time = self._dead_time = 0.0
        return True

    async def _fetch(self, send: SendForm) -> None:
        asked_at = self._clock()
        answer = await self._ask(send)
        if not answer.is_success:
            raise self._refusal(answer)
        try:
            token = answer.json(_TokenAnswer)
            life = float(token.expires_in)
        except ValueError:  # msgspec's errors are ValueErrors
            token, life = None, 0.0
        if token is None:
            raise CredentialsRefused(
                "the answer holds no access token",
                subject=f"token endpoint {self.token_url}",
                not_done="nothing further was asked",
                next_step="check that the address is the token endpoint",
            )
        self._headers = {"Authorization": f"Bearer {token.access_token}"}
        self._renew_time = asked_at + life * self._renew_at
        self._dead_time = asked_at + life

    async def _ask(self, send: SendForm) -> Answer:
        form: Form = {"grant_type": "client_credentials"}
        if self._scope:
            form["scope"] = self._scope
        headers: Form = {}
        self._credential.apply(self.token_url, form, headers)
        return await send(self.token_url, form, headers)

    def _refusal(self, answer: Answer) -> CredentialsRefused:
        try:
            error = answer.json(_OAuthError)
        except ValueError:
            error = _OAuthError()
        said = Redactor(self.secrets)(" ".join(part for part in (error.error, error.error_description) if part))
        return CredentialsRefused(
            f"no access token was given (HTTP {answer.status}{': ' + said if said else ''})",
            subject=f"token endpoint {self.token_url}",
            not_done="nothing was read with these credentials, and they are not tried again",
            next_step=self._advice.get(error.error, "check the client id, its secret or key, and its scopes"),
        )
