"""What becomes of people over the years, and what it costs in requests."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sandbox.bitbucket import Switches
from sandbox.company import GroupKind, Person, Standing
from tests.e2e.eventful_day import RELEASE_MANAGERS, give_local_access
from tests.e2e.matching import greatest_matching
from tests.e2e.stage import Stage, staged


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """After a first, good run, with a group of Bitbucket's own that gives a permission."""
    with staged(tmp_path, monkeypatch) as stage:
        stage.bitbucket.state.add_group(RELEASE_MANAGERS)
        stage.bitbucket.state.grant_group(RELEASE_MANAGERS, "PROJECT_CREATE")
        stage.add_local_group("coffee-lovers")
        assert stage.sync().ending.exit_code == 0
        stage.mark()
        yield stage


def groups_by_source(stage: Stage, person_id: str) -> list[str]:
    """What a person should be in: their groups in Okta and the one that everybody is in."""
    names = [stage.company.groups[key].name for key in stage.company.effective_groups(person_id)]
    return sorted([*names, "stash-users"])


def operations(person: Mapping[str, Any]) -> list[tuple[str, str | None, str]]:
    return [(one["kind"], one["group"], one["status"]) for one in person["operations"]]


def assert_done_between(person: Mapping[str, Any], started: datetime, ended: datetime) -> None:
    assert person["operations"]
    for one in person["operations"]:
        assert (one["status"], one["error"]) == ("done", None)
        assert started <= datetime.fromisoformat(one["at"]) <= ended


def test_a_joiner_gets_an_account_and_every_group_with_the_path_to_it(loaded: Stage) -> None:
    (joiner,) = loaded.company.hire(1)
    started = datetime.now(UTC)
    played = loaded.sync()
    person = played.people[joiner.username]
    wanted = groups_by_source(loaded, joiner.id)
    assert person["outcome"] == "created"
    assert person["external_id"] == loaded.okta.state.user_id(joiner.id)
    assert person["reason"] == "everybody of the source is synced"
    assert [group["group"] for group in person["groups"]] == wanted
    assert {group["path"] for group in person["groups"]} == {*wanted, "groups.always"} - {"stash-users"}
    assert operations(person) == [("create", None, "done"), *(("add_membership", name, "done") for name in wanted)]
    assert person["operations"][0]["before"] is None
    assert person["operations"][0]["after"] == {
        "username": joiner.username,
        "display_name": joiner.display_name,
        "email": joiner.email,
    }
    assert_done_between(person, started, datetime.now(UTC))
    assert played.outcomes() == {"created": 1, "unchanged": 56, "filtered": 4}
    account = loaded.bitbucket.state.user(joiner.username)
    assert account is not None
    assert (account.display_name, account.email) == (joiner.display_name, joiner.email)
    assert loaded.bitbucket.state.groups_of(joiner.username) == wanted
    loaded.assert_settled()


def test_a_mover_gains_before_they_lose(loaded: Stage) -> None:
    (mover,) = loaded.active(1)
    before = set(groups_by_source(loaded, mover.id))
    loaded.company.move(mover.id)
    after = set(groups_by_source(loaded, mover.id))
    started = datetime.now(UTC)
    played = loaded.sync()
    person = played.people[mover.username]
    assert person["outcome"] == "updated"
    assert operations(person) == [
        *(("add_membership", name, "done") for name in sorted(after - before)),
        *(("remove_membership", name, "done") for name in sorted(before - after)),
    ]
    assert person["operations"][-1]["reason"] == "not a member in the source"
    assert_done_between(person, started, datetime.now(UTC))
    assert loaded.bitbucket.state.groups_of(mover.username) == sorted(after)
    kinds = [effect[0] for effect in loaded.effects]
    assert kinds == sorted(kinds), "joins come before leaves"
    loaded.assert_settled()


def test_a_renamed_person_keeps_the_account_and_all_that_hangs_on_it(loaded: Stage) -> None:
    (person,) = loaded.active(1)
    give_local_access(loaded, person.username)
    account = loaded.bitbucket.state.user(person.username)
    groups = loaded.bitbucket.state.groups_of(person.username)
    renamed = loaded.company.rename(person.id)
    played = loaded.sync()
    result = played.people[renamed.username]
    assert result["outcome"] == "renamed"
    assert operations(result) == [("rename", None, "done"), ("update", None, "done")]
    rename, update = result["operations"]
    assert (rename["before"], rename["after"]) == ({"username": person.username}, {"username": renamed.username})
    assert update["before"] == {"display_name": person.display_name, "email": person.email}
    assert update["after"] == {"display_name": renamed.display_name, "email": renamed.email}
    assert loaded.effects == [("rename_user", person.username, renamed.username), ("update_user", renamed.username)]
    assert loaded.bitbucket.state.user(renamed.username) is account
    assert loaded.bitbucket.state.user(person.username) is None
    assert loaded.bitbucket.state.groups_of(renamed.username) == groups
    loaded.assert_settled()


