"""The worked example of CONTRIBUTING.md keeps the contract that it is to teach."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import pytest

from sandbox.company import Company
from tests.contract.example.staff_service import StaffService
from tests.contract.example.staff_source import StaffSettings, StaffSource
from tests.contract.source_contract import QUICK, HttpSourceContract, Sleeps, Stage

MARKED_TOKEN = "MARKED-staff-token-7d21"


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAFF_TOKEN", MARKED_TOKEN)


class TestStaffSource(HttpSourceContract):
    paths: ClassVar = {"people": "^/people$", "groups": "^/groups$", "members": "/members$"}

    @contextmanager
    def staged(self, company: Company, sleeps: Sleeps) -> Iterator[Stage]:
        service = StaffService(company, MARKED_TOKEN, page_size=20 if len(company.people) < 1000 else 500)

        def refuse() -> None:
            service.token = None

        with service.served() as url:
            settings = StaffSettings(url=url, token="env:STAFF_TOKEN")
            yield Stage(
                StaffSource(settings, retry=QUICK, sleep=sleeps),
                company,
                external_id=lambda person: person.id,
                secrets=(MARKED_TOKEN,),
                faults=service.faults,
                requests=lambda: len(service.app.requests),
                refuse_credentials=refuse,
            )
