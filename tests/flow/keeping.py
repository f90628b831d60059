"""Blocks as a person saves them in Prefect's pages: over the API."""

from __future__ import annotations

from typing import Any

from tests.flow.server import PrefectServer

__all__ = ["save_block"]


def save_block(server: PrefectServer, type_slug: str, name: str, **data: Any) -> None:
    """Make a block of a type that is registered, or give the one that exists these values."""
    answer = server.http.get(f"/block_types/slug/{type_slug}/block_documents/name/{name}")
    if answer.is_success:
        change = {"data": data, "merge_existing_data": False}
        server.http.patch(f"/block_documents/{answer.json()['id']}", json=change).raise_for_status()
        return
    block_type = server.get(f"/block_types/slug/{type_slug}")
    schema, *_ = server.post("/block_schemas/filter", block_schemas={"block_type_id": {"any_": [block_type["id"]]}})
    server.post("/block_documents/", name=name, data=data, block_type_id=block_type["id"], block_schema_id=schema["id"])