def test_two_people_who_swap_their_names_keep_their_own_accounts(loaded: Stage) -> None:
    """One makes way under a temporary name, so that neither ends up with the other's account."""
    state = loaded.bitbucket.state
    one, other = loaded.active(2)
    accounts = [state.user(person.username) for person in (one, other)]
    groups = [state.groups_of(person.username) for person in (one, other)]
    loaded.company._update(one.id, login=other.login)
    loaded.company._update(other.id, login=one.login)
    played = loaded.sync()
    assert played.ending.status == "succeeded"
    assert [state.user(person.username) for person in (other, one)] == accounts
    assert [state.groups_of(person.username) for person in (other, one)] == groups
    assert [effect for effect, *_ in loaded.effects] == ["rename_user"] * 3
    loaded.assert_settled()


def test_a_changed_attribute_is_one_request(loaded: Stage) -> None:
    (person,) = loaded.active(1)
    loaded.company._update(person.id, email="new.address@fjordlight.example")
    played = loaded.sync()
    result = played.people[person.username]
    assert result["outcome"] == "updated"
    (update,) = result["operations"]
    assert update["before"] == {"display_name": person.display_name, "email": person.email}
    assert update["after"] == {"display_name": person.display_name, "email": "new.address@fjordlight.example"}
    assert loaded.effects == [("update_user", person.username)]
    assert len(loaded.writes) == 1
    loaded.assert_settled()


def end_by_leaving(stage: Stage, person: Person) -> None:
    stage.company.leave(person.id)


def end_by_suspension(stage: Stage, person: Person) -> None:
    stage.company.set_standing(person.id, Standing.SUSPENDED)


@pytest.mark.parametrize("end", [end_by_leaving, end_by_suspension])
def test_a_leaver_loses_all_access_once_and_a_returner_regains_what_was_taken(loaded: Stage, end: Any) -> None:
    state = loaded.bitbucket.state
    (person,) = loaded.active(1)
    give_local_access(loaded, person.username)
    state.join("coffee-lovers", person.username)
    groups, permission = state.groups_of(person.username), state.permission_of(person.username)
    managed = groups_by_source(loaded, person.id)
    end(loaded, person)
    started = datetime.now(UTC)

    left = loaded.sync()
    result = left.people[person.username]
    assert (result["outcome"], result["reason"]) == ("access_removed", "inactive in the source")
    assert operations(result) == [("remove_access", None, "done")]
    taken = sorted([*managed, RELEASE_MANAGERS])
    assert result["operations"][0]["before"] == {"groups": taken, "permission": "PROJECT_CREATE"}
    assert_done_between(result, started, datetime.now(UTC))
    assert state.groups_of(person.username) == ["coffee-lovers"], "what gives no access is not taken"
    assert state.permission_of(person.username) is None
    loaded.assert_settled()

    loaded.mark()
    end(loaded, person)
    again = loaded.sync()
    assert (again.ending.status, loaded.writes) == ("nothing_to_do", [])
    assert again.people[person.username]["outcome"] == "filtered"

    loaded.company.return_(person.id)
    back = loaded.sync()
    result = back.people[person.username]
    assert result["outcome"] == "reactivated"
    restored, *added = operations(result)
    assert restored == ("restore_access", None, "done")
    assert added == [("add_membership", name, "done") for name in managed]
    assert result["operations"][0]["after"] == {"groups": [RELEASE_MANAGERS], "permission": "PROJECT_CREATE"}
    assert (state.groups_of(person.username), state.permission_of(person.username)) == (groups, permission)
    loaded.assert_settled()


