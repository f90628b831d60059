"""A stage for whole runs: an Okta and a Bitbucket on loopback, a sync file between them, and the pipeline as it is.

Whatever a test looks for, `Stage` checks of every run: its document fits the published schema and says what the ending
and the ledger say. When the stage is cleared it checks that nobody local was touched and no secret was written down.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from starlette.types import ASGIApp

import ledger as ledgers
from connectors.http.retry import RetryPolicy
from flows.pipeline import apply_plan, make_plan, run_sync, sync_person
from ledger.opening import Ledger
from reconcile.plan import Plan
from reconcile.results import schema
from sandbox.bitbucket import BitbucketSimulator, Switches
from sandbox.bitbucket.journal import RequestRecord
from sandbox.company import Company, Person, Standing
from sandbox.okta import SSWS_TOKEN, OktaSimulator
from sandbox.okta import Switches as OktaSwitches
from sandbox.population import company
from sandbox.serving import served
from tasks.ending import Ending
from tasks.observer import Unobserved
from tasks.workshop import Workshop, open_workshop

PRINCIPAL = "usersync-robot"
PASSWORD = "Battery-Staple-7461"
PLENTY = dict.fromkeys(("users", "user", "groups", "group", "logs", "token", "other"), 100_000)

_VALIDATOR = jsonschema.Draft202012Validator(schema())


@dataclass(frozen=True)
class Played:
    """One run: how it ended, and its document as a reader gets it."""

    ending: Ending
    document: dict[str, Any]
    people: dict[str, dict[str, Any]] = field(repr=False)
    """The document's people by username; by external id where there is none."""

    @property
    def run(self) -> dict[str, Any]:
        found: dict[str, Any] = self.document["run"]
        return found

    @property
    def plan(self) -> Plan:
        assert self.ending.plan is not None
        return self.ending.plan

    def outcomes(self) -> Counter[str]:
        return Counter(person["outcome"] for person in self.document["people"])

    def statuses(self) -> Counter[str]:
        return statuses_in(self.document)

    def with_outcome(self, *outcomes: str) -> list[dict[str, Any]]:
        return [person for person in self.document["people"] if person["outcome"] in outcomes]


def statuses_in(document: dict[str, Any]) -> Counter[str]:
    """Operations on people and groups, by what became of them."""
    found = [operation for person in document["people"] for operation in person["operations"]]
    return Counter(operation["status"] for operation in [*found, *document["run"]["groups"]])


class Interruption(Unobserved):
    """Does something at the moment at which the plan is made and nothing is sent yet."""

    def __init__(self, deed: Callable[[], object]) -> None:
        self._deed = deed

    def planned(self, plan: Plan) -> None:
        self._deed()


