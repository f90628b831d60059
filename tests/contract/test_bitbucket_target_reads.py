"""Reading a simulated Bitbucket over HTTP: completeness, scope, races, and what it costs."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest
from starlette.types import ASGIApp

from connectors.contract import ReadScope
from directory.errors import TargetUnreadable
from directory.snapshot import ACCOUNTS, MEMBERS, TARGET_GROUPS, Licence
from sandbox.bitbucket import BitbucketSimulator, Directory, Switches, populate
from sandbox.bitbucket.population import Population
from tests.contract.bitbucket_target_setup import (
    EVERY_READ,
    PASSWORD,
    PASSWORD_VARIABLE,
    Interrupted,
    bitbucket,
    members_of,
    settled,
)


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)


def truth(simulator: BitbucketSimulator) -> dict[str, list[str]]:
    memberships: dict[str, list[str]] = simulator.state.snapshot()["memberships"]
    return memberships


async def test_a_snapshot_is_what_is_there() -> None:
    async with bitbucket(Switches(licence_maximum=50)) as (simulator, target, _):
        settled(simulator)
        simulator.state.grant_group("ops", "ADMIN")

        snapshot = await target.read(EVERY_READ)

    assert dict(snapshot.accounts.schema) == dict(ACCOUNTS)
    assert dict(snapshot.groups.schema) == dict(TARGET_GROUPS)
    assert dict(snapshot.memberships.schema) == dict(MEMBERS)
    assert snapshot.completeness.complete
    assert snapshot.principal == "admin"
    assert snapshot.licence == Licence(maximum=50, used=3)
    assert sorted(snapshot.groups.rows()) == [
        ("devs", None, True),
        ("empty", None, True),
        ("ops", "ADMIN", True),
        ("stash-users", "LICENSED_USER", True),
    ]
    assert {group: members_of(snapshot, group) for group in ("devs", "empty", "ops")} == {
        "devs": ["jane"],
        "empty": [],
        "ops": ["jane"],
    }
    permissions = dict(snapshot.accounts.select("username", "permission").rows())
    assert permissions == {"admin": "SYS_ADMIN", "admin2": None, "jane": None, "joe": None, "mary": "LICENSED_USER"}
    jane = snapshot.accounts.filter(username="jane").row(0, named=True)
    assert (jane["email"], jane["display_name"], jane["active"]) == ("jane@example.test", "Jane", True)
    assert jane["last_login"] is None
    assert snapshot.accounts.filter(username="admin")["last_login"].null_count() == 0


@pytest.mark.parametrize("page_mode", ["plain", "filtered_full", "filtered_short"])
@pytest.mark.parametrize("last_page_next", ["absent", "null"])
@pytest.mark.parametrize("order", ["name", "shuffled"])
async def test_every_row_is_read_however_the_pages_are_cut(page_mode: str, last_page_next: str, order: str) -> None:
    switches = Switches(page_cap=3, page_mode=page_mode, last_page_next=last_page_next, order=order)
    async with bitbucket(switches) as (simulator, target, _):
        populate(simulator.state, Population(people=23, groups=7, memberships=80, seed=4))

        snapshot = await target.read(EVERY_READ)

        assert snapshot.accounts.height == 24
        assert {group: members_of(snapshot, group) for group in truth(simulator)} == truth(simulator)
        assert snapshot.memberships.height == 80


async def test_the_number_of_requests_is_the_least_that_the_cap_allows() -> None:
    async with bitbucket(Switches(page_cap=10)) as (simulator, target, _):
        populate(simulator.state, Population(people=94, groups=19, memberships=900, seed=1))

        snapshot = await target.read(EVERY_READ)

        pages_of_members = sum(max(1, -(-len(members) // 10)) for members in truth(simulator).values())
        accounts, groups, constant, groups_again = 10, 2, 3, 2
        assert snapshot.requests == accounts + groups + pages_of_members + constant + groups_again
        assert snapshot.requests == len(simulator.requests)


async def test_only_groups_in_scope_and_those_that_give_access_are_read() -> None:
    async with bitbucket() as (simulator, target, _):
        settled(simulator)
        simulator.state.join("stash-users", "joe")

        snapshot = await target.read(ReadScope(frozenset({"DEVS", "not there yet"})))

        read = dict(snapshot.groups.select("name", "members_read").rows())
        assert read == {"devs": True, "empty": False, "ops": False, "stash-users": True}
        assert members_of(snapshot, "devs") == ["jane"]
        assert members_of(snapshot, "stash-users") == ["joe"]
        assert simulator.requests.count(path_end="/more-members") == 2


async def test_a_lower_page_size_is_asked_for() -> None:
    async with bitbucket(page_size=2) as (simulator, target, _):
        settled(simulator)

        snapshot = await target.read(EVERY_READ)

        assert snapshot.accounts.height == 5
        assert {"limit=2" in record.query for record in simulator.requests if record.path.endswith("/users")} == {True}


async def test_progress_is_told() -> None:
    told: list[tuple[str, int]] = []
    async with bitbucket(Switches(page_cap=2)) as (simulator, target, _):
        settled(simulator)

        await target.read(EVERY_READ, lambda what, count: told.append((what, count)))

    assert [count for what, count in told if what == "accounts"] == [2, 4, 5]
    assert ("groups", 4) in told
    assert [count for what, count in told if what == "memberships"][-1] == 2


async def test_a_read_changes_nothing() -> None:
    async with bitbucket() as (simulator, target, _):
        settled(simulator)
        effects = len(simulator.effects)

        await target.read(EVERY_READ)
        await target.check()

        assert simulator.requests.writes == 0
        assert len(simulator.effects) == effects


@pytest.mark.parametrize("installed", [True, False])
async def test_seats_without_a_limit_or_a_licence_are_unknown(*, installed: bool) -> None:
    async with bitbucket(Switches(licence_installed=installed)) as (_, target, _url):
        snapshot = await target.read(EVERY_READ)

        assert snapshot.licence == Licence(maximum=None, used=1 if installed else None)


class At:
    """Does something once, just before the first request whose address contains `part`."""

    def __init__(self, part: str, times: int = 1) -> None:
        self.simulator: BitbucketSimulator | None = None
        self.deed: Callable[[BitbucketSimulator], None] = lambda _simulator: None
        self._part = part
        self._left = times

    def __call__(self, _method: str, address: str) -> None:
        if self.simulator is not None and self._part in address and self._left:
            self._left -= 1
            self.deed(self.simulator)

    def wrap(self, app: ASGIApp) -> ASGIApp:
        return Interrupted(app, self)


async def test_a_group_that_vanishes_between_its_listing_and_its_members_is_not_read_as_empty() -> None:
    at = At("context=devs")
    at.deed = lambda simulator: simulator.state.delete_group("devs")
    async with bitbucket(wrap=at.wrap) as (simulator, target, _):
        settled(simulator)
        at.simulator = simulator

        snapshot = await target.read(EVERY_READ)

        assert "devs" not in snapshot.groups["name"].to_list()
        assert members_of(snapshot, "ops") == ["jane"]
        assert snapshot.completeness.complete


async def test_a_group_that_vanishes_between_two_pages_of_its_members_is_not_read_as_half_as_large() -> None:
    at = At("context=devs&start=2")
    at.deed = lambda simulator: simulator.state.delete_group("devs")
    async with bitbucket(Switches(page_cap=2), wrap=at.wrap) as (simulator, target, _):
        settled(simulator)
        for name in ("joe", "mary", "admin2"):
            simulator.state.join("devs", name)
        at.simulator = simulator

        snapshot = await target.read(EVERY_READ)

        assert "devs" not in snapshot.groups["name"].to_list()
        assert snapshot.memberships.filter(pl.col("group") == "devs").is_empty()


async def test_groups_that_keep_vanishing_make_the_target_unreadable() -> None:
    gone = iter([f"doomed{number}" for number in range(10)])
    at = At("context=stash-users", times=10)
    at.deed = lambda simulator: simulator.state.delete_group(next(gone))
    async with bitbucket(wrap=at.wrap, concurrency=1) as (simulator, target, _):
        for number in range(10):
            simulator.state.add_group(f"doomed{number}")
        at.simulator = simulator
        # Each time one of them was listed, and read as empty, before it is deleted.
        with pytest.raises(TargetUnreadable, match="kept vanishing"):
            await target.read(EVERY_READ)

        assert simulator.requests.count("GET", "/admin/permissions/users") == 3


async def test_an_account_that_is_created_while_we_read_is_a_member_with_all_its_details() -> None:
    def create(simulator: BitbucketSimulator) -> None:
        simulator.state.add_user("late", display_name="Late Comer", email="late@example.test")
        simulator.state.join("devs", "late")

    at = At("context=devs")
    at.deed = create
    async with bitbucket(wrap=at.wrap) as (simulator, target, _):
        settled(simulator)
        at.simulator = simulator
        before = len(simulator.requests)

        snapshot = await target.read(EVERY_READ)

        late = snapshot.accounts.filter(username="late").row(0, named=True)
        assert (late["display_name"], late["email"], late["mutable_details"]) == (
            "Late Comer",
            "late@example.test",
            True,
        )
        assert members_of(snapshot, "devs") == ["jane", "late"]
        assert len(simulator.requests) - before == snapshot.requests


async def test_an_account_that_is_created_while_its_list_is_read_is_not_listed_twice() -> None:
    at = At("/admin/users?start=2")
    at.deed = lambda simulator: simulator.state.add_user("aaron")
    async with bitbucket(Switches(page_cap=2), wrap=at.wrap) as (simulator, target, _):
        settled(simulator)
        at.simulator = simulator

        snapshot = await target.read(EVERY_READ)

        assert snapshot.accounts["username"].is_duplicated().sum() == 0
        assert {"admin", "admin2", "jane", "joe", "mary"} <= set(snapshot.accounts["username"])


async def test_service_accounts_are_no_people() -> None:
    async with bitbucket() as (simulator, target, _):
        settled(simulator)
        simulator.state.add_user("access-key")
        simulator.state.join("devs", "access-key")
        key = simulator.state.user("access-key")
        assert key is not None
        key.type = "SERVICE"
        key.changed()

        snapshot = await target.read(EVERY_READ)

        assert "access-key" not in snapshot.accounts["username"].to_list()
        assert members_of(snapshot, "devs") == ["jane"]
        assert snapshot.memberships.filter(pl.col("group") == "devs").height == 1


async def test_inactive_accounts_of_an_external_directory_are_read_as_such() -> None:
    async with bitbucket() as (simulator, target, _):
        crowd = Directory("Company Crowd", "Crowd", "", mutable_details=False, mutable_groups=False)
        simulator.state.add_directory(crowd)
        simulator.state.add_user("gone", directory="Company Crowd", active=False)

        accounts = (await target.read(EVERY_READ)).accounts

        assert accounts.filter(username="gone").select("active", "directory", "deletable").row(0) == (
            False,
            "Company Crowd",
            False,
        )
