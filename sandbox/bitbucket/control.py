"""`/sandbox`: faults, logs and state over HTTP, for whoever runs the simulator in another process."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from pydantic import BaseModel, ConfigDict, ValidationError

from sandbox.bitbucket.exchange import Reply
from sandbox.bitbucket.faults import Fault

if TYPE_CHECKING:
    from sandbox.bitbucket.app import BitbucketSimulator


class Advance(BaseModel):
    model_config = ConfigDict(extra="forbid")

    seconds: float


def control(simulator: BitbucketSimulator, method: str, path: str, body: bytes) -> Reply:
    """Answer a request below `/sandbox`; neither counted nor struck by faults.

    GET /state counts, GET /snapshot all of it; GET and DELETE /requests, /effects and /faults; POST /faults takes the
    fields of `Fault`; POST /clock takes `{"seconds": 5}`.
    """
    actions: dict[tuple[str, str], Callable[[], Any]] = {
        ("GET", "/state"): simulator.state.summary,
        ("GET", "/snapshot"): simulator.state.snapshot,
        ("GET", "/requests"): lambda: _requests(simulator),
        ("GET", "/requests/all"): lambda: [record._asdict() for record in simulator.requests],
        ("DELETE", "/requests"): simulator.requests.clear,
        ("GET", "/effects"): lambda: list(simulator.effects),
        ("DELETE", "/effects"): simulator.effects.clear,
        ("GET", "/faults"): lambda: [fault.model_dump() for fault in simulator.faults.active()],
        ("POST", "/faults"): lambda: simulator.faults.add(Fault.model_validate_json(body)).model_dump(),
        ("DELETE", "/faults"): simulator.faults.clear,
        ("POST", "/clock"): lambda: simulator.clock.advance(Advance.model_validate_json(body).seconds),
    }
    action = actions.get((method, path.removeprefix("/sandbox")))
    if action is None:
        return Reply(404, msgspec.json.encode({"known": [" ".join(known) for known in actions]}))
    try:
        answer = action()
    except ValidationError as error:
        return Reply(400, error.json(include_url=False).encode())
    return Reply(204) if answer is None else Reply(200, msgspec.json.encode(answer))


def _requests(simulator: BitbucketSimulator) -> dict[str, Any]:
    requests = simulator.requests
    return {
        "total": len(requests),
        "reads": requests.reads,
        "writes": requests.writes,
        "by_status": {str(status): times for status, times in requests.by_status().items()},
        "by_call": dict(requests.by_call()),
    }
