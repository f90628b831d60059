"""Days on which secrets end: from the sync file, and from the certificates that it names."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

import tasks.secrets
from connectors.catalog import parse_settings
from tasks.expiries import expiring_secrets, known_expiries
from tasks.login_settings import AtLoginSection
from tasks.sync_file import SecretsSection


def certificate(ends: date) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "usersync")])
    end = datetime(ends.year, ends.month, ends.day, 12, tzinfo=UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(end - timedelta(days=365))
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
    )
    return built.public_bytes(Encoding.PEM).decode()


def sync(source: object = None, target: object = None, at_login: AtLoginSection | None = None, **secrets: Any) -> Any:
    return SimpleNamespace(
        source=source or SimpleNamespace(),
        target=target or SimpleNamespace(),
        at_login=at_login,
        secrets=SecretsSection(**secrets),
    )


def hooks(secret: str = "env:HOOK") -> AtLoginSection:
    return AtLoginSection.model_validate({"okta": {"secret": secret}, "keycloak": {"secret": secret}})


def test_days_in_the_sync_file_are_known_per_side() -> None:
    given = sync(source_expires=date(2027, 1, 31), target_expires=date(2026, 12, 1))
    assert [(one.side, one.on) for one in known_expiries(given)] == [
        ("source", date(2027, 1, 31)),
        ("target", date(2026, 12, 1)),
    ]
    (soon,) = expiring_secrets(given, date(2026, 11, 24))
    assert soon.message == "the target's secret expires in 7 days, on 2026-12-01"


def test_a_certificate_is_read_for_its_end_and_the_first_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_CERTIFICATE", certificate(date(2026, 12, 3)) + certificate(date(2031, 1, 1)))
    (found,) = known_expiries(sync(SimpleNamespace(certificate="env:APP_CERTIFICATE")))
    assert (found.side, found.what, found.on) == ("source", "the source's certificate", date(2026, 12, 3))


def test_of_authorities_the_last_counts(tmp_path: Path) -> None:
    bundle = tmp_path / "authorities.pem"
    bundle.write_text(certificate(date(2026, 1, 1)) + certificate(date(2026, 12, 4)))
    (found,) = known_expiries(sync(target=SimpleNamespace(ca_bundle=bundle)))
    assert (found.side, found.on) == ("target", date(2026, 12, 4))
    assert str(bundle) in found.what


def test_a_block_says_until_when_it_is_good(monkeypatch: pytest.MonkeyPatch) -> None:
    reference = "block:usersync-okta/production/token"
    okta = parse_settings("source", {"kind": "okta", "url": "https://a.okta.com", "token": reference})
    document = SimpleNamespace(data={"token": "0123", "expires_on": "2027-01-31"})
    monkeypatch.setattr(tasks.secrets, "_document", lambda place: document)
    (known,) = known_expiries(sync(source=okta))
    assert (known.on, known.side, known.what) == (date(2027, 1, 31), "source", f"the source's secret {reference}")


def test_days_of_hooks_at_login_are_known_where_there_is_such_a_hook() -> None:
    days: Any = {"okta_hook_expires": date(2026, 12, 1), "keycloak_hook_expires": date(2027, 1, 31)}
    assert [(one.side, one.on, one.what) for one in known_expiries(sync(at_login=hooks(), **days))] == [
        ("at_login", date(2026, 12, 1), "the secret of the hook okta"),
        ("at_login", date(2027, 1, 31), "the secret of the hook keycloak"),
    ]
    (soon,) = expiring_secrets(sync(at_login=hooks(), **days), date(2026, 11, 24))
    assert soon.message == "the secret of the hook okta expires in 7 days, on 2026-12-01"
    assert known_expiries(sync(**days)) == []


def test_a_block_with_the_secret_of_a_hook_says_until_when_it_is_good(monkeypatch: pytest.MonkeyPatch) -> None:
    reference = "block:usersync-okta/hook/token"
    document = SimpleNamespace(data={"token": "0123", "expires_on": "2027-01-31"})
    monkeypatch.setattr(tasks.secrets, "_document", lambda place: document)
    assert [(one.on, one.side, one.what) for one in known_expiries(sync(at_login=hooks(reference)))] == [
        (date(2027, 1, 31), "at_login", f"the secret {reference} of the hook okta"),
        (date(2027, 1, 31), "at_login", f"the secret {reference} of the hook keycloak"),
    ]


def test_what_cannot_be_read_is_left_to_the_connector(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nnot one\n-----END CERTIFICATE-----\n")
    source = SimpleNamespace(certificate="env:NOT_SET_ANYWHERE", ca_file=tmp_path / "absent.pem")
    assert known_expiries(sync(source, SimpleNamespace(ca_bundle=broken))) == []
