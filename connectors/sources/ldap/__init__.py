"""People, groups and memberships from an LDAP directory: Active Directory, OpenLDAP, 389 Directory Server."""

from connectors.sources.ldap.settings import LdapSettings
from connectors.sources.ldap.source import LdapSource

__all__ = ["LdapSettings", "LdapSource"]
