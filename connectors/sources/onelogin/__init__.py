"""OneLogin as a source, through its API v2 (developers.onelogin.com)."""

from connectors.sources.onelogin.settings import OneLoginSettings
from connectors.sources.onelogin.source import OneLoginSource

__all__ = ["OneLoginSettings", "OneLoginSource"]
