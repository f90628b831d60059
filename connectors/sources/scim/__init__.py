"""People, groups and memberships that an identity provider pushed to the SCIM receiver."""

from connectors.sources.scim.settings import ScimSettings, Wake
from connectors.sources.scim.source import ScimSource

__all__ = ["ScimSettings", "ScimSource", "Wake"]
