"""A certificate instead of a client secret: a signed assertion that names the certificate by its thumbprint.

Microsoft identity platform, "Application authentication certificate credentials".
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import time
from typing import Final

from joserfc import jwk, jwt
from pydantic import SecretStr

from connectors.http.auth import ASSERTION_TYPE, Form
from directory.errors import ConfigurationError

__all__ = ["CertificateCredential"]

_LIFE: Final = 300
_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_KEY: Final = re.compile(r"-----BEGIN (?:RSA )?PRIVATE KEY-----.+?-----END (?:RSA )?PRIVATE KEY-----", re.DOTALL)
_SHA1_HEX: Final = 40


class CertificateCredential:
    """Raises `ConfigurationError` where the text holds no private RSA key, or nothing says which certificate it is."""

    def __init__(self, client_id: str, pem: SecretStr, thumbprint: str | None = None) -> None:
        self._client_id = client_id
        self._text = pem
        self._key = _private_key(pem)
        self._header = _naming(pem, thumbprint)

    def __repr__(self) -> str:
        return f"CertificateCredential({self._client_id!r}, {self._header!r})"

    def secrets(self) -> tuple[str, ...]:
        return (self._text.get_secret_value(),)

    def apply(self, token_url: str, form: Form, headers: Form) -> None:  # noqa: ARG002 the protocol's signature
        now = int(time.time())
        claims = {
            "iss": self._client_id,
            "sub": self._client_id,
            "aud": token_url,
            "iat": now,
            "nbf": now,
            "exp": now + _LIFE,
            "jti": secrets.token_urlsafe(24),
        }
        form["client_id"] = self._client_id
        form["client_assertion_type"] = ASSERTION_TYPE
        algorithm = self._header["alg"]
        form["client_assertion"] = SecretStr(jwt.encode(self._header, claims, self._key, algorithms=[algorithm]))


def _private_key(pem: SecretStr) -> jwk.RSAKey:
    found = _KEY.search(pem.get_secret_value())
    key: jwk.RSAKey | None = None
    if found is not None:
        try:
            key = jwk.RSAKey.import_key(found.group(0))
        except Exception:  # noqa: BLE001 the library raises a dozen kinds, and the text must not be shown
            key = None
    del found
    if key is None or not key.is_private:
        raise ConfigurationError(
            "the certificate's PEM text holds no private RSA key that can be read",
            next_step="put the private key, without a passphrase, and the certificate into one PEM file",
        )
    return key


def _naming(pem: SecretStr, thumbprint: str | None) -> dict[str, str]:
    """The assertion's header: which certificate, and so which algorithm."""
    if thumbprint is not None:
        digest = bytes.fromhex(thumbprint)
        if len(thumbprint) == _SHA1_HEX:
            return {"alg": "RS256", "typ": "JWT", "x5t": _base64url(digest)}
        return {"alg": "PS256", "typ": "JWT", "x5t#S256": _base64url(digest)}
    found = _CERTIFICATE.search(pem.get_secret_value())
    try:
        der = base64.b64decode("".join(found.group(1).split()), validate=True) if found else b""
    except ValueError:  # binascii.Error is one, and so is what base64 says to letters beyond ASCII
        der = b""
    if not der:
        raise ConfigurationError(
            "the PEM text holds a private key, but no certificate that can be read",
            next_step="add the certificate to the PEM file, or give its thumbprint",
        )
    return {"alg": "PS256", "typ": "JWT", "x5t#S256": _base64url(hashlib.sha256(der).digest())}


def _base64url(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
