"""What others got wrong when the target stumbles: nothing is claimed that did not happen, and nothing happens twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.pipeline import run_sync
from sandbox.bitbucket import Directory, Fault, Switches
from sandbox.bitbucket.faults import Fault as BitbucketFault
from tests.e2e.eventful_day import EVERY_KIND_OF_WRITE, before_the_day, eventful_day
from tests.e2e.stage import PRINCIPAL, Stage, staged


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with staged(tmp_path, monkeypatch) as fresh:
        yield fresh


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The end state of the eventful day where nothing goes wrong."""
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        staged(tmp_path_factory.mktemp("undisturbed"), monkeypatch) as calm,
    ):
        before_the_day(calm)
        eventful_day(calm)
        calm.mark()
        assert calm.sync().ending.exit_code == 0
        called = {f"{request.method} {request.path.split('/latest')[1]}" for request in calm.writes}
        assert called == {f"{method} {path}" for method, path in EVERY_KIND_OF_WRITE}
        return calm.snapshot()


@pytest.mark.parametrize(
    "trouble",
    [
        {"kind": "status", "status": 429},
        {"kind": "status", "status": 429, "retry_after": "0", "body": "html"},
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 500, "when": "after"},
        {"kind": "status", "status": 503, "body": "empty"},
        {"kind": "drop"},
        {"kind": "drop", "when": "after"},
        {"kind": "cut", "when": "after"},
    ],
    ids=lambda trouble: " ".join(map(str, trouble.values())),
)
def test_one_bad_answer_to_every_kind_of_write_costs_nothing_and_nothing_happens_twice(
    stage: Stage, undisturbed: dict[str, Any], trouble: dict[str, Any]
) -> None:
    before_the_day(stage)
    eventful_day(stage)
    stage.mark()
    planted = [
        stage.bitbucket.faults.add(BitbucketFault(method=method, path=path, **trouble))
        for method, path in EVERY_KIND_OF_WRITE
    ]
    troubled = stage.sync()
    assert [(fault.method, fault.path) for fault in planted if not fault.spent] == []
    assert (troubled.ending.status, troubled.ending.exit_code) == ("succeeded", 0), troubled.ending.message
    assert set(troubled.statuses()) == {"done"}
    assert troubled.outcomes()["failed"] == 0
    assert stage.repeated() == []
    assert stage.snapshot() == undisturbed
    stage.assert_settled()


def test_a_deletion_whose_answer_is_lost_happens_once(stage: Stage) -> None:
    stage.write_sync_file(leavers={"method": "delete"})
    assert stage.sync().ending.exit_code == 0
    (leaver,) = stage.active(1)
    stage.company.leave(leaver.id)
    stage.mark()
    stage.bitbucket.faults.lose_answer(method="DELETE", path="/admin/users")
    deleted = stage.sync()
    assert deleted.ending.exit_code == 0
    assert deleted.people[leaver.username]["outcome"] == "deleted"
    assert stage.effects == [("delete_user", leaver.username)]
    stage.assert_settled()


def test_a_target_that_fails_every_write_stops_the_run_early_and_nothing_is_claimed(stage: Stage) -> None:
    before = stage.snapshot()
    stage.bitbucket.faults.fail_writes(500)
    failed = stage.sync()
    assert (failed.ending.status, failed.ending.exit_code) == ("failed", 1)
    assert "without an answer" in failed.ending.message
    assert failed.run["applied"].get("done", 0) == 0
    assert set(failed.statuses()) <= {"failed", "skipped", "not_sent"}
    assert failed.outcomes() == {"failed": 56, "filtered": 4}
    # Ten calls without an answer, those that were under way then, and each is sent three times.
    assert stage.bitbucket.requests.writes <= (10 + 7) * 3
    assert stage.effects == []
    assert stage.snapshot() == before

    stage.bitbucket.faults.clear()
    assert stage.sync().ending.exit_code == 0
    stage.assert_settled()


def test_a_target_that_dies_in_mid_load_leaves_what_is_done_and_says_how_much(stage: Stage) -> None:
    stage.bitbucket.faults.add(Fault(kind="drop", method="WRITE", skip=40, times=None))
    stage.bitbucket.faults.add(Fault(kind="status", status=502, method="READ", skip=40, times=None))
    stopped = stage.sync()
    assert (stopped.ending.status, stopped.ending.exit_code) == ("partial", 4)
    done = stopped.statuses()["done"]
    changed = len(stage.effects)
    assert done == changed == 40
    assert f"{done} of {stopped.plan.operations.height} operations are applied" in stopped.ending.message
    stage.bitbucket.faults.clear()
    again = stage.sync()
    assert again.ending.exit_code == 0
    assert again.plan.operations.height == stopped.plan.operations.height - done
    assert stage.repeated() == []
    stage.assert_settled()


def test_every_third_read_may_fail(stage: Stage) -> None:
    before_the_day(stage)
    eventful_day(stage)
    stage.mark()
    stage.bitbucket.faults.every_kth_read(3)
    played = stage.sync()
    assert played.ending.exit_code == 0
    assert stage.repeated() == []
    failed = [request for request in stage.requests if request.status == 503]
    assert len(failed) >= 5
    stage.bitbucket.faults.clear()
    stage.assert_settled()


