"""What others got wrong when the source lies, falls silent or dies: nobody may lose anything by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connectors.http.retry import RetryPolicy
from sandbox.company import GroupKind
from sandbox.faults import Fault, FaultKind
from tests.e2e.stage import Stage, staged


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """After a first, good run."""
    with staged(tmp_path, monkeypatch, staff=(60, 16)) as stage:
        first = stage.sync()
        assert (first.ending.status, first.ending.exit_code) == ("succeeded", 0)
        stage.mark()
        yield stage


def nobody_is_left(stage: Stage) -> None:
    stage.company.lose(1.0)


def every_seventh_is_lost(stage: Stage) -> None:
    stage.company.lose(0.15)


def a_department_is_closed(stage: Stage) -> None:
    department = next(group for group in stage.company.groups.values() if group.kind is GroupKind.DEPARTMENT)
    stage.company.close_group(department.id)


def the_people_of_a_department_vanish(stage: Stage) -> None:
    department = next(group for group in stage.company.groups.values() if group.kind is GroupKind.DEPARTMENT)
    for person in stage.company.effective_members(department.id):
        stage.company.erase(person)


def addresses_come_empty(stage: Stage) -> None:
    for person in list(stage.company.people):
        stage.company._update(person, email="")


@pytest.mark.parametrize(
    ("accident", "kinds"),
    [
        (nobody_is_left, {"people_lost", "memberships_lost", "deactivations", "memberships_removed", "groups_emptied"}),
        (every_seventh_is_lost, {"people_lost", "deactivations"}),
        (a_department_is_closed, {"groups_lost", "memberships_removed", "groups_emptied"}),
        (the_people_of_a_department_vanish, {"people_lost", "deactivations", "memberships_removed"}),
        (addresses_come_empty, {"attribute_emptied"}),
    ],
)
def test_a_source_that_shrank_too_far_is_held_and_nobody_loses_anything(
    loaded: Stage, accident: Callable[[Stage], None], kinds: set[str]
) -> None:
    before = loaded.snapshot()
    accident(loaded)
    held = loaded.sync()
    assert (held.ending.status, held.ending.exit_code) == ("held", 3)
    assert held.run["guard"] == "held"
    assert kinds <= {finding["kind"] for finding in held.run["findings"]}
    assert held.run["source_complete"] is True
    assert loaded.writes == []
    assert loaded.effects == []
    assert loaded.snapshot() == before
    assert set(held.statuses()) <= {"held"}
    assert all(person["outcome"] == "held" for person in held.document["people"] if person["operations"])
    assert held.plan.id[:8] in held.ending.next_step


def test_an_empty_source_is_held_even_where_only_the_people_are_gone(loaded: Stage) -> None:
    """Not one answer was wrong: Okta says in good order that there is nobody."""
    loaded.company.lose(1.0)
    held = loaded.sync()
    assert held.ending.exit_code == 3
    assert held.outcomes() == {"held": 56}
    assert "0 active people" in held.ending.message
    loaded.mark()
    again = loaded.sync()
    assert again.ending.exit_code == 3
    assert again.plan.id == held.plan.id
    assert loaded.writes == []


def lost_row_of_people(stage: Stage) -> None:
    stage.okta.faults.add(Fault(FaultKind.LOST_ROW, "/api/v1/users$"))


def lost_rows_of_members(stage: Stage) -> None:
    """Of every group one, and again when the short list is read again."""
    stage.okta.faults.add(Fault(FaultKind.LOST_ROW, "/api/v1/groups/[^/]+/users$", times=100))


@pytest.mark.parametrize("loss", [lost_row_of_people, lost_rows_of_members])
def test_a_lost_piece_of_the_source_makes_the_read_incomplete_and_removes_nothing(
    loaded: Stage, loss: Callable[[Stage], None]
) -> None:
    before = loaded.snapshot()
    loss(loaded)
    partial = loaded.sync()
    assert partial.ending.exit_code == 4, partial.ending.message
    assert partial.run["source_complete"] is False
    assert partial.run["source_findings"]
    assert loaded.effects == []
    assert loaded.writes == []
    assert loaded.snapshot() == before
    loaded.okta.faults.clear()
    loaded.assert_settled()


def test_a_lost_page_of_people_is_noticed_by_the_members_of_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two pages of users, and the first one says that it is the last."""
    with staged(tmp_path, monkeypatch, staff=(230, 8)) as stage:
        assert stage.sync().ending.exit_code == 0
        stage.mark()
        before = stage.snapshot()
        stage.okta.faults.add(Fault(FaultKind.EARLY_END, "/api/v1/users$"))
        partial = stage.sync()
        assert (partial.ending.status, partial.ending.exit_code) == ("partial", 4)
        assert "the list of users is not whole" in partial.run["source_findings"][0]
        assert (stage.writes, stage.effects) == ([], [])
        assert stage.snapshot() == before
        stage.assert_settled()


