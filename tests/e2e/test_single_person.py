"""One person is brought up to date as a full run would do it, with a handful of requests; nobody else is touched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import polars as pl
import pytest

from cli.main import attempt
from sandbox.company import Person, Standing
from sandbox.faults import Fault, FaultKind
from tests.e2e.stage import PASSWORD, PRINCIPAL, Played, Stage, staged

MOST_REQUESTS = 8


class Nothing:
    """No side is one of these."""


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """After a first, good run."""
    with staged(tmp_path, monkeypatch) as stage:
        stage.add_local_group("coffee-lovers")
        assert stage.sync().ending.exit_code == 0
        stage.mark()
        yield stage


def groups_of(stage: Stage, username: str) -> list[str]:
    memberships: dict[str, list[str]] = stage.snapshot()["memberships"]
    return sorted(group for group, members in memberships.items() if username in members)


def groups_by_source(stage: Stage, person: Person) -> list[str]:
    return sorted(
        [*(stage.company.groups[key].name for key in stage.company.effective_groups(person.id)), "stash-users"]
    )


def assert_done_alone(stage: Stage, played: Played, person: Person, outcome: str) -> None:
    """Exactly this person was changed, with few requests, and a full run finds nothing left of them to do."""
    assert (played.ending.status, played.ending.exit_code) == ("succeeded", 0), played.ending.message
    assert [(one["external_id"], one["outcome"]) for one in played.document["people"]] == [
        (stage.okta.state.user_id(person.id), outcome)
    ]
    assert played.run["mode"] == "person"
    assert len(stage.requests) <= MOST_REQUESTS
    again = stage.sync_person(person.login)
    assert again.ending.status == "nothing_to_do", again.plan.operations


def test_a_joiner_is_let_in_before_the_next_sync(loaded: Stage) -> None:
    joiner, other = loaded.company.hire(2)
    played = loaded.sync_person(joiner.login)
    assert groups_of(loaded, joiner.username) == groups_by_source(loaded, joiner)
    assert groups_of(loaded, other.username) == []
    assert_done_alone(loaded, played, joiner, "created")
    full = loaded.sync()
    assert full.people[joiner.username]["outcome"] == "unchanged"
    assert full.people[other.username]["outcome"] == "created"


def test_a_mover_gets_the_new_groups_and_loses_the_old_ones(loaded: Stage) -> None:
    person, bystander = loaded.active(2)
    for one in (person, bystander):
        loaded.company.move(one.id)
    before = groups_of(loaded, bystander.username)
    played = loaded.sync_person(person.username)
    assert {operation["kind"] for operation in played.people[person.username]["operations"]} == {
        "add_membership",
        "remove_membership",
    }
    assert groups_of(loaded, person.username) == groups_by_source(loaded, person)
    assert groups_of(loaded, bystander.username) == before
    assert_done_alone(loaded, played, person, "updated")


@pytest.mark.parametrize("gone", ["left", "suspended", "deleted"])
def test_a_leaver_loses_access_and_gets_it_back_when_they_return(loaded: Stage, gone: str) -> None:
    person = loaded.active(1)[0]
    loaded.bitbucket.state.join("coffee-lovers", person.username)
    had = groups_of(loaded, person.username)
    if gone == "deleted":
        loaded.company.erase(person.id)
    else:
        loaded.company.set_standing(person.id, Standing.LEFT if gone == "left" else Standing.SUSPENDED)
    loaded.mark()
    played = loaded.sync_person(person.username)
    assert played.people[person.username]["outcome"] == "access_removed"
    assert groups_of(loaded, person.username) == ["coffee-lovers"]
    assert len(loaded.requests) <= 4 + len(had)
    if gone != "deleted":
        loaded.company.return_(person.id)
        back = loaded.sync_person(person.username)
        assert back.people[person.username]["outcome"] == "reactivated"
        assert groups_of(loaded, person.username) == sorted({*groups_by_source(loaded, person), "coffee-lovers"})
    assert loaded.sync().plan.empty


def test_a_renamed_person_keeps_the_account(loaded: Stage) -> None:
    person = loaded.active(1)[0]
    before = person.username
    renamed = loaded.company.rename(person.id, last="Quux", plain="quux")
    assert renamed.username != before
    played = loaded.sync_person(before)
    assert played.people[renamed.username]["outcome"] == "renamed"
    assert_done_alone(loaded, played, renamed, "renamed")


def test_what_comes_out_is_what_a_full_run_does_with_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same company twice: person by person, and all at once."""
    ends = []
    for alone in (True, False):
        folder = tmp_path / str(alone)
        folder.mkdir()
        with staged(folder, monkeypatch) as stage:
            assert stage.sync().ending.exit_code == 0
            changed = stage.active(3)
            stage.company.move(changed[0].id)
            stage.company.rename(changed[1].id, last="Quux", plain="quux")
            stage.company.set_standing(changed[2].id, Standing.LEFT)
            changed += stage.company.hire(2)
            if alone:
                for person in changed:
                    assert stage.sync_person(stage.okta.state.user_id(person.id)).ending.exit_code == 0
                stage.assert_settled()
            else:
                assert stage.sync().ending.exit_code == 0
            snapshot = stage.snapshot()
            ends.append({key: snapshot[key] for key in ("memberships",)})
    assert ends[0] == ends[1]


