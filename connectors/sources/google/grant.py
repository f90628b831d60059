"""How a service account proves itself to Google (developers.google.com/identity/protocols/oauth2/service-account)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

import msgspec
from joserfc import jwk, jwt
from pydantic import SecretStr

from connectors.http.auth import Form
from directory.errors import ConfigurationError

__all__ = ["ADVICE", "SCOPES", "ServiceAccountGrant"]

_SCOPE: Final = "https://www.googleapis.com/auth/admin.directory."
SCOPES: Final = (f"{_SCOPE}user.readonly", f"{_SCOPE}group.readonly")
_GRANT_TYPE: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LIFE: Final = 3600

ADVICE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "unauthorized_client": (
            "in Google's admin console, Security > Access and data control > API controls > Domain-wide delegation, "
            f"add the service account's client id with the scopes {','.join(SCOPES)}"
        ),
        "invalid_grant": (
            "check `subject`, that the key was not deleted in the Google Cloud console, and this machine's clock"
        ),
        "access_denied": "a policy of the organisation forbids it; ask whoever administers Google Cloud",
    }
)


class _Key(msgspec.Struct):
    type: str
    client_email: str
    private_key: str
    private_key_id: str
    token_uri: str


class ServiceAccountGrant:
    """A fresh assertion each time (RFC 7523 section 2.1), signed with RS256 in the name of `subject`.

    Raises `ConfigurationError` where the text is no key file of a service account.
    """

    def __init__(self, key_file: SecretStr, subject: str, scopes: Iterable[str]) -> None:
        self._text = key_file
        self._subject = subject
        self._scopes = " ".join(scopes)
        key = _parsed(key_file)
        self._pem = SecretStr(key.private_key)
        self._key = _imported(self._pem)
        self._key_id = key.private_key_id
        self.client_email = key.client_email
        self.token_url = key.token_uri

    def __repr__(self) -> str:
        return f"ServiceAccountGrant({self.client_email!r}, subject={self._subject!r})"

    def secrets(self) -> tuple[str, ...]:
        pem = self._pem.get_secret_value()
        return (self._text.get_secret_value(), pem, *(line for line in pem.splitlines() if "-----" not in line))

    def apply(self, token_url: str, form: Form, headers: Form) -> None:  # noqa: ARG002 protocol
        now = int(time.time())
        claims = {
            "iss": self.client_email,
            "sub": self._subject,
            "scope": self._scopes,
            "aud": token_url,
            "iat": now,
            "exp": now + _LIFE,
        }
        header = {"alg": "RS256", "typ": "JWT", "kid": self._key_id}
        form["grant_type"] = _GRANT_TYPE
        form["assertion"] = SecretStr(jwt.encode(header, claims, self._key, algorithms=["RS256"]))


def _parsed(text: SecretStr) -> _Key:
    try:
        key = msgspec.json.decode(text.get_secret_value(), type=_Key)
    except ValueError:  # msgspec's errors are ValueErrors
        key = None
    if key is None or key.type != "service_account":
        raise _no_key()
    return key


def _imported(pem: SecretStr) -> jwk.RSAKey:
    try:
        key = jwk.RSAKey.import_key(pem.get_secret_value())
    except Exception:  # noqa: BLE001 the library raises a dozen kinds, and the text must not be shown
        raise _no_key() from None
    if not key.is_private:
        raise _no_key()
    return key


def _no_key() -> ConfigurationError:
    return ConfigurationError(
        "this is not the JSON key of a Google service account",
        subject="service_account_key",
        not_done="nothing was read and nothing was written",
        next_step="in the Google Cloud console make a key of the type JSON for the service account, and give that file",
    )
