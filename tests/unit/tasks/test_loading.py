"""The loader against a target that answers as told, and a real ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

import ledger as ledgers
from connectors.contract import CheckFinding, Progress, ReadScope
from directory.call import (
    AddMembersToGroup,
    Call,
    CreateAccount,
    CreateGroup,
    DeleteAccount,
    EraseAccount,
    RenameAccount,
)
from directory.errors import (
    AlreadyExists,
    CredentialsRefused,
    Fatal,
    NotFound,
    OperationRefused,
    OutcomeUnknown,
    TargetUnavailable,
)
from directory.snapshot import TargetSnapshot
from ledger.opening import Ledger
from reconcile.plan import Plan
from tasks.bookkeeping import Bookkeeper
from tasks.loading import Loader
from tasks.observer import Unobserved
from tasks.plans import store_plan
from tests.builders import account, person, plan_of, policy, present, source, target

Answer = Callable[[Call], None]


class Told:
    """A target that does what the test says for each call, and keeps what it was sent."""

    requests = 0

    def __init__(self, answer: Answer) -> None:
        self.sent: list[Call] = []
        self._answer = answer

    async def apply(self, call: Call) -> None:
        self.sent.append(call)
        await asyncio.sleep(0)
        self._answer(call)

    async def read(self, scope: ReadScope, progress: Progress | None = None) -> TargetSnapshot:
        raise AssertionError("the loader reads nothing")

    async def holds(self, call: Call) -> bool:
        raise AssertionError("the loader asks for nothing")

    async def check(self) -> list[CheckFinding]:
        return []

    async def close(self) -> None:
        pass


@pytest.fixture
def book(tmp_path: Path):
    with ledgers.open(f"sqlite:///{tmp_path / 'ledger.db'}") as opened:
        yield opened


def joiners(count: int, groups: dict[str, list[str]] | None = None) -> Plan:
    return plan_of(source([person(str(n), f"user{n}") for n in range(count)], groups or {}), target([account("admin")]))


async def load(
    book: Ledger, plan: Plan, answer: Answer, *, concurrency: int = 4
) -> tuple[Loader, Told, dict[str, int]]:
    store_plan(book, plan)
    run = book.runs.start(sync=plan.header.sync, mode="sync", target=plan.header.target)
    told = Told(answer)
    loader = Loader(
        plan.operations,
        told,
        Bookkeeper(book, plan, run.id),
        Unobserved(),
        keep_lease=lambda: None,
        concurrency=concurrency,
        most_members=100,
    )
    await loader.carry_out()
    entries = book.journal.entries(plan.id)
    return loader, told, dict(entries["status"].value_counts().iter_rows())


def yes(_: Call) -> None:
    """The target does as it is told."""


async def test_all_is_sent_once_and_journalled(book: Ledger):
    plan = joiners(5, {"dev": ["0", "1"], "ops": ["1", "2", "3"]})
    loader, told, statuses = await load(book, plan, yes)
    assert loader.stopped is None
    assert statuses == {"done": plan.operations.height}
    assert sum(isinstance(call, CreateAccount) for call in told.sent) == 5
    assert sum(isinstance(call, AddMembersToGroup) for call in told.sent) == 2
    assert book.links.frame(plan.header.sync)["external_id"].to_list() == ["0", "1", "2", "3", "4"]


async def test_one_refused_member_costs_nobody_else_the_group(book: Ledger):
    def answer(call: Call) -> None:
        if isinstance(call, AddMembersToGroup) and "user1" in call.usernames:
            raise NotFound("no such user")

    plan = joiners(4, {"dev": ["0", "1", "2", "3"]})
    _, _, statuses = await load(book, plan, answer)
    assert statuses == {"done": plan.operations.height - 1, "failed": 1}


async def test_what_depends_on_a_failed_creation_is_skipped_and_says_so(book: Ledger):
    def answer(call: Call) -> None:
        if isinstance(call, CreateAccount) and call.username == "user1":
            raise OperationRefused("the name is refused")

    plan = joiners(3, {"dev": ["0", "1"]})
    _, told, statuses = await load(book, plan, answer)
    assert statuses == {"done": plan.operations.height - 2, "failed": 1, "skipped": 1}
    assert all("user1" not in call.usernames for call in told.sent if isinstance(call, AddMembersToGroup))


async def test_the_traces_of_an_account_that_could_not_be_deleted_are_not_erased(book: Ledger):
    def answer(call: Call) -> None:
        if isinstance(call, DeleteAccount) and call.username == "ann":
            raise OperationRefused("it outranks us")

    people = ["ann", "bob"]
    plan = plan_of(source(), target(people), present(people), policy(leavers={"method": "erase"}))
    _, told, statuses = await load(book, plan, answer)
    assert statuses == {"done": 2, "failed": 1, "skipped": 1}
    assert [call.username for call in told.sent if isinstance(call, EraseAccount)] == ["bob"]


async def test_traces_that_are_gone_already_are_erased(book: Ledger):
    def answer(call: Call) -> None:
        if isinstance(call, EraseAccount):
            raise NotFound("no such user")

    plan = plan_of(source(), target(["ann"]), present(["ann"]), policy(leavers={"method": "erase"}))
    _, _, statuses = await load(book, plan, answer)
    assert statuses == {"done": 2}


async def test_members_of_a_group_that_could_not_be_created_are_skipped(book: Ledger):
    def answer(call: Call) -> None:
        if isinstance(call, CreateGroup) and call.group == "dev":
            raise OperationRefused("the name is refused")

    plan = joiners(2, {"dev": ["0", "1"], "ops": ["0"]})
    _, _, statuses = await load(book, plan, answer)
    assert statuses["skipped"] == 2
    assert statuses["failed"] == 1


async def test_a_group_that_appeared_meanwhile_is_what_was_wanted(book: Ledger):
    def answer(call: Call) -> None:
        if isinstance(call, CreateGroup):
            raise AlreadyExists("the group exists")

    plan = joiners(1, {"dev": ["0"]})
    _, _, statuses = await load(book, plan, answer)
    assert statuses == {"done": plan.operations.height}


async def test_an_unknown_outcome_stays_in_doubt_and_is_not_sent_again(book: Ledger):
    def answer(call: Call) -> None:
        if isinstance(call, CreateAccount) and call.username == "user1":
            raise OutcomeUnknown("the answer was lost")

    plan = joiners(3)
    _, told, statuses = await load(book, plan, answer)
    assert statuses == {"done": 2, "sent": 1}
    assert book.journal.in_doubt(plan.id).height == 1
    assert sum(isinstance(call, CreateAccount) and call.username == "user1" for call in told.sent) == 1


async def test_a_target_that_is_down_is_given_up_after_ten_calls_in_a_row(book: Ledger):
    def answer(_: Call) -> None:
        raise TargetUnavailable("no answer")

    loader, told, statuses = await load(book, joiners(200), answer)
    assert isinstance(loader.stopped, TargetUnavailable)
    assert 10 <= len(told.sent) <= 13
    assert "done" not in statuses


async def test_an_answer_in_between_starts_the_count_anew(book: Ledger):
    def answer(call: Call) -> None:
        if isinstance(call, CreateAccount) and not call.username.endswith("0"):
            raise TargetUnavailable("no answer")

    loader, told, _ = await load(book, joiners(60), answer, concurrency=1)
    assert loader.stopped is not None
    assert len(told.sent) > 10


async def test_refused_credentials_stop_everything_at_once(book: Ledger):
    def answer(_: Call) -> None:
        raise CredentialsRefused("401")

    loader, told, _ = await load(book, joiners(100), answer, concurrency=4)
    assert isinstance(loader.stopped, CredentialsRefused)
    assert len(told.sent) <= 4


async def test_a_ledger_that_fails_is_told_as_such(book: Ledger, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object, **__: object) -> None:
        raise Fatal("the ledger's disk is full")

    monkeypatch.setattr(book.journal, "done", broken)
    with pytest.raises(Fatal, match="disk is full"):
        await load(book, joiners(10), yes)


def shifted(wishes: dict[str, str]) -> Plan:
    """The plan that calls linked accounts otherwise, by the name that they have."""
    people = [person(name, wish, f"{name}@example.com", name.title()) for name, wish in wishes.items()]
    return plan_of(source(people), target(list(wishes)), present(list(wishes)))


def renames(told: Told) -> list[tuple[str, str]]:
    return [(call.username, call.new_username) for call in told.sent if isinstance(call, RenameAccount)]


async def test_no_rename_is_sent_before_the_account_that_has_the_name_gave_it_up(book: Ledger):
    taken = {"ann", "bob", "cem", "x", "y", "free"}

    def answer(call: Call) -> None:
        if isinstance(call, RenameAccount):
            if call.new_username in taken:
                raise OperationRefused(f"{call.new_username} exists")
            taken.remove(call.username)
            taken.add(call.new_username)

    plan = shifted({"ann": "bob", "bob": "cem", "cem": "dora", "x": "y", "y": "x", "free": "zoe"})
    loader, told, statuses = await load(book, plan, answer, concurrency=8)
    assert loader.stopped is None
    assert statuses == {"done": plan.operations.height}
    assert taken == {"bob", "cem", "dora", "x", "y", "zoe"}
    assert len(renames(told)) == 7
    links = book.links.frame(plan.header.sync)
    assert dict(links.select("external_id", "username").iter_rows())["x"] == "y"


async def test_who_waits_for_a_name_that_is_not_given_up_is_left_out_and_so_is_what_follows(book: Ledger):
    def answer(call: Call) -> None:
        if isinstance(call, RenameAccount) and call.username == "cem":
            raise OperationRefused("an account of a directory further down has the name")

    plan = shifted({"ann": "bob", "bob": "cem", "cem": "dora", "x": "y"})
    _, told, statuses = await load(book, plan, answer)
    assert sorted(renames(told)) == [("cem", "dora"), ("x", "y")]
    assert statuses == {"done": 1, "failed": 1, "skipped": 2}


async def test_a_new_account_waits_for_the_name_that_an_account_did_not_give_up(book: Ledger):
    def answer(call: Call) -> None:
        if isinstance(call, RenameAccount):
            raise OperationRefused("refused")

    people = [person("ann", "lee", "ann@example.com", "Ann"), person("new", "ann", "new@example.com")]
    plan = plan_of(source(people, {"dev": ["new"]}), target(["ann"], {"dev": []}), present(["ann"]))
    _, told, statuses = await load(book, plan, answer)
    assert len(told.sent) == 1
    assert statuses == {"failed": 1, "skipped": 2}


async def test_nobody_is_deleted_under_a_name_that_could_not_be_set_aside(book: Ledger):
    def answer(call: Call) -> None:
        if isinstance(call, RenameAccount):
            raise OperationRefused("refused")

    rules = policy(leavers={"method": "delete"})
    world = source([person("new", "ann", "new@example.com")])
    plan = plan_of(world, target(["ann"]), present(["ann"]), rules)
    _, told, statuses = await load(book, plan, answer)
    assert len(told.sent) == 1
    assert statuses == {"failed": 1, "skipped": 2}