def test_whoever_is_known_to_nobody_is_an_error_that_says_so(loaded: Stage) -> None:
    played = loaded.sync_person("nobody")
    assert played.ending.exit_code == 1
    assert "neither the source nor the ledger knows anybody called nobody" in played.ending.message
    assert loaded.writes == []


def test_a_source_that_fails_takes_nothing_away(loaded: Stage) -> None:
    person = loaded.active(1)[0]
    loaded.okta.faults.add(Fault(FaultKind.STATUS, "/api/v1/users", status=500, times=1000))
    played = loaded.sync_person(person.username)
    assert played.ending.status == "failed"
    assert loaded.writes == []


def test_a_required_group_that_vanished_holds_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with staged(tmp_path, monkeypatch) as stage:
        person = stage.active(1)[0]
        group = min(stage.company.memberships[person.id])
        name = stage.company.groups[group].name
        stage.write_sync_file(people={"required_groups": [name]})
        assert stage.sync().ending.exit_code == 0
        stage.company.rename_group(group, "another name")
        stage.mark()
        played = stage.sync_person(person.username)
        assert (played.ending.status, played.ending.exit_code) == ("held", 3)
        assert f"the required group {name!r} is not in the source" in played.ending.message
        assert stage.writes == []
        stage.company.rename_group(group, name)
        for below in set(stage.company.subtree(group)) & set(stage.company.memberships[person.id]):
            stage.company.quit(person.id, below)
        assert stage.sync_person(person.username).people[person.username]["outcome"] == "access_removed"


def test_who_is_deleted_where_a_whole_source_shrinks_is_not_judged_by_the_whole(loaded: Stage) -> None:
    """What a full run holds because half of the people are gone, may be done of one of them on demand."""
    person = loaded.active(1)[0]
    loaded.company.lose(0.5)
    if person.id in loaded.company.people:
        loaded.company.erase(person.id)
    assert loaded.sync().ending.status == "held"
    assert loaded.sync_person(person.username).people[person.username]["outcome"] == "access_removed"
    assert loaded.sync().ending.status == "held"


def test_an_administrator_is_not_touched_without_an_approval(loaded: Stage) -> None:
    person = loaded.active(1)[0]
    loaded.bitbucket.state.grant_user(person.username, "ADMIN")
    loaded.company.set_standing(person.id, Standing.LEFT)
    loaded.mark()
    played = loaded.sync_person(person.username)
    assert played.ending.status == "held"
    assert "1 administrators touched" in played.ending.message
    assert loaded.writes == []
    approved = loaded.apply(played.plan.id, approved_by="Ann")
    assert approved.people[person.username]["outcome"] == "access_removed"


def test_the_run_leaves_nothing_behind_that_later_runs_go_on_from_or_are_judged_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with staged(tmp_path, monkeypatch, reading={"full_every_hours": 24}) as stage:
        assert stage.sync().ending.exit_code == 0
        with stage.ledger() as ledger:
            before = (
                ledger.readings.full_at("staff"),
                ledger.snapshots.get("staff", "source").read_at,  # type: ignore[union-attr]
                ledger.snapshots.get("staff", "acted_on").read_at,  # type: ignore[union-attr]
                ledger.runs.last_good("staff"),
                ledger.ownership.feeds("staff").rows(),
            )
        (joiner,) = stage.company.hire(1)
        assert stage.sync_person(joiner.login).ending.exit_code == 0
        with stage.ledger() as ledger:
            after = (
                ledger.readings.full_at("staff"),
                ledger.snapshots.get("staff", "source").read_at,  # type: ignore[union-attr]
                ledger.snapshots.get("staff", "acted_on").read_at,  # type: ignore[union-attr]
                ledger.runs.last_good("staff"),
                ledger.ownership.feeds("staff").rows(),
            )
            assert [run.mode for run in ledger.runs.latest(sync="staff")] == ["person", "sync"]
        assert after == before
        stage.assert_settled()


