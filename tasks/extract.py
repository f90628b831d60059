"""Read both sides."""

from __future__ import annotations

from connectors.contract import ReadScope, Source, Target
from directory.snapshot import SourceSnapshot, TargetSnapshot
from tasks.observer import Observer
from tasks.step import step

__all__ = ["extract_source", "extract_target"]


@step(retries=2)
async def extract_source(source: Source, observer: Observer) -> SourceSnapshot:
    """Everything the source has, with its completeness verdict."""
    return await source.read(lambda what, rows: observer.reading("source", what, rows))


@step(retries=2)
async def extract_target(target: Target, scope: ReadScope, observer: Observer) -> TargetSnapshot:
    """Accounts, groups, grants, seats, and the members of the groups in scope."""
    return await target.read(scope, lambda what, rows: observer.reading("target", what, rows))
