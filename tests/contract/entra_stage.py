"""A simulated tenant and the settings that read it, for the tests of the Entra source."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from joserfc import jwk

from connectors.sources.entra import EntraSettings, EntraSource
from sandbox.company import Company
from sandbox.graph import CLIENT_ID, TENANT, GraphSimulator, RegisteredApp, Switches
from tests.contract.source_contract import QUICK, Sleeps

MARKED_SECRET = "MARKED~client-secret.51c7+/%"
KEY = jwk.RSAKey.generate_key(2048)
PRIVATE = KEY.as_pem(private=True).decode()
DER = b"the simulator compares thumbprints and never opens the certificate"
CERTIFICATE = f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(DER).decode()}-----END CERTIFICATE-----\n"
THUMBPRINT = hashlib.sha256(DER).hexdigest()


def tenant(company: Company, **switches: Any) -> GraphSimulator:
    simulator = GraphSimulator(company, Switches(**{"resource_units": None, **switches}))
    named = base64.urlsafe_b64encode(hashlib.sha256(DER).digest()).decode().rstrip("=")
    public = KEY.as_pem(private=False)
    simulator.register(RegisteredApp(CLIENT_ID, {MARKED_SECRET}, certificates={named: public}))
    return simulator


def settings_for(url: str, **changed: Any) -> EntraSettings:
    """With the client secret in ENTRA_SECRET unless a certificate is given."""
    given: dict[str, Any] = {"tenant_id": TENANT, "client_id": CLIENT_ID, "login_url": url, "graph_url": url}
    if "certificate" not in changed:
        given["client_secret"] = "env:ENTRA_SECRET"
    return EntraSettings(**given, **changed)


@contextmanager
def entra(
    company: Company, *, switches: dict[str, Any] | None = None, **settings: Any
) -> Iterator[tuple[GraphSimulator, EntraSource, Sleeps]]:
    simulator, sleeps = tenant(company, **(switches or {})), Sleeps()
    with simulator.served() as url:
        yield simulator, EntraSource(settings_for(url, **settings), retry=QUICK, sleep=sleeps), sleeps
