"""People, groups and memberships of a Keycloak realm, read through its admin REST API (Keycloak 23 or newer)."""

from connectors.sources.keycloak.settings import KeycloakSettings
from connectors.sources.keycloak.source import KeycloakSource

__all__ = ["KeycloakSettings", "KeycloakSource"]
