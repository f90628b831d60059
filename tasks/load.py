"""Carry out a plan, a chunk of calls a task run."""

from __future__ import annotations

from reconcile.batch import Batch
from tasks.loading import Loader
from tasks.step import step

__all__ = ["load"]


@step()
async def load(loader: Loader, kind: str, packed: list[Batch]) -> int:
    """Send one chunk. Retries are the connector's; what fails is in the journal, and a rerun does only what is left."""
    await loader.carry_out(kind, packed)
    return len(packed)
