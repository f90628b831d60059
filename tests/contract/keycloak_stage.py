"""A simulated realm that keeps its events, and a source that reads what changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from connectors.sources.keycloak import KeycloakSettings, KeycloakSource
from sandbox.company import Company
from sandbox.keycloak import CLIENT_ID, CLIENT_SECRET, REALM, ConfidentialClient, KeycloakSimulator, Switches
from tests.contract.source_contract import QUICK, Sleeps

READER = frozenset({"view-users", "view-events"})


def simulated(firm: Company, *, users: bool = False, roles: frozenset[str] = READER) -> KeycloakSimulator:
    """A realm that keeps admin events, of which there is one. A careless hand put the reader into every group."""
    clients = {CLIENT_ID: ConfidentialClient(CLIENT_ID, CLIENT_SECRET, roles, frozenset(firm.groups))}
    simulator = KeycloakSimulator(firm, Switches(clients=clients, admin_events_enabled=True, user_events_enabled=users))
    simulator.audit.tell("CREATE", "REALM_ROLE", "roles/first")
    return simulator


def reader(url: str, **given: Any) -> KeycloakSource:
    settings = {"realm": REALM, "client_id": CLIENT_ID, "client_secret": "env:KEYCLOAK_SECRET", **given}
    made = KeycloakSettings(url=url, **settings)
    # Nothing is listened to again but what happened in the moment of the last event.
    return KeycloakSource(made, retry=QUICK, sleep=Sleeps(), overlap=timedelta())


@contextmanager
def keycloak(
    firm: Company, *, users: bool = False, roles: frozenset[str] = READER, **given: Any
) -> Iterator[tuple[KeycloakSimulator, KeycloakSource]]:
    simulator = simulated(firm, users=users, roles=roles)
    with simulator.served() as url:
        yield simulator, reader(url, **given)
