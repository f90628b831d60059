"""One account of a simulated Bitbucket, held to a read of everything, and what it costs."""

from __future__ import annotations

import polars as pl
import pytest

from connectors.contract import AccountScope
from connectors.targets.bitbucket.account_read import search_texts
from directory.errors import TargetUnavailable
from directory.snapshot import TargetSnapshot
from sandbox.bitbucket import Switches, populate
from sandbox.bitbucket.population import Population
from tests.contract.bitbucket_target_setup import EVERY_READ, PASSWORD, PASSWORD_VARIABLE, bitbucket, settled


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)


def asking(
    account_id: str | None = None,
    username: str | None = None,
    *,
    wishes: tuple[str, ...] = (),
    emails: tuple[str, ...] = (),
    groups: tuple[str, ...] = (),
) -> AccountScope:
    return AccountScope(account_id, username, frozenset(wishes), frozenset(emails), frozenset(groups))


def of(snapshot: TargetSnapshot, account_id: str) -> tuple[pl.DataFrame, list[str]]:
    """The row of an account and the names of its groups."""
    theirs = pl.col("account_id") == account_id
    return snapshot.accounts.filter(theirs), sorted(snapshot.memberships.filter(theirs)["group"])


@pytest.mark.parametrize("page_cap", [1000, 3])
async def test_every_account_is_read_as_a_read_of_everything_shows_it(page_cap: int) -> None:
    async with bitbucket(Switches(page_cap=page_cap, page_mode="filtered_short")) as (simulator, target, _):
        settled(simulator)
        populate(simulator.state, Population(people=23, groups=7, memberships=80, seed=4))
        simulator.state.grant_group("ops", "ADMIN")
        whole = await target.read(EVERY_READ)
        permissions = dict(whole.groups.select("name", "permission").iter_rows())

        for row in whole.accounts.iter_rows(named=True):
            alone = await target.read_account(asking(row["account_id"], row["username"]))

            assert alone is not None
            account, groups = of(alone, row["account_id"])
            expected, expected_groups = of(whole, row["account_id"])
            assert account.equals(expected)
            assert groups == expected_groups
            assert alone.principal == whole.principal
            told = dict(alone.groups.select("name", "permission").iter_rows())
            assert {name: permissions[name] for name in told} == told
            assert {name for name, grant in permissions.items() if grant} | set(groups) <= set(told)


async def test_somebody_with_an_account_costs_four_requests_and_one_for_a_group_to_come() -> None:
    async with bitbucket() as (simulator, target, _):
        settled(simulator)
        jane = of_name(await target.read(EVERY_READ), "jane")

        plain = await target.read_account(asking(jane, "JANE", groups=("devs",)))
        more = await target.read_account(asking(jane, "jane", groups=("devs", "Empty", "stash-users")))

        assert plain is not None
        assert more is not None
        assert (plain.requests, more.requests) == (4, 5)
        assert set(more.groups["name"]) == {"devs", "ops", "empty", "stash-users"}


async def test_a_joiner_is_looked_up_by_name_and_address_and_the_seats_are_asked_for() -> None:
    async with bitbucket(Switches(licence_maximum=50)) as (simulator, target, _):
        settled(simulator)

        found = await target.read_account(
            asking(wishes=("new.comer",), emails=("new.comer@example.test",), groups=("devs", "ops", "gone"))
        )

        assert found is not None
        assert found.accounts.is_empty()
        assert found.licence.maximum == 50
        assert set(found.groups["name"]) == {"devs", "ops", "stash-users"}
        # The account by name and address in one search, the groups' grants, the list of groups, the seats.
        assert found.requests == 4


async def test_an_account_that_may_be_adopted_comes_with_what_it_has() -> None:
    async with bitbucket() as (simulator, target, _):
        settled(simulator)
        whole = await target.read(EVERY_READ)

        found = await target.read_account(asking(wishes=("j.doe",), emails=("JANE@example.test",)))

        assert found is not None
        jane = of_name(whole, "jane")
        account, groups = of(found, jane)
        assert account.equals(of(whole, jane)[0])
        assert groups == ["devs", "ops"]


async def test_an_account_of_another_name_than_thought_is_left_to_a_read_of_everything() -> None:
    async with bitbucket() as (simulator, target, _):
        settled(simulator)
        jane = of_name(await target.read(EVERY_READ), "jane")

        assert await target.read_account(asking(jane, "mary")) is None
        assert await target.read_account(asking("4711", "jane")) is None


async def test_a_name_of_the_same_address_in_bitbucket_is_found_for_who_wants_it() -> None:
    async with bitbucket() as (simulator, target, _):
        simulator.state.add_user("ann_lee@corp", email="a@example.test")

        found = await target.read_account(asking(wishes=("ann@lee@corp",)))

        assert found is not None
        assert set(found.accounts["username"]) == {"ann_lee@corp"}


async def test_a_failing_answer_is_raised_and_no_account_is_missing_for_it() -> None:
    async with bitbucket() as (simulator, target, _):
        settled(simulator)
        jane = of_name(await target.read(EVERY_READ), "jane")
        for path in ("*/admin/users", "*/admin/users/more-members", "*/permissions/*"):
            simulator.faults.clear()
            simulator.faults.drop(method="GET", path=path, times=None)
            with pytest.raises(TargetUnavailable):
                await target.read_account(asking(jane, "jane"))


@pytest.mark.parametrize(
    ("scope", "texts"),
    [
        (asking("1", "ann"), ["ann"]),
        (asking("1", "ann", wishes=("ann.lee",)), ["ann"]),
        (asking("1", "an", wishes=("an.lee",)), ["an", "an.lee"]),
        (asking(wishes=("ann.lee@corp.com",), emails=("ann.lee@corp.com",)), ["ann.lee"]),
        (asking(wishes=("a_b",), emails=("lee@x",)), ["a", "lee@x"]),
        (asking(wishes=("@corp",)), ["corp"]),
        (asking(wishes=("@",)), ["@"]),
        (asking(), []),
    ],
    ids=["linked", "longer-name", "short-name", "one-for-both", "pieces", "domain", "no-piece", "nobody"],
)
def test_few_texts_find_every_account_that_matters(scope: AccountScope, texts: list[str]) -> None:
    assert search_texts(scope) == texts


def of_name(snapshot: TargetSnapshot, username: str) -> str:
    return str(snapshot.accounts.filter(username=username)["account_id"].item())