def test_sides_that_are_read_whole_give_the_same(loaded: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    person, left = loaded.active(2)
    loaded.company.move(person.id)
    loaded.company.erase(left.id)
    monkeypatch.setattr("tasks.person.PersonSource", Nothing)
    monkeypatch.setattr("tasks.person.PersonTarget", Nothing)
    assert loaded.sync_person(person.username).people[person.username]["outcome"] == "updated"
    assert groups_of(loaded, person.username) == groups_by_source(loaded, person)
    assert loaded.sync_person(left.username).people[left.username]["outcome"] == "access_removed"
    loaded.assert_settled()


def test_an_account_that_was_renamed_by_hand_is_found_all_the_same(loaded: Stage) -> None:
    person = loaded.active(1)[0]
    answer = httpx.post(
        f"{loaded.bitbucket_url}/rest/api/latest/admin/users/rename",
        json={"name": person.username, "newName": "by-hand"},
        auth=(PRINCIPAL, PASSWORD),
        headers={"X-Atlassian-Token": "no-check"},
    )
    assert answer.is_success
    played = loaded.sync_person(person.login)
    assert played.people[person.username]["outcome"] == "renamed"
    loaded.assert_settled()


def test_a_name_that_two_people_want_is_given_to_neither(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with staged(tmp_path, monkeypatch, attributes={"username": "lower(family_name)"}) as stage:
        first, second = stage.company.hire(2)
        for one in (first, second):
            stage.company.rename(one.id, last="Samename", plain=f"samename{one.id}")
        assert stage.sync().people["samename"]["outcome"] == "conflict"
        played = stage.sync_person(stage.okta.state.user_id(first.id))
        assert played.people["samename"]["outcome"] == "conflict"
        assert "two people of the source have the username samename" in played.people["samename"]["reason"]


def test_rules_that_the_last_full_read_knows_nothing_of_are_no_obstacle(loaded: Stage) -> None:
    (joiner,) = loaded.company.hire(1)
    loaded.write_sync_file(
        source={"attributes": ["costCenter"]},
        attributes={"username": "coalesce(costCenter, lower(split_part(username, '@', 1)))"},
    )
    played = loaded.sync_person(joiner.login)
    assert [one["outcome"] for one in played.document["people"]] == ["created"], played.ending.message


def test_what_could_not_be_sent_is_sent_by_the_next_run(loaded: Stage) -> None:
    (joiner,) = loaded.company.hire(1)
    loaded.bitbucket.faults.fail_writes(503)
    assert loaded.sync_person(joiner.login).ending.exit_code == 1
    loaded.bitbucket.faults.clear()
    assert loaded.sync_person(joiner.login).people[joiner.username]["outcome"] == "created"
    loaded.assert_settled()


def test_what_a_killed_run_had_sent_for_them_is_looked_up_and_what_it_sent_for_others_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with staged(tmp_path, monkeypatch, people={"adopt": []}) as stage:
        assert stage.sync().ending.exit_code == 0
        joiner, other = stage.company.hire(2)
        planned = stage.make_plan()
        creations = planned.plan.operations.filter(pl.col("kind") == "create")
        with stage.ledger() as ledger:
            ledger.plans.set_state(planned.plan.id, "applying")
            ledger.journal.sent(planned.plan.id, planned.ending.run_id, creations["seq"].to_list())
        stage.bitbucket.state.add_user(joiner.username, display_name=joiner.display_name, email=joiner.email)

        played = stage.sync_person(joiner.login)

        assert played.ending.status == "succeeded", played.ending.message
        assert {one["kind"] for one in played.people[joiner.username]["operations"]} == {"add_membership"}
        with stage.ledger() as ledger:
            doubtful = ledger.journal.in_doubt(planned.plan.id)["seq"]
        assert creations.filter(pl.col("seq").is_in(doubtful.implode()))["username"].to_list() == [other.username]


def test_the_command_says_what_came_of_it(loaded: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    (joiner,) = loaded.company.hire(1)
    command = ["sync-person", str(loaded.sync_file), joiner.login, "--ledger", loaded.ledger_url, "--json"]
    assert attempt(command) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["status"] == "succeeded"
    assert told["plan"]["outcomes"] == {"created": 1}
    assert attempt(["runs", "--ledger", loaded.ledger_url, "--json"]) == 0
    assert [run["mode"] for run in json.loads(capsys.readouterr().out)] == ["person", "sync"]
