"""Read both sides."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.contract import IncrementalSource, Reading, ReadScope, Source, Target
from directory.snapshot import TargetSnapshot
from tasks.observer import Observer
from tasks.step import step

__all__ = ["Extracted", "extract_source", "extract_target"]


@dataclass(frozen=True)
class Extracted:
    reading: Reading
    whole: bool
    """Whether everything was read; false where the reading goes on from an earlier one."""


@step(retries=2)
async def extract_source(source: Source, last: Reading | None, observer: Observer) -> Extracted:
    """Everything the source has, with its completeness verdict; going on from `last` where the source can."""

    def progress(what: str, rows: int) -> None:
        observer.reading("source", what, rows)

    if not isinstance(source, IncrementalSource):
        return Extracted(Reading(await source.read(progress), None), whole=True)
    if last is not None:
        reading = await source.read_changes(last, progress)
        if reading is not None:
            return Extracted(reading, whole=False)
    return Extracted(await source.read_all(progress), whole=True)


@step(retries=2)
async def extract_target(target: Target, scope: ReadScope, observer: Observer) -> TargetSnapshot:
    """Accounts, groups, grants, seats, and the members of the groups in scope."""
    return await target.read(scope, lambda what, rows: observer.reading("target", what, rows))
