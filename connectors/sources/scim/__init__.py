"""People, groups and memberships that an identity provider pushed to the SCIM receiver."""

from connectors.sources.scim.settings import ScimSettings
from connectors.sources.scim.source import ScimSource

__all__ = ["ScimSettings", "ScimSource"]
