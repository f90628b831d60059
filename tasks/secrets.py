"""Secrets kept as Prefect blocks: `block:secret/okta-token`. The one module that offers credentials from Prefect."""

from __future__ import annotations

from typing import Any

from connectors.secret import register_scheme
from directory.errors import ConfigurationError

__all__ = ["use_blocks"]


def use_blocks() -> None:
    """Teach `block:` references, as type slug and block name; only flows call this, as Prefect has to be there."""
    register_scheme("block", _read)


def _read(reference: str) -> str:
    from prefect.blocks.core import Block  # noqa: PLC0415 - costs two seconds, and only a flow run needs it

    try:
        # Without `_sync` this is a coroutine wherever an event loop runs, and a flow is opened in one.
        load: Any = Block.load
        block = load(reference, _sync=True)
    except ValueError as error:
        raise ConfigurationError(
            "there is no such block",
            subject=f"block:{reference}",
            not_done="nothing was read and nothing was written",
            next_step="create it in the Prefect UI under Blocks, or use env: or file:",
        ) from error
    value = block.get() if hasattr(block, "get") else None
    if not isinstance(value, str):
        raise ConfigurationError(
            "the block holds no single text",
            subject=f"block:{reference}",
            next_step="use a block of the type Secret",
        )
    return value
