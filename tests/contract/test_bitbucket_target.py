"""Every call of the target against a simulated Bitbucket, over HTTP."""

from __future__ import annotations

import logging
from base64 import b64encode

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from connectors.contract import Target
from directory.call import (
    AddGroupsToAccount,
    AddMembersToGroup,
    Call,
    CreateAccount,
    CreateGroup,
    DeleteAccount,
    EraseAccount,
    GrantPermission,
    RemoveMembership,
    RenameAccount,
    RevokePermission,
    UpdateAccount,
)
from directory.errors import AlreadyExists, CredentialsRefused, NotFound, OperationRefused, SeatsExhausted
from sandbox.bitbucket import Directory, Switches
from tests.contract.bitbucket_defects import bitbucket_description
from tests.contract.bitbucket_target_setup import (
    CASES,
    EVERY_READ,
    PASSWORD,
    PASSWORD_VARIABLE,
    Case,
    bitbucket,
    members_of,
    settled,
    target_for,
)
from tests.contract.judged import Judged


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)


every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


@every_case
async def test_a_call_takes_effect_with_one_request_and_is_found_afterwards(case: Case) -> None:
    async with bitbucket() as (simulator, target, _):
        settled(simulator)
        held: Target = target
        assert not await held.holds(case.call)
        before = simulator.requests.writes

        await held.apply(case.call)

        assert case.effective(simulator)
        assert simulator.requests.writes - before == 1
        asked = held.requests
        assert await held.holds(case.call)
        assert held.requests - asked == (2 if isinstance(case.call, RenameAccount) else 1)
        assert held.requests == len(simulator.requests)


@every_case
async def test_calls_are_the_same_under_a_context_path_and_the_old_version_name(case: Case) -> None:
    def below(app: ASGIApp) -> ASGIApp:
        return Starlette(routes=[Mount("/git", app=_without_root_path(app))])

    async with bitbucket(wrap=below) as (simulator, _, url):
        settled(simulator)
        target = target_for(f"{url}/git/", api="1.0")

        await target.apply(case.call)

        assert case.effective(simulator)
        await target.close()


def _without_root_path(app: ASGIApp) -> ASGIApp:
    """Starlette's Mount leaves the whole path in the scope; a reverse proxy hands on what follows the context."""

    async def handed_on(scope, receive, send) -> None:
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        await app({**scope, "path": path, "raw_path": path.encode(), "root_path": ""}, receive, send)

    return handed_on


async def test_requests_are_those_of_the_vendors_description() -> None:
    judges: list[Judged] = []

    def judged(app: ASGIApp) -> ASGIApp:
        judges.append(Judged(app, bitbucket_description()))
        return judges[0]

    async with bitbucket(wrap=judged) as (simulator, target, _):
        settled(simulator)
        for case in CASES.values():
            await target.apply(case.call)
            await target.holds(case.call)
            if isinstance(case.call, RenameAccount):
                await target.apply(RenameAccount(case.call.new_username, case.call.username))
            if isinstance(case.call, DeleteAccount):
                await target.apply(CreateAccount("joe", "Joe", "joe@example.test"))
        await target.read(EVERY_READ)
        await target.check()

    judges[0].verdict()
    assert {
        "POST /api/latest/admin/users",
        "PUT /api/latest/admin/users",
        "DELETE /api/latest/admin/users",
        "POST /api/latest/admin/users/rename",
        "GET /api/latest/admin/users/erasure",
        "POST /api/latest/admin/users/erasure",
        "POST /api/latest/admin/users/add-groups",
        "POST /api/latest/admin/users/remove-group",
        "POST /api/latest/admin/groups",
        "POST /api/latest/admin/groups/add-users",
        "PUT /api/latest/admin/permissions/users",
        "DELETE /api/latest/admin/permissions/users",
        "GET /api/latest/admin/groups/more-members",
        "GET /api/latest/admin/license",
    } <= set(judges[0].operations)


