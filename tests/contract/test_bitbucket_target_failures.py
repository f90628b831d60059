"""Lost answers, refused logins and full buckets: what the target does about each, over HTTP."""

from __future__ import annotations

import asyncio
import time

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.http.retry import RetryPolicy
from connectors.targets.bitbucket import Rate
from directory.call import AddMembersToGroup, Call, CreateAccount, CreateGroup, UpdateAccount
from directory.errors import (
    AlreadyExists,
    CredentialsRefused,
    OutcomeUnknown,
    TargetUnavailable,
    TargetUnreadable,
    UsersyncError,
)
from sandbox.bitbucket import Bucket, Switches
from tests.contract.bitbucket_target_setup import (
    CASES,
    EVERY_READ,
    PASSWORD,
    PASSWORD_VARIABLE,
    Case,
    bitbucket,
    settled,
    target_for,
)


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)


every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


@every_case
async def test_a_change_whose_answer_was_lost_is_read_back_and_not_sent_again(case: Case) -> None:
    async with bitbucket() as (simulator, target, _):
        settled(simulator)
        before = simulator.requests.writes
        simulator.faults.lose_answer()

        await target.apply(case.call)

        assert case.effective(simulator)
        assert simulator.requests.writes - before == 1
        assert simulator.effects.repeated() == []


@every_case
async def test_a_change_that_shows_late_is_waited_for(case: Case) -> None:
    async with bitbucket(Switches(lag_seconds=0.15), read_back_seconds=2.0) as (simulator, target, _):
        settled(simulator)
        before = simulator.requests.writes
        simulator.faults.lose_answer()

        await target.apply(case.call)

        assert case.effective(simulator)
        assert simulator.requests.writes - before == 1


@every_case
async def test_a_change_that_was_lost_on_its_way_is_sent_again(case: Case) -> None:
    async with bitbucket() as (simulator, target, _):
        settled(simulator)
        before = simulator.requests.writes
        simulator.faults.drop(method="WRITE", times=1)

        await target.apply(case.call)

        assert case.effective(simulator)
        assert simulator.requests.writes - before == 2
        assert simulator.effects.repeated() == []


@every_case
async def test_a_change_that_shows_later_than_we_wait_is_sent_again_without_harm(case: Case) -> None:
    """The second attempt meets the first one's effect: 409 for a creation, 404 for a rename or a deletion."""
    async with bitbucket(Switches(lag_reads=1)) as (simulator, target, _):
        settled(simulator)
        simulator.faults.lose_answer()

        await target.apply(case.call)

        assert case.effective(simulator)
        assert simulator.effects.repeated() == []


@pytest.mark.parametrize("status", [500, 502, 504])
async def test_a_server_error_after_a_change_is_read_back(status: int) -> None:
    async with bitbucket() as (simulator, target, _):
        settled(simulator)
        before = simulator.requests.writes
        simulator.faults.answer(status, method="WRITE", body="html")

        await target.apply(CreateGroup("g"))

        assert "g" in simulator.state.truth.groups
        assert simulator.requests.writes - before == 2


async def test_a_change_that_is_lost_every_time_is_given_up_as_not_done() -> None:
    async with bitbucket() as (simulator, target, _):
        settled(simulator)
        before = simulator.requests.writes
        simulator.faults.drop(method="WRITE", times=None)

        with pytest.raises(TargetUnavailable, match="the group was not created"):
            await target.apply(CreateGroup("g"))

        assert simulator.requests.writes - before == 3


async def test_an_outcome_that_cannot_be_read_back_is_unknown() -> None:
    async with bitbucket() as (simulator, target, _):
        settled(simulator)
        simulator.faults.lose_answer()
        simulator.faults.drop(method="READ", times=None)

        with pytest.raises(OutcomeUnknown) as unknown:
            await target.apply(CreateGroup("g"))

        assert unknown.value.subject == "group g"
        simulator.faults.clear()
        assert await target.holds(CreateGroup("g"))


async def test_somebody_elses_account_is_not_taken_for_the_one_whose_answer_was_lost() -> None:
    async with bitbucket() as (simulator, target, _):
        settled(simulator)
        simulator.faults.drop(method="WRITE", times=1)

        with pytest.raises(AlreadyExists):
            await target.apply(CreateAccount("jane", "Another Jane", "another@example.test"))


