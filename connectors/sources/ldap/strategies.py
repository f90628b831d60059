"""Which way to learn of changes fits a directory."""

from __future__ import annotations

from connectors.sources.ldap.active_directory import ActiveDirectory
from connectors.sources.ldap.changes import Strategy
from connectors.sources.ldap.connection import Entry
from connectors.sources.ldap.dirsync import DIRSYNC, DirSync
from connectors.sources.ldap.settings import LdapSettings
from connectors.sources.ldap.timestamps import ModifyTimestamp
from connectors.sources.ldap.usn_changed import UsnChanged

__all__ = ["choose"]


def choose(settings: LdapSettings, root: Entry | None) -> Strategy | None:
    """None where every read has to be a full one. `root`: the root DSE, None where it has not been read."""
    match settings.incremental if settings.incremental != "auto" else _by_itself(settings, root):
        case "dirsync":
            return ActiveDirectory(DirSync())
        case "usn-changed":
            return ActiveDirectory(UsnChanged())
        case "modify-timestamp":
            return ModifyTimestamp(settings.clock_skew)
        case _:
            return None


def _by_itself(settings: LdapSettings, root: Entry | None) -> str:
    if settings.product != "active-directory":
        return "modify-timestamp"
    return "dirsync" if root is None or DIRSYNC in root.texts("supportedControl") else "usn-changed"