async def test_a_bodyless_post_without_our_headers_is_what_the_xsrf_check_refuses() -> None:
    async with bitbucket() as (simulator, target, url), httpx.AsyncClient(auth=("admin", PASSWORD)) as bare:
        address = f"{url}/rest/api/latest/admin/groups"

        assert (await bare.post(address, params={"name": "bare"})).status_code == 403
        await target.apply(CreateGroup("ours"))

        assert set(simulator.state.snapshot()["groups"]) == {"ours", "stash-users"}


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("jane.doe@example.test", "devs@example.test"),
        ("jane doe", "all developers"),
        ("jane+work", "c++"),
        ("R&D", "research & development"),
        ("50%25", "100%"),
        ("Ünïcode", "größe/a?b#c"),
    ],
)
async def test_names_that_need_encoding_or_differ_from_their_slug(name: str, group: str) -> None:
    async with bitbucket() as (simulator, target, _):
        calls: list[Call] = [
            CreateAccount(name, f"{name} & Co + 1%", "a+b&c@example.test"),
            CreateGroup(group),
            AddMembersToGroup(group, (name,)),
            UpdateAccount(name, f"{name} = #2", "d+e@example.test"),
            GrantPermission(name, "LICENSED_USER"),
        ]
        for call in calls:
            await target.apply(call)
            assert await target.holds(call), call
        snapshot = await target.read(EVERY_READ)
        assert members_of(snapshot, group) == [name]
        user = simulator.state.user(name)
        assert user is not None
        assert (user.name, user.display_name, user.email) == (name, f"{name} = #2", "d+e@example.test")

        undo: list[Call] = [
            RevokePermission(name),
            RemoveMembership(name, group),
            AddGroupsToAccount(name, (group,)),
            RenameAccount(name, f"{name} 2"),
            DeleteAccount(f"{name} 2"),
        ]
        for call in undo:
            await target.apply(call)
            assert await target.holds(call), call
        assert simulator.state.members(group) == []


async def test_a_new_account_gets_a_password_of_its_own_and_stays_out_of_the_default_group() -> None:
    async with bitbucket() as (simulator, target, _):
        await target.apply(CreateAccount("jane", "Jane", "jane@example.test"))
        await target.apply(CreateAccount("joe", "Joe", "joe@example.test"))

        jane, joe = simulator.state.user("jane"), simulator.state.user("joe")
        assert jane is not None
        assert joe is not None
        assert jane.password is not None
        assert len(jane.password) >= 40
        assert jane.password != joe.password
        assert simulator.state.members("stash-users") == []


async def test_the_default_group_is_joined_where_the_settings_say_so() -> None:
    async with bitbucket(add_to_default_group=True) as (simulator, target, _):
        await target.apply(CreateAccount("jane", "Jane", "jane@example.test"))

        assert simulator.state.members("stash-users") == ["jane"]


@pytest.mark.parametrize("status", [400, 409])
async def test_notifying_needs_a_mail_server(status: int) -> None:
    switches = Switches(notify_without_mail_status=status)
    async with bitbucket(switches, notify=True) as (simulator, target, _):
        with pytest.raises(OperationRefused):
            await target.apply(CreateAccount("jane", "Jane", "jane@example.test"))
        assert simulator.state.user("jane") is None

    async with bitbucket(Switches(mail_server=True), notify=True) as (simulator, target, _):
        await target.apply(CreateAccount("jane", "Jane", "jane@example.test"))
        assert simulator.state.user("jane") is not None


async def test_no_password_reaches_a_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "httpcore.http11", "httpcore.connection"):
        caplog.set_level(logging.DEBUG, logger=name)
    async with bitbucket() as (simulator, target, _):
        await target.apply(CreateAccount("jane", "Jane", "jane@example.test"))
        simulator.faults.lose_answer()
        await target.apply(CreateAccount("joe", "Joe", "joe@example.test"))
        with pytest.raises(AlreadyExists) as refused:
            await target.apply(CreateAccount("jane", "Jane", "jane@example.test"))
        made = [simulator.state.user(name) for name in ("jane", "joe")]

    secrets = [PASSWORD, b64encode(f"admin:{PASSWORD}".encode()).decode()]
    secrets += [user.password for user in made if user is not None and user.password is not None]
    assert len(secrets) == 4
    assert caplog.records  # the libraries did write something
    told = caplog.text + str(refused.value) + repr(refused.value) + repr(target) + repr(vars(target))
    for secret in secrets:
        assert secret not in told


@pytest.mark.parametrize(
    "call",
    [
        CreateAccount("Admin", "A", "a@example.test"),
        UpdateAccount("admin", "A", "a@example.test"),
        RenameAccount("ADMIN", "other"),
        RenameAccount("jane", "admin"),
        DeleteAccount("admin"),
        EraseAccount("admin"),
        AddMembersToGroup("devs", ("jane", "Admin")),
        AddGroupsToAccount("admin", ("devs",)),
        RemoveMembership("admin", "devs"),
        GrantPermission("admin", "LICENSED_USER"),
        RevokePermission("admin"),
    ],
    ids=lambda call: type(call).__name__,
)
async def test_the_account_we_log_in_with_is_never_touched(call: Call) -> None:
    async with bitbucket() as (simulator, target, _):
        settled(simulator)

        with pytest.raises(OperationRefused, match="never touches"):
            await target.apply(call)

        assert len(simulator.requests) == 0


