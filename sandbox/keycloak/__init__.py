"""A simulated Keycloak realm that shows the invented company. `python -m sandbox.keycloak` serves one."""

from __future__ import annotations

from sandbox.keycloak.simulator import KeycloakSimulator
from sandbox.keycloak.switches import CLIENT_ID, CLIENT_SECRET, READING_ROLES, REALM, ConfidentialClient, Switches

__all__ = [
    "CLIENT_ID",
    "CLIENT_SECRET",
    "READING_ROLES",
    "REALM",
    "ConfidentialClient",
    "KeycloakSimulator",
    "Switches",
]
