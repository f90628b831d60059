import base64
import hashlib

import pytest
from joserfc import jwk, jwt
from pydantic import SecretStr

from connectors.http.auth import Form
from connectors.sources.entra.certificate import CertificateCredential
from directory.errors import ConfigurationError

KEY = jwk.RSAKey.generate_key(2048)
PRIVATE = KEY.as_pem(private=True).decode()
DER = b"not opened here"
CERTIFICATE = f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(DER).decode()}\n-----END CERTIFICATE-----\n"


def base64url(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def asserted(credential: CertificateCredential) -> jwt.Token:
    form: Form = {}
    credential.apply("https://login.example/token", form, {})
    assertion = form["client_assertion"]
    assert isinstance(assertion, SecretStr)
    assert form["client_id"] == "app"
    return jwt.decode(assertion.get_secret_value(), KEY, algorithms=["RS256", "PS256"])


@pytest.mark.parametrize("pem", [PRIVATE + CERTIFICATE, CERTIFICATE + PRIVATE], ids=["key first", "key last"])
def test_the_certificate_is_named_by_the_digest_of_its_content(pem: str):
    token = asserted(CertificateCredential("app", SecretStr(pem)))
    assert token.header == {"alg": "PS256", "typ": "JWT", "x5t#S256": base64url(hashlib.sha256(DER).digest())}
    assert token.claims["aud"] == "https://login.example/token"
    assert token.claims["iss"] == token.claims["sub"] == "app"
    assert token.claims["exp"] - token.claims["nbf"] == 300


@pytest.mark.parametrize(
    ("thumbprint", "name", "algorithm"),
    [(hashlib.sha1(DER).hexdigest(), "x5t", "RS256"), (hashlib.sha256(DER).hexdigest(), "x5t#S256", "PS256")],
)
def test_a_thumbprint_names_it_too(thumbprint: str, name: str, algorithm: str):
    token = asserted(CertificateCredential("app", SecretStr(PRIVATE), thumbprint.upper()))
    assert token.header == {"alg": algorithm, "typ": "JWT", name: base64url(bytes.fromhex(thumbprint))}


def test_every_assertion_is_a_new_one():
    credential = CertificateCredential("app", SecretStr(PRIVATE + CERTIFICATE))
    assert asserted(credential).claims["jti"] != asserted(credential).claims["jti"]


@pytest.mark.parametrize(
    ("pem", "said"),
    [
        (PRIVATE, "no certificate"),
        (PRIVATE + CERTIFICATE.replace(base64.b64encode(DER).decode(), "§"), "no certificate"),
        (CERTIFICATE, "no private RSA key"),
        (PRIVATE.replace("MII", "AAA") + CERTIFICATE, "no private RSA key"),
        (KEY.as_pem(private=False).decode() + CERTIFICATE, "no private RSA key"),
    ],
    ids=["key alone", "broken certificate", "certificate alone", "broken key", "public key"],
)
def test_what_is_missing_is_said_and_the_key_is_not_shown(pem: str, said: str):
    with pytest.raises(ConfigurationError, match=said) as caught:
        CertificateCredential("app", SecretStr(pem))
    assert PRIVATE.splitlines()[3] not in str(caught.value)
    assert PRIVATE.splitlines()[3] not in repr(CertificateCredential("app", SecretStr(PRIVATE + CERTIFICATE)))
