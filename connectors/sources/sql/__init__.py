"""People, groups and memberships from queries against any database that SQLAlchemy speaks to."""

from connectors.sources.sql.settings import SqlSettings
from connectors.sources.sql.source import SqlSource

__all__ = ["SqlSettings", "SqlSource"]
