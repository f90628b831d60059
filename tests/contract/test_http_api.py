"""Every endpoint, asked with whatever its own description allows and with what it does not: no defect, and no answer
that is not described."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

import ledger as ledgers
from flows.orders import Order, carried_out
from sandbox.bitbucket import BitbucketSimulator
from sandbox.serving import served
from service.access.rate import Rate
from service.app import described, make_app
from service.settings import ServiceSettings
from tasks.observer import Unobserved

PASSWORD = "Correct-Horse-2917"
EXAMPLES = 25
_DESCRIBED: list[Any] = list(schemathesis.openapi.from_dict(described().openapi()).get_all_operations())
OPERATIONS = [found.ok() for found in _DESCRIBED]
NAMED = {"sync": "staff", "run": "latest", "person": "ann"}
"""What is there, so that not every question ends with 404."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, str]]:
    """Where the service is, a token that may do all, and a plan."""
    folder: Path = tmp_path_factory.mktemp("office")
    bitbucket = BitbucketSimulator(admin=("admin", PASSWORD))
    with pytest.MonkeyPatch.context() as patched, served(bitbucket.app) as url:
        patched.chdir(folder)
        for name in ("USERSYNC_LEDGER", "USERSYNC_HOME", "PREFECT_API_URL"):
            patched.delenv(name, raising=False)
        patched.setenv("OFFICE_PASSWORD", PASSWORD)
        (folder / "people.csv").write_text(
            "external_id,username,email,display_name,active,groups\n1,ann,a@example.com,Ann,true,bb-dev\n"
        )
        (folder / "syncs").mkdir()
        (folder / "syncs" / "staff.yaml").write_text(
            "source:\n  kind: file\n  people: people.csv\n"
            f"target:\n  kind: bitbucket\n  url: {url}\n  username: admin\n  password: env:OFFICE_PASSWORD\n"
        )
        place = ledgers.default_url(folder)
        ending = asyncio.run(carried_out(Order("sync", "syncs/staff.yaml", place), Unobserved()))
        assert ending.status == "succeeded"
        assert ending.plan is not None
        with ledgers.open(place) as book:
            token = book.tokens.add("fuzz", ("read", "run", "approve"))[1]
        plenty = Rate(per_second=10_000, burst=100_000)
        quick = (sys.executable, "-c", "raise SystemExit('no run is started by these tests')")
        service = ServiceSettings(place, folder / "syncs", quick, rate=plenty, failures=plenty)
        with served(make_app(service), lifespan=True) as where:
            yield where, token, ending.plan.id


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_no_question_ends_in_a_defect(operation: Any, address: tuple[str, str, str]) -> None:
    where, token, plan = address
    real = {**NAMED, "plan": plan}

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(fitting=operation.as_strategy(), unfit=operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def ask(fitting: Any, unfit: Any) -> None:
        for case in (fitting, unfit):
            for values in ({}, real):
                case.path_parameters = {name: values.get(name, value) for name, value in parameters_of(case)}
                answer = case.call(base_url=where, headers={"Authorization": f"Bearer {token}"}, allow_redirects=False)
                case.validate_response(answer, checks=CHECKS)

    ask()


def parameters_of(case: Any) -> list[tuple[str, Any]]:
    return list((case.path_parameters or {}).items())


def not_a_server_error_of_ours(context: Any, response: Any, case: Any) -> None:
    """502 and 503 are about what lies behind the service, and said so."""
    if response.status_code in {502, 503}:
        assert response.json()["what"] if "what" in response.json() else response.json()["message"]
        return
    not_a_server_error(context, response, case)


CHECKS = [not_a_server_error_of_ours, response_schema_conformance, content_type_conformance]
