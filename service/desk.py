"""What the routes work with, and what the API and the pages both ask of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from starlette.requests import Request

from ledger.opening import Ledger
from ledger.runs import Run
from service.access.sessions import Sessions
from service.settings import ServiceSettings
from service.starting import Starter
from service.syncs import KnownSync, Syncs

__all__ = ["Desk", "Directory", "SyncAtWork", "desk_of"]


class SyncAtWork(NamedTuple):
    """A sync, its file if there is one, and how it went last."""

    name: str
    file: KnownSync | None
    """None where only the ledger knows it: its file is gone, or in another folder."""
    last: Run | None


class Directory(NamedTuple):
    """Where accounts are kept: a target, and the syncs that manage people there."""

    name: str
    syncs: tuple[SyncAtWork, ...]


@dataclass(frozen=True)
class Desk:
    ledger: Ledger
    syncs: Syncs
    starter: Starter
    sessions: Sessions
    settings: ServiceSettings

    def at_work(self) -> list[SyncAtWork]:
        """Every sync that has a file or a run, by name."""
        files = {one.name: one for one in self.syncs.all()}
        last = {run.sync: run for run in self.ledger.runs.last_of_each()}
        return [SyncAtWork(name, files.get(name), last.get(name)) for name in sorted({*files, *last})]

    def directories(self) -> list[Directory]:
        """Every target that a sync file names or that the last run of a sync without a file was for."""
        found: dict[str, list[SyncAtWork]] = {}
        for one in self.at_work():
            target = one.file.target if one.file is not None else one.last.target if one.last else None
            if target is not None:
                found.setdefault(target, []).append(one)
        return [Directory(name, tuple(syncs)) for name, syncs in sorted(found.items())]


def desk_of(request: Request) -> Desk:
    found = request.app.state.desk
    if not isinstance(found, Desk):
        raise TypeError("the application has no desk")
    return found
