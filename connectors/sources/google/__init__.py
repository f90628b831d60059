"""Google Workspace as a source, through the Directory API (Admin SDK Directory v1, developers.google.com)."""

from connectors.sources.google.settings import GoogleSettings
from connectors.sources.google.source import GoogleSource

__all__ = ["GoogleSettings", "GoogleSource"]
