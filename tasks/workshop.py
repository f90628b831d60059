"""What a run works with: the sync file, both connectors, the ledger, and who watches."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import ledger as ledgers
from connectors import catalog
from connectors.contract import FedSource, Source, Target
from ledger.instant import now
from ledger.opening import Ledger
from reconcile.decide import Names
from tasks.bookkeeping import Clock
from tasks.documents import checked_place
from tasks.observer import Observer, Unobserved
from tasks.secrets import use_blocks
from tasks.sync_file import SyncFile, load_sync_file

__all__ = ["Workshop", "find_sync_file", "open_workshop", "target_in_words"]

_FOLDER = Path("syncs")


@dataclass(frozen=True)
class Workshop:
    sync: SyncFile
    path: Path
    ledger: Ledger
    source: Source
    target: Target
    observer: Observer
    flow_run_id: str | None = None
    whole: bool = False
    """Whether an incremental source is read whole this time."""
    clock: Clock = now
    """What day it is, for the stages of leavers and for who does not log in."""

    @property
    def names(self) -> Names:
        """What plans and runs call the three parties."""
        return Names(self.sync.name, _called(self.sync.source), target_in_words(self.sync))

    @property
    def documents(self) -> str:
        """The folder or URL for the documents of runs."""
        return _place_of_documents(self.sync)


@asynccontextmanager
async def open_workshop(
    path: Path,
    *,
    ledger_url: str | None = None,
    observer: Observer | None = None,
    flow_run_id: str | None = None,
    whole: bool = False,
    clock: Clock = now,
) -> AsyncIterator[Workshop]:
    """Read the sync file and make everything ready; nothing is asked of either side yet.

    Raises `ConfigurationError` for every mistake in the file and for a secret that is missing.
    """
    sync = load_sync_file(path)
    _place_of_documents(sync)
    use_blocks()
    source = catalog.connect_source(sync.source)
    try:
        target = catalog.connect_target(sync.target)
        try:
            with ledgers.open(ledger_url or ledgers.default_url()) as ledger:
                if isinstance(source, FedSource):
                    source.feed(ledger.scim)
                yield Workshop(sync, path, ledger, source, target, observer or Unobserved(), flow_run_id, whole, clock)
        finally:
            await target.close()
    finally:
        await source.close()


def find_sync_file(name: str) -> Path:
    """The file that a person means: a path, or a name under `syncs/`."""
    given = Path(name)
    if given.is_file() or given.suffix in {".yaml", ".yml"}:
        return given
    return next((path for path in (_FOLDER / f"{name}.yaml", _FOLDER / f"{name}.yml") if path.exists()), given)


def target_in_words(sync: SyncFile) -> str:
    """What plans and runs call the target of a sync file."""
    return _called(sync.target)


def _place_of_documents(sync: SyncFile) -> str:
    """What the sync file says, else what the environment says, so that one file serves a laptop and many workers."""
    given = None if "results" in sync.report.model_fields_set else os.environ.get("USERSYNC_RESULTS")
    return checked_place(given or sync.report.results)


def _called(settings: object) -> str:
    """The address of a side where it has one, else its kind."""
    url = getattr(settings, "url", None)
    kind = getattr(settings, "kind", type(settings).__name__)
    if not url:
        return str(kind)
    parts = urlsplit(str(url))
    return f"{kind} {parts.netloc}{parts.path.rstrip('/')}"
