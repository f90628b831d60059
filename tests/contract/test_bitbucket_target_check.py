"""What `check` says of a simulated Bitbucket, over HTTP."""

from __future__ import annotations

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.contract import CheckFinding
from connectors.targets.bitbucket import Rate
from sandbox.bitbucket import Bucket, Directory, Switches
from tests.contract.bitbucket_target_setup import PASSWORD, PASSWORD_VARIABLE, bitbucket, settled, target_for


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)


def about(findings: list[CheckFinding], *words: str) -> CheckFinding:
    """The one finding that holds all the words."""
    found = [finding for finding in findings if all(word in finding.what for word in words)]
    assert len(found) == 1, findings
    return found[0]


async def test_a_good_set_up_has_no_problem_and_says_what_bitbucket_cannot_do() -> None:
    async with bitbucket() as (simulator, target, _):
        settled(simulator)

        findings = await target.check()

        assert {finding.level for finding in findings} == {"ok", "note"}
        assert about(findings, "9.4.0").level == "ok"
        assert about(findings, "logged in as admin").level == "ok"
        assert about(findings, "ADMIN or higher").level == "ok"
        assert about(findings, "2 seats used").level == "ok"
        assert about(findings, "all 5 accounts").level == "ok"
        assert about(findings, "cannot deactivate", "access is removed").level == "note"


@pytest.mark.parametrize(
    ("version", "level"),
    [("6.7.0", "ok"), ("6.10.11", "ok"), ("7.21.0", "ok"), ("9.4.18", "ok"), ("6.6.9", "note"), ("9.5.0", "note")],
)
async def test_versions_outside_of_what_is_supported_are_noted(version: str, level: str) -> None:
    async with bitbucket(Switches(version=version)) as (_, target, _url):
        findings = await target.check()

        assert about(findings, f" {version} answers").level == level
        assert not [finding for finding in findings if finding.level == "problem"]


async def test_a_full_licence_is_a_problem() -> None:
    async with bitbucket(Switches(licence_maximum=2)) as (simulator, target, _):
        settled(simulator)

        assert about(await target.check(), "2 of 2").level == "problem"

    async with bitbucket(Switches(licence_maximum=3)) as (simulator, target, _):
        settled(simulator)
        assert about(await target.check(), "2 of 3 seats").level == "ok"

    async with bitbucket(Switches(licence_installed=False)) as (_, target, _url):
        assert about(await target.check(), "no licence").level == "note"


async def test_a_login_without_admin_is_a_problem_with_a_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "sync")
    async with bitbucket(username="sync") as (simulator, target, _):
        simulator.state.add_user("sync", password="sync")
        simulator.state.grant_user("sync", "LICENSED_USER")

        finding = about(await target.check(), "lacks the global permission ADMIN")

        assert finding.level == "problem"
        assert "Global permissions" in (finding.next_step or "")


async def test_an_administrator_is_told_of_the_accounts_beyond_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "sync")
    async with bitbucket(username="sync", notify=True) as (simulator, target, _):
        simulator.state.add_user("sync", password="sync")
        simulator.state.grant_user("sync", "ADMIN")

        findings = await target.check()

        assert about(findings, "no SYS_ADMIN", "1 accounts").level == "note"
        assert about(findings, "`notify`").level == "note"
        assert not [finding for finding in findings if finding.level == "problem"]


@pytest.mark.parametrize(("mail_server", "level"), [(True, "ok"), (False, "problem")])
async def test_notifying_without_a_mail_server_is_a_problem(*, mail_server: bool, level: str) -> None:
    async with bitbucket(Switches(mail_server=mail_server), notify=True) as (_, target, _url):
        findings = await target.check()

        assert about(findings, "through" if mail_server else "no mail server").level == level


@pytest.mark.parametrize(
    ("rate", "level", "words"),
    [
        (None, "note", "without `rate`"),
        (Rate(capacity=30, refill_per_second=20), "ok", "`rate` says so"),
        (Rate(capacity=60, refill_per_second=20), "problem", "less than `rate`"),
        (Rate(capacity=30, refill_per_second=10), "note", "more than `rate`"),
    ],
)
async def test_the_rate_limit_is_compared_with_the_settings(rate: Rate | None, level: str, words: str) -> None:
    async with bitbucket(Switches(rate_limit=Bucket(capacity=30, fill_rate=20)), rate=rate) as (_, target, _url):
        finding = about(await target.check(), "30 requests at once and 20 a second")

        assert finding.level == level
        assert words in finding.what
        if level != "ok":
            assert "capacity: 30, refill_per_second: 20" in (finding.next_step or "")


async def test_accounts_that_bitbucket_only_reads_are_counted_by_directory() -> None:
    async with bitbucket() as (simulator, target, _):
        settled(simulator)
        crowd = Directory("Company Crowd", "Crowd", "", mutable_details=False, mutable_groups=False)
        simulator.state.add_directory(crowd)
        for name in ("a", "b"):
            simulator.state.add_user(name, directory="Company Crowd")

        assert about(await target.check(), "5 of 7 accounts", "2 in Company Crowd").level == "note"


async def test_basic_authentication_that_is_off_for_others_is_fine() -> None:
    switches = Switches(basic_auth_blocked=True, basic_auth_allowed_users=frozenset({"admin"}))
    async with bitbucket(switches) as (_, target, _url):
        assert about(await target.check(), "allow-list").level == "ok"


async def test_basic_authentication_that_is_off_for_us_is_the_first_and_last_finding() -> None:
    async with bitbucket(Switches(basic_auth_blocked=True)) as (simulator, target, _):
        findings = await target.check()

        assert [finding.level for finding in findings] == ["problem"]
        assert "basic authentication" in (findings[0].next_step or "")
        assert len(simulator.requests) == 1


async def test_a_server_that_does_not_answer_is_a_problem_and_not_an_exception() -> None:
    target = target_for("http://127.0.0.1:9/bitbucket", username="sync")

    findings = await target.check()

    assert [finding.level for finding in findings] == ["problem"]
    assert findings[0].next_step
    await target.close()


class KnownAs:
    """Bitbucket names in a header who logged in; a directory may know a login by another name."""

    def __init__(self, app: ASGIApp, name: bytes) -> None:
        self._app = app
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def say(message: Message) -> None:
            if message["type"] == "http.response.start":
                others = [header for header in message["headers"] if header[0].lower() != b"x-ausername"]
                message = {**message, "headers": [*others, (b"x-ausername", self._name)]}
            await send(message)

        await self._app(scope, receive, say)


@pytest.mark.parametrize(("name", "level"), [(b"Admin", "ok"), (b"admin%40example.test", "problem")])
async def test_a_login_that_bitbucket_knows_by_another_name_is_a_problem(name: bytes, level: str) -> None:
    async with bitbucket(wrap=lambda app: KnownAs(app, name)) as (_, target, _url):
        words = "logged in as admin" if level == "ok" else "knows that account as admin@example.test"

        assert about(await target.check(), words).level == level