async def test_more_members_than_one_call_takes_are_sent_in_several() -> None:
    async with bitbucket(max_members_per_call=2) as (simulator, target, _):
        settled(simulator)
        call = AddMembersToGroup("empty", ("jane", "joe", "mary", "admin2", "jane"))

        await target.apply(call)

        assert simulator.requests.count("POST", "/groups/add-users") == 3
        assert simulator.state.members("empty") == ["admin2", "jane", "joe", "mary"]
        assert await target.holds(call)


async def test_nothing_to_add_sends_nothing() -> None:
    async with bitbucket() as (simulator, target, _):
        await target.apply(AddMembersToGroup("devs", ()))
        await target.apply(AddGroupsToAccount("jane", ()))

        assert len(simulator.requests) == 0


async def test_members_of_a_large_group_are_looked_up_where_that_takes_fewer_requests() -> None:
    async with bitbucket(Switches(page_cap=2)) as (simulator, target, _):
        settled(simulator)
        for number in range(30):
            simulator.state.add_user(f"a{number:02}")
            simulator.state.join("devs", f"a{number:02}")
        simulator.state.join("devs", "joe")

        assert await target.holds(AddMembersToGroup("devs", ("jane", "joe")))
        assert target.requests == 4  # two pages of sixteen, then each of the two by name
        assert await target.holds(AddMembersToGroup("devs", tuple(f"a{number:02}" for number in range(20))))
        assert target.requests == 4 + 10
        assert not await target.holds(AddMembersToGroup("devs", ("jane", "mary", "a00")))


@pytest.mark.parametrize("partial_update", ["keeps", "blanks"])
async def test_an_update_sends_every_field(partial_update: str) -> None:
    async with bitbucket(Switches(partial_update=partial_update)) as (simulator, target, _):
        settled(simulator)
        await target.apply(UpdateAccount("jane", "Jane", "new@example.test"))

        user = simulator.state.user("jane")
        assert user is not None
        assert (user.display_name, user.email) == ("Jane", "new@example.test")


async def test_what_exists_already_is_refused_as_such() -> None:
    async with bitbucket() as (simulator, target, _):
        settled(simulator)

        with pytest.raises(AlreadyExists, match="account JANE"):
            await target.apply(CreateAccount("JANE", "Another", "another@example.test"))
        with pytest.raises(AlreadyExists, match="group Devs"):
            await target.apply(CreateGroup("Devs"))

        assert await target.holds(CreateGroup("Devs"))
        assert not await target.holds(CreateAccount("JANE", "Another", "another@example.test"))


@pytest.mark.parametrize("status", [409, 400])
async def test_a_name_that_is_taken_refuses_a_rename(status: int) -> None:
    async with bitbucket(Switches(rename_onto_existing_status=status)) as (simulator, target, _):
        settled(simulator)
        call = RenameAccount("jane", "joe")

        with pytest.raises(OperationRefused, match="not renamed to joe"):
            await target.apply(call)

        assert not await target.holds(call)


async def test_a_rename_of_case_alone_is_a_rename() -> None:
    async with bitbucket() as (simulator, target, _):
        settled(simulator)
        call = RenameAccount("jane", "Jane")
        assert not await target.holds(call)

        await target.apply(call)

        assert await target.holds(call)


@pytest.mark.parametrize(
    "call",
    [
        UpdateAccount("ghost", "G", "g@example.test"),
        RenameAccount("ghost", "g"),
        AddMembersToGroup("devs", ("ghost",)),
        AddMembersToGroup("no such group", ("jane",)),
        AddGroupsToAccount("ghost", ("devs",)),
        AddGroupsToAccount("joe", ("devs", "no such group")),
        RemoveMembership("ghost", "devs"),
        RemoveMembership("jane", "no such group"),
        GrantPermission("ghost", "LICENSED_USER"),
        RevokePermission("ghost"),
    ],
    ids=str,
)
@pytest.mark.parametrize("unknown_member", ["atomic", "partial"])
async def test_an_unknown_account_or_group_is_not_found(call: Call, unknown_member: str) -> None:
    async with bitbucket(Switches(unknown_member=unknown_member)) as (simulator, target, _):
        settled(simulator)

        with pytest.raises(NotFound) as refused:
            await target.apply(call)

        assert refused.value.not_done
        assert "Exception" in refused.value.what
        if not isinstance(call, RemoveMembership | RevokePermission):
            assert not await target.holds(call)


