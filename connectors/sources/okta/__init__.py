"""Okta as a source: users, groups and members through the management API (developer.okta.com, 2026.06)."""

from connectors.sources.okta.settings import OktaSettings
from connectors.sources.okta.source import OktaSource

__all__ = ["OktaSettings", "OktaSource"]