async def test_a_read_survives_lost_and_broken_answers() -> None:
    async with bitbucket(Switches(page_cap=2)) as (simulator, target, _):
        settled(simulator)
        whole = await target.read(EVERY_READ)
        simulator.faults.drop(path="/admin/permissions/groups", times=2)
        simulator.faults.truncate(path="/admin/users", times=2)
        simulator.faults.cut(path="/admin/groups", times=2)
        simulator.faults.every_kth_read(4)

        again = await target.read(EVERY_READ)

        assert again.accounts.equals(whole.accounts.with_columns(again.accounts["last_login"]))
        assert again.memberships.sort("group", "account_id").equals(whole.memberships.sort("group", "account_id"))
        assert again.requests > whole.requests


async def test_a_read_that_cannot_be_finished_is_an_error_and_no_smaller_snapshot() -> None:
    async with bitbucket() as (simulator, target, _):
        settled(simulator)
        simulator.faults.answer(503, path="/admin/groups/more-members", times=None)

        with pytest.raises(TargetUnavailable, match="its members were not read"):
            await target.read(EVERY_READ)


async def test_a_wrong_password_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "stale")
    async with bitbucket(concurrency=8) as (simulator, target, _):
        settled(simulator)
        attempts = [target.apply(CreateGroup(f"g{number}")) for number in range(20)]

        outcomes = await asyncio.gather(target.read(EVERY_READ), *attempts, return_exceptions=True)
        with pytest.raises(CredentialsRefused, match="does not accept the username and password") as refused:
            await target.holds(CreateGroup("g"))
        findings = await target.check()

        assert len(simulator.requests) == 1
        assert {type(outcome) for outcome in outcomes} == {CredentialsRefused}
        assert "nothing more was sent" in (refused.value.not_done or "")
        assert [finding.level for finding in findings] == ["problem"]


async def test_a_password_that_is_changed_under_way_stops_everything_that_has_not_left_yet() -> None:
    async with bitbucket(concurrency=2) as (simulator, target, _):
        settled(simulator)
        await target.read(EVERY_READ)
        user = simulator.state.truth.users["admin"]
        user.password = "changed meanwhile"
        before = len(simulator.requests)

        outcomes = await asyncio.gather(
            *(target.apply(CreateGroup(f"g{number}")) for number in range(30)), return_exceptions=True
        )

        assert all(isinstance(outcome, CredentialsRefused) for outcome in outcomes)
        assert len(simulator.requests) - before <= 2
        assert simulator.requests.by_status()[401] <= 2


async def test_a_captcha_is_named_and_how_it_is_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    async with bitbucket(Switches(captcha_after=2)) as (simulator, target, url):
        monkeypatch.setenv(PASSWORD_VARIABLE, "stale")
        for _ in range(2):
            stale = target_for(url)
            with pytest.raises(CredentialsRefused):
                await stale.read(EVERY_READ)
            await stale.close()

        with pytest.raises(CredentialsRefused, match="CAPTCHA") as refused:
            await target.read(EVERY_READ)
        with pytest.raises(CredentialsRefused, match="CAPTCHA"):
            await target.apply(CreateGroup("g"))

        assert "Clear CAPTCHA challenge" in (refused.value.next_step or "")
        assert len(simulator.requests) == 3


@pytest.mark.parametrize("permission", ["LICENSED_USER", "PROJECT_CREATE"])
async def test_a_login_without_admin_is_told_what_it_lacks(monkeypatch: pytest.MonkeyPatch, permission: str) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "sync")
    async with bitbucket(username="sync") as (simulator, target, url):
        settled(simulator)
        simulator.state.add_user("sync", password="sync")
        simulator.state.grant_user("sync", permission)  # type: ignore[arg-type]

        with pytest.raises(CredentialsRefused, match="lacks the global permission ADMIN"):
            await target.read(EVERY_READ)
        assert len(simulator.requests) == 1

        another = target_for(url, username="sync")
        for _ in range(3):
            with pytest.raises(CredentialsRefused, match="lacks the global permission ADMIN") as refused:
                await another.apply(CreateGroup("g"))
        assert "access token" in (refused.value.next_step or "")
        # The refused change, and the one question whether it is for this change alone.
        assert len(simulator.requests) == 3
        await another.close()


async def test_a_login_without_access_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "sync")
    async with bitbucket(username="sync") as (simulator, target, _):
        simulator.state.add_user("sync", password="sync")

        with pytest.raises(CredentialsRefused, match="not licensed"):
            await target.read(EVERY_READ)


