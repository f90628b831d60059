"""Start a run of a deployment on the Prefect server that PREFECT_API_URL names, and ask what became of it."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

from httpx import HTTPError
from prefect.client.orchestration import get_client
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound

from directory.errors import ConfigurationError, Fatal, UnknownRecord
from flows.orders import Order

__all__ = ["FlowRunState", "flow_run_state", "start_deployed"]

_FLOWS = {"sync": "sync", "plan": "plan", "apply": "apply", "person": "sync-person"}


class FlowRunState(NamedTuple):
    name: str
    """As Prefect's pages show it, such as `Late` or `Held`."""
    message: str | None
    ended: bool


async def start_deployed(order: Order, sync: str) -> str:
    """Order a run of the deployment `FLOW/SYNC`, such as `sync/okta`, and return the flow run's id without waiting.

    Raises ConfigurationError where there is no such deployment, and Fatal where the server does not answer.
    """
    name = f"{_FLOWS[order.mode]}/{sync}"
    given: dict[str, Any] = {}
    if order.mode == "apply":
        given = {"plan_id": order.plan_id, "approved_by": order.approved_by}
    elif order.full:
        given = {"full": True}
    try:
        ordered: Any = run_deployment(name, parameters=given, timeout=0, as_subflow=False)
        started = await ordered
    except ObjectNotFound:
        raise ConfigurationError(
            f"the Prefect server has no deployment {name}",
            not_done="nothing was run",
            next_step="deploy it as prefect.yaml does, under the name of the sync",
        ) from None
    except (HTTPError, RuntimeError) as error:
        raise _silent(error) from None
    return str(started.id)


async def flow_run_state(flow_run_id: str) -> FlowRunState:
    """Raises UnknownRecord for none, and Fatal where the server does not answer."""
    try:
        async with get_client() as client:
            run = await client.read_flow_run(UUID(flow_run_id))
    except ObjectNotFound:
        raise UnknownRecord(f"the Prefect server has no flow run {flow_run_id}") from None
    except (HTTPError, RuntimeError) as error:
        raise _silent(error) from None
    state: Any = run.state
    if state is None:
        return FlowRunState("Unknown", None, ended=False)
    return FlowRunState(str(state.name), state.message, ended=state.is_final())


def _silent(error: Exception) -> Fatal:
    return Fatal(
        f"the Prefect server that PREFECT_API_URL names does not answer: {type(error).__name__}",
        not_done="nothing was run",
        next_step="see to the server, or unset PREFECT_API_URL to run without one",
    )
