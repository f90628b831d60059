"""People, groups and memberships from files that somebody exports: CSV, JSON, NDJSON or Parquet."""

from connectors.sources.file.settings import FileSettings
from connectors.sources.file.source import FileSource

__all__ = ["FileSettings", "FileSource"]
