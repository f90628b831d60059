"""The sync files of a folder, by the name of their sync."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from directory.errors import ConfigurationError, UnknownRecord
from tasks.sync_file import SyncFile, load_sync_file
from tasks.workshop import target_in_words

__all__ = ["KnownSync", "Syncs"]

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*\Z")


@dataclass(frozen=True)
class KnownSync:
    name: str
    path: Path
    understood: SyncFile | None
    """None where the file has mistakes."""
    trouble: str | None
    """The mistakes, as `usersync check` tells them."""

    @property
    def target(self) -> str | None:
        """As runs and plans call it."""
        return None if self.understood is None else target_in_words(self.understood)


class Syncs:
    """Files are read anew when they change. Names are looked up among them: no path comes from outside."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, tuple[tuple[int, int], KnownSync]] = {}

    def all(self) -> list[KnownSync]:
        """By name."""
        return sorted(self._files(), key=lambda one: one.name)

    def get(self, name: str) -> KnownSync:
        """Raises UnknownRecord where no file has that name, and ConfigurationError where several have."""
        found = [one for one in self._files() if one.name == name] if _NAME.match(name) else []
        if len(found) == 1:
            return found[0]
        if not found:
            raise UnknownRecord(
                f"there is no sync {name!r}",
                subject=str(self._folder),
                not_done="nothing was done",
                next_step="`usersync serve` knows the sync files of the folder that it was given with --syncs",
            )
        raise ConfigurationError(
            f"{len(found)} sync files have the name {name!r}: {', '.join(one.path.name for one in found)}",
            subject=str(self._folder),
            not_done="nothing was done",
            next_step="give each a name of its own",
        )

    def usable(self, name: str) -> KnownSync:
        """As `get`; raises ConfigurationError with every mistake where the file has any."""
        found = self.get(name)
        if found.understood is None:
            load_sync_file(found.path)
        return found

    def _files(self) -> Iterator[KnownSync]:
        if not self._folder.is_dir():
            return
        for path in sorted(self._folder.iterdir()):
            if path.suffix in {".yaml", ".yml"} and path.is_file():
                status = path.stat()
                version = (status.st_mtime_ns, status.st_size)
                known = self._read.get(path)
                if known is None or known[0] != version:
                    self._read[path] = known = (version, _understood(path))
                yield known[1]


def _understood(path: Path) -> KnownSync:
    try:
        sync = load_sync_file(path)
    except ConfigurationError as error:
        return KnownSync(path.stem, path, None, str(error))
    return KnownSync(sync.name, path, sync, None)