async def test_an_access_token_as_the_password_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "a-token-of-admin")
    async with bitbucket() as (simulator, target, _):
        simulator.state.add_token("admin", "a-token-of-admin")

        with pytest.raises(CredentialsRefused) as refused:
            await target.read(EVERY_READ)

        assert "never carries administration rights" in (refused.value.next_step or "")


@pytest.mark.parametrize("status", [401, 403])
async def test_basic_authentication_that_is_switched_off_is_a_refused_login(status: int) -> None:
    switches = Switches(basic_auth_blocked=True, basic_auth_blocked_status=status)
    async with bitbucket(switches) as (simulator, target, _):
        with pytest.raises(CredentialsRefused) as refused:
            await target.read(EVERY_READ)

        assert "basic authentication is switched off" in (refused.value.next_step or "")
        assert len(simulator.requests) == 1


async def test_a_wrong_address_ends_the_run_and_points_at_it() -> None:
    async with bitbucket() as (_, target, url):
        lost = target_for(f"{url}/no/such/context")

        with pytest.raises(TargetUnreadable, match="check `url`"):
            await lost.read(EVERY_READ)
        with pytest.raises(TargetUnreadable, match="check `url`"):
            await lost.apply(CreateGroup("g"))
        await lost.close()
        assert target.requests == 0


@pytest.mark.parametrize(
    ("retry_after", "body"), [(True, "json"), (True, "html"), (False, "json"), (False, "html"), (False, "empty")]
)
async def test_a_full_bucket_is_waited_for(*, retry_after: bool, body: str) -> None:
    switches = Switches(
        rate_limit=Bucket(capacity=10, fill_rate=40), rate_limit_retry_after=retry_after, rate_limit_body=body
    )
    retry = RetryPolicy(first_delay=0.1, longest_delay=0.3)
    async with bitbucket(switches, retry=retry) as (simulator, target, _):
        settled(simulator)

        await asyncio.gather(*(target.apply(CreateGroup(f"g{number}")) for number in range(12)))
        snapshot = await target.read(EVERY_READ)

        assert simulator.requests.by_status()[429] > 0
        assert snapshot.groups.filter(snapshot.groups["name"].str.starts_with("g")).height == 12
        assert simulator.effects.repeated() == []


async def test_a_known_bucket_is_used_up_without_a_single_refusal() -> None:
    capacity, refill = 20, 30
    async with bitbucket(
        Switches(rate_limit=Bucket(capacity=capacity, fill_rate=refill)),
        rate=Rate(capacity=capacity, refill_per_second=refill),
    ) as (simulator, target, _):
        for number in range(160):
            simulator.state.add_group(f"g{number}")
        began = time.perf_counter()

        snapshot = await target.read(EVERY_READ)

        took = time.perf_counter() - began
        sent = len(simulator.requests)
        assert simulator.requests.by_status()[429] == 0
        assert sent == snapshot.requests
        possible = capacity + refill * took
        assert sent >= 0.95 * possible, f"{sent} of {possible:.0f} requests in {took:.2f} s"


class LoginPage:
    """Answers with a login page, as a proxy in front of Bitbucket may."""

    def __init__(self, app: ASGIApp, status: int) -> None:
        self._app = app
        self._status = status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/html"), (b"location", b"https://login.example.test/")]
        start: Message = {"type": "http.response.start", "status": self._status, "headers": headers}
        await send(start)
        await send({"type": "http.response.body", "body": b"<html>Please log in</html>"})


@pytest.mark.parametrize("status", [200, 302])
async def test_a_login_page_in_front_is_unreadable(status: int) -> None:
    async with bitbucket(wrap=lambda app: LoginPage(app, status)) as (_, target, _url):
        with pytest.raises(TargetUnreadable):
            await target.read(EVERY_READ)
        if status == 302:
            with pytest.raises(TargetUnreadable, match="redirect"):
                await target.apply(UpdateAccount("jane", "J", "j@example.test"))


async def test_errors_of_a_batch_keep_each_its_own_object() -> None:
    async with bitbucket() as (simulator, target, _):
        settled(simulator)
        calls: list[Call] = [AddMembersToGroup("no group", ("jane",)), CreateGroup("devs")]

        outcomes = await asyncio.gather(*(target.apply(call) for call in calls), return_exceptions=True)

        assert [error.subject for error in outcomes if isinstance(error, UsersyncError)] == [
            "group no group",
            "group devs",
        ]