def test_an_incomplete_read_adds_and_updates_but_removes_nothing(loaded: Stage) -> None:
    staff = loaded.company
    leaver, mover, renamed = loaded.active(3)
    (joiner,) = staff.hire(1)
    staff.leave(leaver.id)
    staff.move(mover.id)
    staff.rename(renamed.id, "Incompleta")
    loaded.okta.faults.add(Fault(FaultKind.LOST_ROW, "/api/v1/users$"))
    partial = loaded.sync()

    assert (partial.ending.status, partial.ending.exit_code) == ("partial", 4)
    assert partial.run["source_complete"] is False
    assert partial.run["withheld"]["remove_access"] == 1
    assert partial.run["withheld"]["remove_membership"] >= 1
    assert partial.run["applied"] == {"done": sum(partial.run["counts"].values())}
    assert loaded.bitbucket.state.user(joiner.username) is not None
    assert {effect[0] for effect in loaded.effects} == {"create_user", "join", "rename_user", "update_user"}
    leaving = partial.people[leaver.username]
    assert (leaving["outcome"], leaving["operations"]) == ("held", [])
    assert "withheld, because the source was read incompletely" in leaving["reason"]
    assert loaded.bitbucket.state.groups_of(leaver.username) != []

    whole = loaded.sync()
    assert (whole.ending.status, whole.ending.exit_code) == ("succeeded", 0)
    assert whole.people[leaver.username]["outcome"] == "access_removed"
    assert loaded.bitbucket.state.groups_of(leaver.username) == []
    loaded.assert_settled()


def test_one_bad_answer_of_the_source_costs_nothing(loaded: Stage) -> None:
    loaded.okta.faults.add(Fault(FaultKind.STATUS, "/users$", status=500, skip=3, times=2))
    loaded.okta.faults.add(Fault(FaultKind.CUT, "/api/v1/groups/[^/]+/users$", skip=2))
    loaded.assert_settled()


def test_a_source_that_dies_in_mid_read_ends_the_run_before_the_target_is_asked(loaded: Stage) -> None:
    loaded.company.leave(loaded.active(1)[0].id)
    loaded.okta.faults.add(Fault(FaultKind.STATUS, "/api/v1/groups/[^/]+/users$", status=500, skip=4, times=10_000))
    asked = len(loaded.okta.requests)
    dead = loaded.sync()
    assert (dead.ending.status, dead.ending.exit_code) == ("failed", 1)
    assert dead.run["plan_id"] is None
    assert dead.document["people"] == []
    assert "500" in dead.ending.message
    assert loaded.requests == []
    concurrent = 8  # the one for the list of users helps with the groups when it is done
    assert len(loaded.okta.requests) - asked <= 6 + 4 + concurrent * RetryPolicy().attempts


def test_a_token_that_is_revoked_in_mid_read_ends_the_run_at_once(loaded: Stage) -> None:
    loaded.company.leave(loaded.active(1)[0].id)
    revoke = loaded.okta.switches.ssws_tokens.clear
    loaded.okta.faults.add(Fault(FaultKind.CHANGE, "/api/v1/groups/[^/]+/users$", skip=3, change=revoke))
    asked = len(loaded.okta.requests)
    refused = loaded.sync()
    assert (refused.ending.status, refused.ending.exit_code) == ("failed", 1)
    assert refused.ending.next_step
    assert refused.document["people"] == []
    assert loaded.requests == []
    unauthorized = [seen for seen in list(loaded.okta.requests)[asked:] if seen.status == 401]
    under_way = 8
    assert 1 <= len(unauthorized) <= under_way
