"""Events of a run, for Prefect's event feed and its automations. Outside of a flow run nothing is sent."""

from __future__ import annotations

from collections.abc import Iterable

from reconcile.events import Event
from tasks.step import in_flow_run

__all__ = ["announce"]


def announce(events: Iterable[Event]) -> None:
    """Hand events to Prefect's own sender, which adds the flow run, its deployment and its tags to each.

    The sender works in a thread of its own and sends the rest when the process ends (measured with Prefect 3.8.8).
    Nothing that goes wrong here is worth a run: it costs a warning.
    """
    if not in_flow_run():
        return
    from prefect.events import emit_event  # noqa: PLC0415 -- costs two seconds, and only a flow run needs it
    from prefect.logging import get_run_logger  # noqa: PLC0415

    for event in events:
        try:
            emit_event(event.name, resource=_resource(event), related=_related(event), payload=event.payload)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the run has ended as it has
            get_run_logger().warning("the event %s could not be sent: %s", event.name, error)


def _sync(event: Event) -> dict[str, str]:
    return {"prefect.resource.id": f"usersync.sync.{event.sync}", "prefect.resource.name": event.sync}


def _resource(event: Event) -> dict[str, str]:
    if event.person is None:
        return {**_sync(event), **event.labels}
    return {
        "prefect.resource.id": f"usersync.person.{event.sync}.{event.person}",
        "prefect.resource.name": event.person,
        **event.labels,
    }


def _related(event: Event) -> list[dict[str, str]]:
    return [] if event.person is None else [{**_sync(event), "prefect.resource.role": "sync"}]