async def test_a_membership_that_is_gone_already_is_no_error() -> None:
    async with bitbucket() as (simulator, target, _):
        settled(simulator)
        await target.apply(RemoveMembership("jane", "devs"))
        await target.apply(RemoveMembership("jane", "devs"))
        await target.apply(RemoveMembership("joe", "devs"))

        assert simulator.state.members("devs") == []


async def test_a_deleted_account_is_deleted_already_and_a_revoked_grant_revoked() -> None:
    async with bitbucket() as (simulator, target, _):
        settled(simulator)
        for _ in range(2):
            await target.apply(DeleteAccount("joe"))
            await target.apply(RevokePermission("mary"))

        assert simulator.state.user("joe") is None


async def test_traces_that_are_erased_already_are_no_error_and_those_of_a_living_account_are_refused() -> None:
    async with bitbucket() as (simulator, target, _):
        settled(simulator)
        assert not await target.holds(EraseAccount("jane"))
        for _ in range(2):
            await target.apply(EraseAccount("former"))
            assert await target.holds(EraseAccount("former"))

        with pytest.raises(OperationRefused, match="its traces were not erased") as refused:
            await target.apply(EraseAccount("jane"))

        assert refused.value.subject == "deleted account jane"
        assert [effect[0] for effect in simulator.effects] == ["erase_user"]
        assert simulator.state.user("jane") is not None


async def test_a_member_already_is_no_error() -> None:
    async with bitbucket() as (simulator, target, _):
        settled(simulator)
        await target.apply(AddMembersToGroup("devs", ("jane", "joe")))
        await target.apply(AddGroupsToAccount("jane", ("devs", "empty")))

        assert simulator.effects.repeated() == []


async def test_a_full_licence_is_said_to_be_full() -> None:
    switches = Switches(licence_maximum=2)  # admin and mary hold the two seats
    async with bitbucket(switches) as (simulator, target, _):
        settled(simulator)
        calls: list[Call] = [
            AddMembersToGroup("stash-users", ("jane",)),
            AddGroupsToAccount("jane", ("stash-users",)),
            GrantPermission("jane", "LICENSED_USER"),
        ]
        for call in calls:
            with pytest.raises(SeatsExhausted):
                await target.apply(call)
        assert simulator.state.seats == 2

    async with bitbucket(switches, add_to_default_group=True) as (simulator, target, _):
        settled(simulator)
        with pytest.raises(SeatsExhausted):
            await target.apply(CreateAccount("new", "New", "new@example.test"))


@pytest.mark.parametrize("status", [409, 403, 400, 401])
async def test_accounts_of_a_read_only_directory_are_refused_one_by_one(status: int) -> None:
    async with bitbucket(Switches(read_only_status=status)) as (simulator, target, _):
        settled(simulator)
        simulator.state.add_directory(
            Directory("Company Crowd", "Crowd", "", mutable_details=False, mutable_groups=False)
        )
        simulator.state.add_user("crowded", directory="Company Crowd")

        with pytest.raises(OperationRefused) as refused:
            await target.apply(UpdateAccount("crowded", "C", "c@example.test"))
        assert not isinstance(refused.value, CredentialsRefused | SeatsExhausted)

        await target.apply(UpdateAccount("jane", "J", "j@example.test"))
        row = (await target.read(EVERY_READ)).accounts.filter(username="crowded").row(0, named=True)
        assert (row["directory"], row["mutable_details"], row["mutable_groups"], row["deletable"]) == (
            "Company Crowd",
            False,
            False,
            False,
        )


async def test_a_system_administrator_is_beyond_an_administrator_but_the_run_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "sync")
    async with bitbucket(username="sync") as (simulator, target, _):
        settled(simulator)
        simulator.state.add_user("sync", password="sync")
        simulator.state.grant_user("sync", "ADMIN")
        calls: list[Call] = [
            UpdateAccount("admin", "A", "a@example.test"),
            RenameAccount("admin", "root"),
            DeleteAccount("admin"),
            GrantPermission("jane", "SYS_ADMIN"),
            RevokePermission("admin"),
        ]
        for call in calls:
            with pytest.raises(OperationRefused):
                await target.apply(call)

        await target.apply(UpdateAccount("jane", "J", "j@example.test"))
        assert simulator.state.permission_of("admin") == "SYS_ADMIN"
