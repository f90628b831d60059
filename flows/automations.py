"""Automations of the repository, switched on and off at a Prefect server by name.

A file under deploy/automations is one automation as Prefect describes it, without the block that its message goes to:
that is the team's. Switching on twice leaves one automation, with what the file says now.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import yaml
from prefect.client.orchestration import PrefectClient, get_client
from prefect.events.schemas.automations import AutomationCore
from prefect.exceptions import ObjectNotFound

from directory.errors import ConfigurationError

__all__ = ["FOLDER", "Standing", "offered", "standing", "switch_off", "switch_on"]

FOLDER = Path("deploy/automations")

_NOTHING_DONE = "nothing was switched on or off"
_HOUR = 3600
WEBHOOK_PAYLOAD = (
    '{"event": {{ event.event|tojson }}, "resource": {{ event.resource.id|tojson }}, '
    '"occurred": {{ event.occurred|string|tojson }}, "payload": {{ event.payload|tojson }}}'
)
"""What a block of the type Webhook is sent: the event itself. Others are sent a subject and a text."""


@dataclass(frozen=True)
class Standing:
    """An automation of the repository, and whether the server has it."""

    name: str
    """As commands take it: the file's name without ending."""
    state: Literal["on", "off", "absent"]
    description: str


def offered(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """The automations of the repository by name. Raises `ConfigurationError` where there is no such folder."""
    if not folder.is_dir():
        raise ConfigurationError(
            "there is no such folder",
            subject=str(folder),
            not_done=_NOTHING_DONE,
            next_step="run it in the checkout of usersync",
        )
    return {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.yaml"))}


async def standing(folder: Path = FOLDER) -> list[Standing]:
    """Every automation of the repository, in the order of their names."""
    async with get_client() as client:
        there = {one.name: one.enabled for one in await client.read_automations()}
    states: dict[bool | None, Literal["on", "off", "absent"]] = {True: "on", False: "off", None: "absent"}
    return [
        Standing(name, states[there.get(raw["name"])], raw.get("description", ""))
        for name, raw in offered(folder).items()
    ]


async def switch_on(name: str, *, notify: str | None, hours: float | None = None, folder: Path = FOLDER) -> str:
    """Create or renew an automation, switched on; returns the name that Prefect shows.

    `notify` is a notification block, or one of the type Webhook, as `type/name`; `hours` replaces the time of a
    trigger that waits in vain. Raises `ConfigurationError` for a name, a block or a time that does not fit.
    """
    raw = _chosen(name, folder)
    async with get_client() as client:
        block, is_webhook = (None, False) if notify is None else await _block(client, notify)
        raw["actions"] = [_action(name, action, block, is_webhook=is_webhook) for action in raw["actions"]]
        if hours is not None:
            if raw["trigger"].get("posture") != "Proactive":
                raise ConfigurationError(
                    "its trigger waits for nothing, so it has no hours",
                    subject=name,
                    not_done=_NOTHING_DONE,
                    next_step="leave --hours out",
                )
            raw["trigger"]["within"] = hours * _HOUR
        wanted = AutomationCore.model_validate({**raw, "enabled": True})
        same = await client.read_automations_by_name(raw["name"])
        if same:
            await client.update_automation(same[0].id, wanted)
        else:
            await client.create_automation(wanted)
    return str(raw["name"])


async def switch_off(name: str, *, folder: Path = FOLDER) -> bool:
    """Pause an automation; whether there was one. It keeps its history and the block that it was given."""
    shown = _chosen(name, folder)["name"]
    async with get_client() as client:
        same = await client.read_automations_by_name(shown)
        for one in same:
            await client.pause_automation(one.id)
    return bool(same)


def _chosen(name: str, folder: Path) -> dict[str, Any]:
    known = offered(folder)
    if name not in known:
        raise ConfigurationError(
            f"there is no automation {name!r}",
            subject=str(folder),
            not_done=_NOTHING_DONE,
            next_step=f"there are {', '.join(known)}",
        )
    return known[name]


async def _block(client: PrefectClient, notify: str) -> tuple[UUID, bool]:
    """The block's id, and whether it is of the type Webhook, which takes a payload and not a text."""
    slug, _, name = notify.partition("/")
    try:
        found = await client.read_block_document_by_name(name, slug, include_secrets=False)
    except ObjectNotFound:
        raise ConfigurationError(
            "there is no such block",
            subject=notify,
            not_done=_NOTHING_DONE,
            next_step="create it in the Prefect UI under Blocks, and name it as its type and its name, such as "
            "slack-webhook/ops; `prefect block ls` lists them",
        ) from None
    capabilities = [] if found.block_schema is None else found.block_schema.capabilities
    if slug != "webhook" and "notify" not in capabilities:
        raise ConfigurationError(
            "this block cannot send a message",
            subject=notify,
            not_done=_NOTHING_DONE,
            next_step="use a notification block, or one of the type Webhook",
        )
    return found.id, slug == "webhook"


def _action(name: str, action: dict[str, Any], block: UUID | None, *, is_webhook: bool) -> dict[str, Any]:
    if action["type"] != "send-notification":
        return action
    if block is None:
        raise ConfigurationError(
            "it sends a message, and nothing says where to",
            subject=name,
            not_done=_NOTHING_DONE,
            next_step="name a notification block with --notify, such as slack-webhook/ops",
        )
    if is_webhook:
        return {"type": "call-webhook", "block_document_id": str(block), "payload": WEBHOOK_PAYLOAD}
    return {**action, "block_document_id": str(block)}
