"""Ordering a run of a deployment: what is asked of Prefect's server, and what is made of its answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from directory.errors import ConfigurationError, Fatal, UnknownRecord
from flows.orders import Order
from flows.starting import flow_run_state, start_deployed
from tests.few_prefect_answers import FLOW, RUN, FewAnswers, few_answers


@pytest.fixture
def prefect() -> Iterator[FewAnswers]:
    with few_answers() as (made, _):
        yield made


@pytest.mark.parametrize(
    ("order", "parameters"),
    [
        (Order("sync", "syncs/staff.yaml"), {}),
        (Order("sync", "syncs/staff.yaml", full=True), {"full": True}),
        (Order("plan", "syncs/staff.yaml"), {}),
        (Order("apply", "syncs/staff.yaml", plan_id="ab" * 32), {"plan_id": "ab" * 32, "approved_by": None}),
    ],
    ids=["sync", "full", "plan", "apply"],
)
async def test_the_deployment_of_the_sync_is_run_without_waiting_for_it(
    prefect: FewAnswers, order: Order, parameters: dict[str, Any]
) -> None:
    assert await start_deployed(order, "staff") == RUN
    (ordered,) = prefect.ordered
    assert ordered["parameters"] == parameters


async def test_a_sync_without_a_deployment_is_told_so(prefect: FewAnswers) -> None:
    with pytest.raises(ConfigurationError, match="no deployment sync/okta"):
        await start_deployed(Order("sync", "syncs/okta.yaml"), "okta")
    assert prefect.ordered == []


async def test_the_state_of_a_flow_run_is_asked_for(prefect: FewAnswers) -> None:
    assert await flow_run_state(RUN) == ("Late", "no worker", False)
    with pytest.raises(UnknownRecord, match="no flow run"):
        await flow_run_state(FLOW)


async def test_a_server_that_does_not_answer_is_named_as_the_trouble() -> None:
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        with pytest.raises(Fatal, match="does not answer"):
            await start_deployed(Order("sync", "syncs/staff.yaml"), "staff")
        with pytest.raises(Fatal, match="does not answer"):
            await flow_run_state(RUN)
