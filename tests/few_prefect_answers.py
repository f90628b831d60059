"""A few answers of a Prefect server (3.8), for what orders runs of it; tests/flow has the server itself."""

from __future__ import annotations

import gc
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from prefect.settings import PREFECT_API_URL, temporary_settings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.serving import served

__all__ = ["DEPLOYMENT", "FLOW", "RUN", "FewAnswers", "few_answers"]

DEPLOYMENT, FLOW, RUN = (str(UUID(int=number)) for number in (1, 2, 3))


@dataclass
class FewAnswers:
    ordered: list[dict[str, Any]] = field(default_factory=list)

    @property
    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/api/deployments/name/{flow}/{name}", self.deployment),
                Route("/api/deployments/{id}/create_flow_run", self.create, methods=["POST"]),
                Route("/api/flow_runs/{id}", self.flow_run),
            ]
        )

    async def deployment(self, request: Request) -> Response:
        if request.path_params["name"] != "staff":
            return JSONResponse({"detail": "Deployment not found"}, 404)
        return JSONResponse({"id": DEPLOYMENT, "name": "staff", "flow_id": FLOW})

    async def create(self, request: Request) -> Response:
        self.ordered.append(json.loads(await request.body()))
        return JSONResponse({"id": RUN, "flow_id": FLOW, "name": "a-run"}, 201)

    async def flow_run(self, request: Request) -> Response:
        if request.path_params["id"] != RUN:
            return JSONResponse({"detail": "Flow run not found"}, 404)
        state = {"type": "SCHEDULED", "name": "Late", "message": "no worker"}
        return JSONResponse({"id": RUN, "flow_id": FLOW, "name": "a-run", "state": state})


@contextmanager
def few_answers() -> Iterator[tuple[FewAnswers, str]]:
    """Known to Prefect's client as the server; with its address."""
    made = FewAnswers()
    with warnings.catch_warnings():
        # Prefect's client (3.8) does not close its last connections, whenever they are collected.
        warnings.simplefilter("ignore", ResourceWarning)
        with served(made.app) as url, temporary_settings({PREFECT_API_URL: f"{url}/api"}):
            yield made, f"{url}/api"
        gc.collect()
