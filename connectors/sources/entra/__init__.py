"""Microsoft Entra ID as a source: users, groups and members through Microsoft Graph v1.0."""

from connectors.sources.entra.settings import EntraSettings
from connectors.sources.entra.source import EntraSource

__all__ = ["EntraSettings", "EntraSource"]