@dataclass
class Stage:
    folder: Path
    company: Company
    okta: OktaSimulator
    bitbucket: BitbucketSimulator
    okta_url: str
    bitbucket_url: str
    local: set[str] = field(default_factory=lambda: {PRINCIPAL})
    """Names of accounts and groups that no run may ever touch."""
    today: datetime | None = None
    """What runs take for the present, if a test says so."""
    _marks: tuple[int, int] = (0, 0)

    @property
    def sync_file(self) -> Path:
        return self.folder / "staff.yaml"

    @property
    def ledger_url(self) -> str:
        return f"sqlite:///{self.folder}/ledger.db"

    def write_sync_file(self, **sections: dict[str, Any]) -> None:
        """The ordinary sync file, with these sections laid over it."""
        plain: dict[str, Any] = {
            "name": "staff",
            "source": {"kind": "okta", "url": self.okta_url, "token": "env:OKTA_TOKEN"},
            "target": {
                "kind": "bitbucket",
                "url": self.bitbucket_url,
                "username": PRINCIPAL,
                "password": "env:BITBUCKET_PASSWORD",
                "read_back_seconds": 0,
            },
            "attributes": {"username": "lower(split_part(username, '@', 1))"},
            "groups": {"always": ["stash-users"]},
            # Faults of these tests are made for full reads; what changed is read in tests of the sources.
            "reading": {"full_every_hours": 0},
            "report": {"results": str(self.folder / "results")},
        }
        for name, section in sections.items():
            plain[name] = {**plain.get(name, {}), **section}
        self.sync_file.write_text(yaml.safe_dump(plain), encoding="utf-8")

    def sync(self, at_plan: Callable[[], object] | None = None) -> Played:
        return self._play(run_sync, at_plan)

    def sync_person(self, name: str) -> Played:
        return self._play(lambda shop: sync_person(shop, name))

    def make_plan(self) -> Played:
        return self._play(make_plan)

    def apply(self, plan_id: str, *, approved_by: str | None = None) -> Played:
        return self._play(lambda shop: apply_plan(shop, plan_id, approved_by=approved_by))

    def side_by_side(self, *runs: Callable[[Workshop], Awaitable[Ending]]) -> list[Played]:
        """Several runs at once, each with everything of its own."""

        async def all_of_them() -> list[Ending]:
            return await asyncio.gather(*(self._in_workshop(run) for run in runs))

        return [self._read(ending) for ending in asyncio.run(all_of_them())]

    def _play(
        self, run: Callable[[Workshop], Awaitable[Ending]], at_plan: Callable[[], object] | None = None
    ) -> Played:
        return self._read(asyncio.run(self._in_workshop(run, at_plan)))

    async def _in_workshop(
        self, run: Callable[[Workshop], Awaitable[Ending]], at_plan: Callable[[], object] | None = None
    ) -> Ending:
        observer = Interruption(at_plan) if at_plan else None
        async with open_workshop(
            self.sync_file,
            ledger_url=self.ledger_url,
            observer=observer,
            clock=lambda: self.today or datetime.now(UTC),
        ) as shop:
            return await run(shop)

    def _read(self, ending: Ending) -> Played:
        document = self.document(ending.run_id)
        assert ending.document is not None
        assert document == json.loads(Path(ending.document).read_bytes())
        assert (document["run"]["status"], document["run"]["exit_code"]) == (ending.status, ending.exit_code)
        if ending.plan is not None:
            planned = sorted(ending.plan.verdicts["external_id"])
            assert sorted(person["external_id"] for person in document["people"]) == planned
        return Played(ending, document, {p["username"] or p["external_id"]: p for p in document["people"]})

    def document(self, run_id: str) -> dict[str, Any]:
        """A run's document, checked against the schema and the ledger."""
        with self.ledger() as ledger:
            noted = ledger.results.document(run_id)
            people = ledger.results.people(run_id).collect()
            recorded = ledger.runs.get(run_id)
        assert noted is not None
        content = Path(noted.location).read_bytes()
        assert noted.sha256 == hashlib.sha256(content).hexdigest()
        document: dict[str, Any] = json.loads(content)
        _VALIDATOR.validate(document)
        assert people.height == len(document["people"]) == sum(document["run"]["outcomes"].values())
        assert recorded.status == document["run"]["status"].replace("refused", "failed")
        return document

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        with ledgers.open(self.ledger_url) as ledger:
            yield ledger

    def mark(self) -> None:
        """From here on `requests` and `effects` count."""
        self._marks = (len(self.bitbucket.requests), len(self.bitbucket.effects))

    @property
    def requests(self) -> list[RequestRecord]:
        """What Bitbucket was asked since the mark."""
        return list(self.bitbucket.requests)[self._marks[0] :]

    @property
    def writes(self) -> list[RequestRecord]:
        return [request for request in self.requests if request.method != "GET"]

    @property
    def effects(self) -> list[tuple[str, ...]]:
        """What changed in Bitbucket since the mark."""
        return list(self.bitbucket.effects)[self._marks[1] :]

    def repeated(self) -> list[tuple[str, ...]]:
        """Effects since the mark that happened more than once."""
        return [effect for effect, times in Counter(self.effects).items() if times > 1]

    def snapshot(self) -> dict[str, Any]:
        return self.bitbucket.state.snapshot()

    def add_local_account(self, name: str, **details: Any) -> None:
        self.bitbucket.state.add_user(name, **details)
        self.local.add(name)

    def add_local_group(self, name: str, *members: str) -> None:
        self.bitbucket.state.add_group(name)
        for member in members:
            self.bitbucket.state.join(name, member)
        self.local.add(name)

    def active(self, count: int) -> list[Person]:
        """The first people who have an account, at every call the same ones unless something happened to them."""
        found = [person for person in self.company.people.values() if person.standing is Standing.ACTIVE]
        return found[:count]

    def assert_settled(self) -> None:
        """The next run finds nothing to do and writes nothing."""
        before = self.bitbucket.requests.writes
        again = self.sync()
        assert (again.ending.status, again.ending.exit_code) == ("nothing_to_do", 0)
        assert again.plan.empty
        assert self.bitbucket.requests.writes == before

    def assert_the_local_untouched(self) -> None:
        names = {name.casefold() for name in self.local}
        touched = [e for e in self.bitbucket.effects if names.intersection(part.casefold() for part in e[1:])]
        assert touched == []

    def assert_no_secret_written(self) -> None:
        for file in self.folder.rglob("*"):
            if file.is_file():
                content = file.read_bytes()
                assert SSWS_TOKEN.encode() not in content, file
                assert PASSWORD.encode() not in content, file


@contextmanager
def staged(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    staff: tuple[int, int] = (60, 12),
    switches: Switches | None = None,
    wrap: Callable[[ASGIApp], ASGIApp] = lambda app: app,
    **sections: dict[str, Any],
) -> Iterator[Stage]:
    """Two simulators, `staff` people and groups in Okta, and a sync file in `folder` with `sections` laid over it.

    `wrap` puts something between the simulators and their clients. Retries wait hundredths of a second, not seconds.
    """
    shorter = functools.partial(RetryPolicy, first_delay=0.01, longest_delay=0.02)
    monkeypatch.setattr("connectors.http.client.RetryPolicy", shorter)
    monkeypatch.setenv("OKTA_TOKEN", SSWS_TOKEN)
    monkeypatch.setenv("BITBUCKET_PASSWORD", PASSWORD)
    invented = company(*staff)
    okta = OktaSimulator(invented, OktaSwitches(limits=PLENTY))
    bitbucket = BitbucketSimulator(switches or Switches(), admin=(PRINCIPAL, PASSWORD))
    with served(wrap(okta.app)) as okta_url, served(wrap(bitbucket.app)) as bitbucket_url:
        stage = Stage(folder, invented, okta, bitbucket, okta_url, bitbucket_url)
        stage.write_sync_file(**sections)
        yield stage
        stage.assert_the_local_untouched()
        stage.assert_no_secret_written()