def test_a_returner_who_moved_meanwhile_gets_what_the_source_says_now(loaded: Stage) -> None:
    (person,) = loaded.active(1)
    loaded.company.leave(person.id)
    assert loaded.sync().ending.exit_code == 0
    loaded.company.move(person.id)
    loaded.company.return_(person.id)
    assert loaded.sync().people[person.username]["outcome"] == "reactivated"
    assert loaded.bitbucket.state.groups_of(person.username) == groups_by_source(loaded, person.id)
    loaded.assert_settled()


def test_who_vanishes_without_a_trace_is_a_leaver_and_a_namesake_is_somebody_else(loaded: Stage) -> None:
    (person,) = loaded.active(1)
    loaded.company.erase(person.id)
    played = loaded.sync()
    assert played.people[person.username]["outcome"] == "access_removed"
    assert played.people[person.username]["reason"] == "not in the source any more"
    loaded.mark()
    (namesake,) = loaded.company.hire(1)
    loaded.company._update(namesake.id, login=person.login)
    played = loaded.sync()
    assert loaded.bitbucket.state.groups_of(person.username) == [], "the account belongs to another external id"
    result = next(one for one in played.document["people"] if one["outcome"] == "conflict")
    assert result["external_id"] == loaded.okta.state.user_id(namesake.id)
    assert "is taken in the target" in result["reason"]
    assert loaded.effects == []


def test_a_group_that_is_closed_is_emptied_of_those_whom_the_sync_put_there(loaded: Stage) -> None:
    loaded.write_sync_file(guard={"groups_emptied": {"count": 1}, "memberships_removed_per_group": {"percent": 100}})
    teams = [group for group in loaded.company.groups.values() if group.kind is GroupKind.TEAM]
    smallest = min(teams, key=lambda group: len(loaded.company.effective_members(group.id)) or 1000)
    loaded.add_local_account("guest")
    loaded.bitbucket.state.join(smallest.name, "guest")
    for key in loaded.company.subtree(smallest.id):
        for person in list(loaded.company.direct[key]):
            loaded.company.quit(person, key)
    loaded.company.close_group(smallest.id)
    assert loaded.sync().ending.exit_code == 0
    assert loaded.bitbucket.state.members(smallest.name) == ["guest"]
    loaded.assert_settled()


def everybody_in_two_groups(stage: Stage) -> None:
    """Nobody is away, and each person is in two groups that do not nest."""
    staff = stage.company
    chance = random.Random(7)
    flat = [
        group.id for group in staff.groups.values() if group.parent is None and group.kind is not GroupKind.DEPARTMENT
    ]
    for person in list(staff.people.values()):
        staff.set_standing(person.id, Standing.ACTIVE)
        for group in list(staff.memberships[person.id]):
            staff.quit(person.id, group)
        for group in chance.sample(flat, 2):
            staff.join(person.id, group)


@pytest.mark.parametrize(("people", "groups", "cap"), [(40, 40, 1000), (130, 40, 25), (6, 80, 1000), (18, 100, 1000)])
def test_a_load_costs_the_fewest_requests_and_a_second_one_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, people: int, groups: int, cap: int
) -> None:
    switches = Switches(page_cap=cap, default_group=None)
    with staged(tmp_path, monkeypatch, staff=(people, groups), switches=switches, groups={"always": []}) as stage:
        everybody_in_two_groups(stage)
        staff = stage.company
        edges = {
            person.username: [staff.groups[key].name for key in staff.memberships[person.id]]
            for person in staff.people.values()
        }
        wanted = set(itertools.chain.from_iterable(edges.values()))
        load = stage.sync()
        assert load.ending.exit_code == 0

        paths = [request.path.rpartition("/admin/")[2] for request in stage.writes]
        assert paths.count("users") == people
        assert paths.count("groups") == len(wanted)
        memberships = len(paths) - people - len(wanted)
        assert memberships == greatest_matching(edges)
        # An empty Bitbucket: a page each of accounts, groups and the grants of both, and the licence.
        assert len(stage.requests) - len(stage.writes) == 5
        assert load.run["requests"]["target"] == len(stage.requests)

        stage.mark()
        stage.assert_settled()
        assert stage.writes == []
        sizes = [len(stage.bitbucket.state.members(name)) for name in wanted]
        accounts = people + 1
        # The list of groups is read once more where a group has more than one page, to see whether it vanished.
        again = math.ceil(len(wanted) / cap) if max(sizes) > cap else 0
        pages = sum(math.ceil(size / cap) for size in sizes)
        assert len(stage.requests) == math.ceil(accounts / cap) + math.ceil(len(wanted) / cap) + pages + 3 + again
