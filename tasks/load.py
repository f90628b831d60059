"""Carry out a plan, however large it is."""

from __future__ import annotations

from tasks.loading import Loader
from tasks.step import step

__all__ = ["load"]


@step(shown=False)
async def load(loader: Loader) -> None:
    """Send the calls. Retries are the connector's; what fails is in the journal, and a rerun does only what is left."""
    await loader.carry_out()