def test_a_target_that_cannot_be_read_is_not_written(stage: Stage) -> None:
    stage.bitbucket.faults.add(Fault(kind="status", status=500, path="/admin/groups/more-members", times=None))
    stage.bitbucket.state.add_group("bb-office-bergen")
    failed = stage.sync()
    assert (failed.ending.status, failed.ending.exit_code) == ("failed", 1)
    assert failed.run["plan_id"] is None
    assert stage.writes == []


def test_a_wrong_password_is_tried_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BITBUCKET_PASSWORD", "Wrong-Horse-1111")
    refused = stage.sync()
    assert (refused.ending.status, refused.ending.exit_code) == ("failed", 1)
    assert "does not accept the username and password" in refused.ending.message
    assert [request.status for request in stage.requests] == [401]
    robot = stage.bitbucket.state.user(PRINCIPAL)
    assert robot is not None
    assert robot.failed_logins == 1
    assert "Wrong-Horse-1111" not in refused.ending.message


def test_a_password_that_changes_in_mid_load_is_not_tried_until_the_account_is_locked(stage: Stage) -> None:
    robot = stage.bitbucket.state.user(PRINCIPAL)
    assert robot is not None

    def change() -> None:
        robot.password = "Another-Staple-1111"

    refused = stage.sync(at_plan=change)
    assert (refused.ending.status, refused.ending.exit_code) == ("failed", 1)
    assert stage.effects == []
    assert robot.failed_logins < 5, "five failed logins lock the account"
    assert set(refused.statuses()) <= {"failed", "skipped", "not_sent"}


def test_a_plan_that_needs_more_seats_than_there_are_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with staged(tmp_path, monkeypatch, switches=Switches(licence_maximum=40)) as stage:
        held = stage.sync()
        assert (held.ending.status, held.ending.exit_code) == ("held", 3)
        (finding,) = held.run["findings"]
        assert (finding["kind"], finding["measured"], finding["allowed"]) == ("seats", 57, 40)
        assert held.run["seats"] == {"used": 1, "after": 57, "maximum": 40}
        assert stage.writes == []


def test_seats_that_go_between_plan_and_load_cost_only_those_who_find_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with staged(tmp_path, monkeypatch, switches=Switches(licence_maximum=60)) as stage:

        def others_take_seats() -> None:
            for number in range(10):
                stage.add_local_account(f"contractor{number}")
                stage.bitbucket.state.join("stash-users", f"contractor{number}")

        played = stage.sync(at_plan=others_take_seats)
        assert (played.ending.status, played.ending.exit_code) == ("partial", 4)
        assert stage.bitbucket.state.seats == 60
        left_out = played.with_outcome("failed")
        assert len(left_out) == 56 - (60 - 11)
        for person in left_out:
            (operation,) = [one for one in person["operations"] if one["status"] != "done"]
            assert (operation["status"], operation["group"]) == ("failed", "stash-users")
            assert "licen" in operation["error"]
            assert "free seats or buy some" in operation["error"]
        assert played.outcomes()["created"] == 56 - len(left_out)


def test_a_person_who_cannot_be_done_stops_nobody_else(stage: Stage) -> None:
    unlucky = stage.active(1)[0]
    stage.bitbucket.state.add_directory(Directory("Company LDAP", "LDAP", mutable_details=False, mutable_groups=False))

    def appear() -> None:
        stage.add_local_account(unlucky.username, directory="Company LDAP", display_name="From LDAP")

    played = stage.sync(at_plan=appear)
    assert (played.ending.status, played.ending.exit_code) == ("partial", 4)
    assert played.outcomes() == {"created": 55, "failed": 1, "filtered": 4}
    operations = {one["kind"]: one for one in played.people[unlucky.username]["operations"]}
    assert operations["create"]["status"] == "failed"
    assert "already exists" in operations["create"]["error"]
    assert operations["add_membership"]["status"] == "skipped"
    assert played.run["applied"]["done"] == played.plan.operations.height - len(
        played.people[unlucky.username]["operations"]
    )


def test_a_change_that_shows_late_is_waited_for_and_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node of a cluster that lags behind, and a lost answer to every kind of write."""
    lagging = Switches(lag_seconds=0.4)
    with staged(tmp_path, monkeypatch, staff=(20, 12), switches=lagging, target={"read_back_seconds": 5}) as stage:
        for path in ("/admin/groups", "/admin/users", "/admin/groups/add-users"):
            stage.bitbucket.faults.lose_answer(path=path, times=2)
        played = stage.sync()
        assert played.ending.exit_code == 0
        assert stage.repeated() == []
        sent = [request.query for request in stage.writes if request.path.endswith("/admin/users")]
        assert len(sent) == 20, "nobody was sent a second time"


def test_of_two_runs_on_one_target_the_second_is_refused(stage: Stage) -> None:
    played = stage.side_by_side(run_sync, run_sync)
    good, refused = sorted(played, key=lambda one: one.ending.exit_code)
    assert (good.ending.status, refused.ending.status) == ("succeeded", "failed")
    assert refused.ending.exit_code == 1
    assert f"run {good.ending.run_id}" in refused.ending.message
    assert "nothing was sent to the target" in refused.ending.message
    assert stage.repeated() == []
    stage.assert_settled()
