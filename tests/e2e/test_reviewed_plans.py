"""A plan is applied as it was reviewed or not at all, and what is local stays as it is whatever a plan holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from directory.errors import ConfigurationError, UnknownRecord
from sandbox.bitbucket import BitbucketSimulator
from sandbox.serving import served
from tests.e2e.eventful_day import before_the_day, eventful_day
from tests.e2e.stage import PASSWORD, PRINCIPAL, Stage, staged


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """After a first, good run."""
    with staged(tmp_path, monkeypatch) as stage:
        assert stage.sync().ending.exit_code == 0
        stage.mark()
        yield stage


def test_a_plan_is_only_looked_at_and_then_applied_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with staged(tmp_path, monkeypatch) as stage:
        planned = stage.make_plan()
        assert (planned.ending.status, planned.ending.exit_code) == ("planned", 0)
        assert (stage.writes, stage.effects) == ([], [])
        assert set(planned.statuses()) == {"planned"}
        stage.company.hire(3)

        applied = stage.apply(planned.plan.id[:8])
        assert (applied.ending.status, applied.ending.exit_code) == ("succeeded", 0)
        assert applied.plan.id == planned.plan.id
        assert stage.bitbucket.effects.by_kind()["create_user"] == planned.run["counts"]["create"]
        assert applied.run["requests"].get("source", 0) == 0
        stage.mark()
        again = stage.apply(planned.plan.id)
        assert (again.ending.status, again.ending.exit_code) == ("nothing_to_do", 0)
        assert stage.writes == []
        assert again.document["people"] == applied.document["people"], "nobody is called failed for it"
        assert stage.sync().outcomes()["created"] == 3
        stage.assert_settled()


def test_a_plan_whose_account_is_deleted_by_hand_meanwhile_is_stale_and_not_applied_in_part(loaded: Stage) -> None:
    moved, deleted = loaded.active(2)
    loaded.company.move(moved.id)
    loaded.company.rename(deleted.id)
    (joiner,) = loaded.company.hire(1)
    planned = loaded.make_plan()
    loaded.bitbucket.state.delete_user(deleted.username)
    before = loaded.snapshot()

    stale = loaded.apply(planned.plan.id)
    assert (stale.ending.status, stale.ending.exit_code) == ("failed", 1)
    assert "the account is gone" in stale.ending.message
    assert deleted.username in stale.ending.message
    assert (loaded.writes, loaded.effects) == ([], [])
    assert loaded.snapshot() == before
    assert set(stale.statuses()) == {"not_sent"}
    assert loaded.bitbucket.state.user(joiner.username) is None

    fresh = loaded.sync()
    assert fresh.ending.exit_code == 0
    renamed = loaded.company.people[deleted.id].username
    assert fresh.people[renamed]["outcome"] == "created"
    loaded.assert_settled()


def test_a_held_plan_is_applied_only_in_somebodys_name(loaded: Stage) -> None:
    loaded.company.lose(0.15)
    held = loaded.sync()
    assert held.ending.exit_code == 3
    refused = loaded.apply(held.plan.id)
    assert (refused.ending.status, refused.ending.exit_code) == ("held", 3)
    assert (loaded.writes, loaded.effects) == ([], [])
    assert set(refused.statuses()) == {"held"}

    approved = loaded.apply(held.plan.id, approved_by="Ada, who looked at it")
    assert (approved.ending.status, approved.ending.exit_code) == ("succeeded", 0)
    assert approved.run["guard"] == "approved"
    assert approved.run["findings"] == held.run["findings"]
    assert approved.outcomes()["access_removed"] == held.run["counts"]["remove_access"]
    with loaded.ledger() as ledger:
        stored = ledger.plans.get(held.plan.id)
    assert (stored.state, stored.approved_by) == ("applied", "Ada, who looked at it")
    assert stored.approved_at is not None
    loaded.assert_settled()


def test_an_approval_covers_the_plan_that_was_seen_and_no_other(loaded: Stage) -> None:
    lost = loaded.company.lose(0.15)
    held = loaded.sync()
    loaded.company.lose(0.15)
    worse = loaded.sync()
    assert worse.plan.id != held.plan.id
    approved = loaded.apply(held.plan.id, approved_by="Ada")
    assert approved.ending.exit_code == 0
    removed = {person["external_id"] for person in approved.with_outcome("access_removed")}
    assert removed <= {loaded.okta.state.user_id(person.id) for person in lost}
    loaded.mark()
    assert loaded.sync().ending.exit_code == 3, "the rest was not approved"
    assert loaded.writes == []


def test_the_plan_of_another_sync_or_of_another_target_is_refused(loaded: Stage) -> None:
    loaded.company.hire(1)
    planned = loaded.make_plan()
    text = loaded.sync_file.read_text(encoding="utf-8")
    loaded.sync_file.write_text(text.replace("name: staff", "name: students"), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="was made for the sync staff, the sync file says students"):
        loaded.apply(planned.plan.id)
    other = BitbucketSimulator(admin=(PRINCIPAL, PASSWORD))
    with served(other.app) as url:
        loaded.write_sync_file(target={"url": url})
        with pytest.raises(ConfigurationError, match="was made for the target"):
            loaded.apply(planned.plan.id)
    loaded.write_sync_file()
    with pytest.raises(UnknownRecord):
        loaded.apply("0" * 8)
    assert len(other.requests) == 0
    assert (loaded.writes, loaded.effects) == ([], [])


def test_a_plan_that_stopped_half_way_goes_on_where_it_stopped(loaded: Stage) -> None:
    loaded.company.hire(20)
    planned = loaded.make_plan()
    fault = loaded.bitbucket.faults.fail_writes(500)
    fault.skip = 12
    stopped = loaded.apply(planned.plan.id)
    assert (stopped.ending.status, stopped.ending.exit_code) == ("partial", 4)
    loaded.bitbucket.faults.clear()
    written = len(loaded.writes)
    resumed = loaded.apply(planned.plan.id)
    assert (resumed.ending.status, resumed.ending.exit_code) == ("succeeded", 0)
    assert set(resumed.statuses()) == {"done"}
    assert loaded.repeated() == []
    assert len(loaded.writes) - written <= planned.plan.operations.height - stopped.statuses()["done"]
    loaded.assert_settled()


def test_what_is_local_protected_or_our_own_is_in_no_effect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """People of the source have the names of the account that the sync logs in with and of a protected one."""
    with staged(tmp_path, monkeypatch, people={"protect": ["release-*"]}) as stage:
        state = stage.bitbucket.state
        staff = stage.company
        robot, protected = staff.hire(2)
        staff._update(robot.id, login=f"{PRINCIPAL}@fjordlight.example")
        staff._update(protected.id, login="release-robot@fjordlight.example")
        stage.add_local_account("release-robot", display_name="Not from Okta")
        stage.add_local_account("contractor")
        stage.add_local_account("boss")
        stage.add_local_group("contractors", "contractor", "release-robot", PRINCIPAL)
        # Locals may be in groups that the sync looks after, and people in local groups.
        state.grant_user("boss", "ADMIN")
        state.join("stash-users", "contractor")
        state.join("stash-users", PRINCIPAL)
        before_the_day(stage)
        for member in ("contractor", "release-robot", PRINCIPAL, "boss"):
            state.join(next(iter(staff.groups.values())).name, member)
        eventful_day(stage)
        locals_then = {
            name: (stage.snapshot()["users"][name], state.groups_of(name)) for name in ("contractor", "boss")
        }
        played = stage.sync()
        assert played.ending.exit_code == 0
        assert len(stage.effects) > 100
        for username in (PRINCIPAL, "release-robot"):
            assert played.people[username]["outcome"] == "filtered"
            assert "protected" in played.people[username]["reason"]
            assert played.people[username]["operations"] == []
        for name, then in locals_then.items():
            assert (stage.snapshot()["users"][name], state.groups_of(name)) == then
        staff.leave(robot.id)
        staff.leave(protected.id)
        stage.assert_settled()
        stage.assert_the_local_untouched()
