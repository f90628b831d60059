"""The types of blocks for usersync's connectors, made known to a Prefect server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from prefect.blocks.core import Block
from prefect.exceptions import ObjectNotFound

from connectors.blocks import block_types
from tasks.secrets import prefect_server

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

__all__ = ["Registered", "register_block_types"]

Registered = Literal["registered", "brought up to date", "was there already"]


def register_block_types() -> dict[str, Registered]:
    """Register every type, and say for each what that was. Blocks that exist keep their values.

    Raises `ConfigurationError` where there is no server.
    """
    with prefect_server("usersync blocks register") as client:
        return {slug: _register(client, made) for slug, made in block_types().items()}


def _register(client: SyncPrefectClient, made: type[Block]) -> Registered:
    known = _is_known(client, made)
    made.register_type_and_schema()
    return known


def _is_known(client: SyncPrefectClient, made: type[Block]) -> Registered:
    try:
        client.read_block_type_by_slug(made.get_block_type_slug())
    except ObjectNotFound:
        return "registered"
    try:
        client.read_block_schema_by_checksum(made._calculate_schema_checksum())  # noqa: SLF001 the only way to ask
    except ObjectNotFound:
        return "brought up to date"
    return "was there already"
