"""People, groups and memberships from any JSON API, by declaration."""

from connectors.sources.rest.settings import RestSettings
from connectors.sources.rest.source import RestSource

__all__ = ["RestSettings", "RestSource"]
