"""Leavers in stages, returners at every stage, and who does not log in, over months of runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox.company import Person, Standing
from tests.e2e.eventful_day import RELEASE_MANAGERS, give_local_access
from tests.e2e.stage import Stage, staged

BEGIN = datetime(2026, 3, 1, 2, 0, 7, tzinfo=UTC)
STAGES = [
    {"after_days": 0, "do": "remove_access"},
    {"after_days": 30, "do": "strip_groups"},
    {"after_days": 60, "do": "anonymise"},
    {"after_days": 90, "do": "delete"},
    {"after_days": 97, "do": "erase"},
]
LOCAL = "coffee-lovers"
OPEN: dict[str, Any] = {
    "deactivations": {},
    "deletions": {},
    "anonymisations": {},
    "renames": {},
    "memberships_removed": {},
    "memberships_removed_per_group": {},
    "erasures": {"count": 1},
    "groups_emptied": {},
    "source": dict.fromkeys(("people_lost_percent", "groups_lost_percent", "memberships_lost_percent")),
}
"""Limits that these few people would exceed at once."""


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with staged(tmp_path, monkeypatch, leavers={"stages": STAGES}, guard=OPEN) as stage:
        stage.bitbucket.state.add_group(RELEASE_MANAGERS)
        stage.bitbucket.state.grant_group(RELEASE_MANAGERS, "PROJECT_CREATE")
        stage.bitbucket.state.add_group(LOCAL)
        stage.today = BEGIN
        assert stage.sync().ending.exit_code == 0
        yield stage


def wait(stage: Stage, day: int) -> None:
    """Some seconds earlier in the night than the first run, as schedules go."""
    stage.today = BEGIN + timedelta(days=day, seconds=-5)


def kinds_of(person: dict[str, Any]) -> list[str]:
    return list(dict.fromkeys(one["kind"] for one in person["operations"]))


def next_of(person: dict[str, Any]) -> tuple[str | None, str | None]:
    return person["next_stage"], person["next_stage_on"]


def on_day(day: int) -> str:
    found: date = (BEGIN + timedelta(days=day)).date()
    return found.isoformat()


@dataclass
class Group:
    """People who leave together, and what each had in Bitbucket on that day."""

    stage: Stage
    people: list[Person]
    numbers: dict[str, int]
    belongings: Mapping[str, tuple[list[str], str | None]]

    @classmethod
    def leaving(cls, stage: Stage, count: int) -> Group:
        state, people = stage.bitbucket.state, stage.active(count)
        accounts = {person.id: state.user(person.username) for person in people}
        for person in people:
            give_local_access(stage, person.username)
            state.join(LOCAL, person.username)
        belongings = {one.id: (state.groups_of(one.username), state.permission_of(one.username)) for one in people}
        for person in people:
            stage.company.leave(person.id)
        return cls(stage, people, {key: one.id for key, one in accounts.items() if one}, belongings)

    def pseudonym(self, person: Person) -> str:
        return f"user-{self.numbers[person.id]}"

    def meets(self, day: int, kinds: list[str], coming: tuple[str, int] | None) -> None:
        """The run of a day does this to each, and nothing more is to do on that day."""
        wait(self.stage, day)
        people = self.stage.sync().document["people"]
        mine = {self.stage.okta.state.user_id(person.id) for person in self.people}
        found = [person for person in people if person["external_id"] in mine]
        assert len(found) == len(mine)
        for person in found:
            assert kinds_of(person) == kinds
            assert next_of(person) == ((coming[0], on_day(coming[1])) if coming else (None, None))
        self.stage.assert_settled()

    def first_comes_back(self, kinds: list[str]) -> None:
        """And has the account, the names and all that they had, as far as the account was not deleted."""
        state, person = self.stage.bitbucket.state, self.people.pop(0)
        self.stage.company.return_(person.id)
        result = self.stage.sync().people[person.username]
        assert (kinds_of(result), next_of(result)) == (kinds, (None, None))
        account = state.user(person.username)
        assert account is not None
        assert (account.display_name, account.email) == (person.display_name, person.email)
        if "create" not in kinds:
            assert account.id == self.numbers[person.id]
            found = (state.groups_of(person.username), state.permission_of(person.username))
            assert found == self.belongings[person.id]
        self.stage.assert_settled()


def test_a_leaver_goes_through_the_stages_and_a_returner_of_each_regains_what_is_right(loaded: Stage) -> None:
    state, group = loaded.bitbucket.state, Group.leaving(loaded, 5)
    # A plan is only a plan: no clock starts.
    wait(loaded, -20)
    loaded.make_plan()

    group.meets(0, ["leave", "remove_access"], ("strip_groups", 30))
    assert {tuple(state.groups_of(person.username)) for person in group.people} == {(LOCAL,)}
    group.first_comes_back(["restore_access", "add_membership"])

    group.meets(29, [], ("strip_groups", 30))
    group.meets(30, ["strip_groups"], ("anonymise", 60))
    assert {tuple(state.groups_of(person.username)) for person in group.people} == {()}
    group.first_comes_back(["restore_access", "add_membership"])

    group.meets(61, ["anonymise"], ("delete", 90))
    for person in group.people:
        name = group.pseudonym(person)
        account = state.user(name)
        assert account is not None
        assert (account.display_name, account.email) == (name, f"{name}@user.invalid")
        assert state.user(person.username) is None
    group.first_comes_back(["rename", "update", "restore_access", "add_membership"])

    group.meets(90, ["delete"], ("erase", 97))
    group.first_comes_back(["create", "add_membership"])

    loaded.mark()
    (erased,) = group.people
    group.meets(97, ["erase"], None)
    assert [effect[:2] for effect in loaded.effects] == [("erase_user", group.pseudonym(erased))]
    with loaded.ledger() as ledger:
        assert loaded.okta.state.user_id(erased.id) not in ledger.links.frame("staff")["external_id"].to_list()
        assert ledger.memories.frame("staff").is_empty()


def test_a_reviewed_plan_starts_the_clock_on_the_day_on_which_it_is_applied(loaded: Stage) -> None:
    (person,) = loaded.active(1)
    loaded.company.leave(person.id)
    plan = loaded.make_plan().plan
    wait(loaded, 10)
    assert loaded.apply(plan.id).ending.exit_code == 0
    wait(loaded, 39)
    assert loaded.sync().people[person.username]["next_stage_on"] == on_day(40)


def test_anything_that_is_cancelled_does_not_happen(loaded: Stage) -> None:
    protected, kept = loaded.active(2)
    for person in (protected, kept):
        loaded.bitbucket.state.join(LOCAL, person.username)
        loaded.company.leave(person.id)
    assert loaded.sync().ending.exit_code == 0
    wait(loaded, 45)
    loaded.write_sync_file(people={"protect": [protected.username]}, leavers={"stages": STAGES[:1]}, guard=OPEN)
    loaded.assert_settled()
    loaded.write_sync_file(people={"protect": [protected.username]}, leavers={"stages": STAGES[:2]}, guard=OPEN)
    assert loaded.sync().ending.exit_code == 0
    assert loaded.bitbucket.state.groups_of(kept.username) == []
    assert loaded.bitbucket.state.groups_of(protected.username) == [LOCAL]
    loaded.assert_settled()


def test_erasures_are_held_until_somebody_approves_them(loaded: Stage) -> None:
    (person,) = loaded.active(1)
    loaded.company.leave(person.id)
    loaded.write_sync_file(
        leavers={"stages": [{"after_days": 0, "do": "erase"}]}, guard={**OPEN, "erasures": {"count": 0}}
    )
    loaded.mark()
    held = loaded.sync()
    assert held.ending.status == "held"
    assert [finding["kind"] for finding in held.run["findings"]] == ["erasures"]
    assert loaded.writes == []
    assert loaded.apply(held.plan.id, approved_by="Jane").ending.exit_code == 0
    assert [effect[0] for effect in loaded.effects] == ["delete_user", "erase_user"]
    loaded.assert_settled()


def log_in(stage: Stage, person: Person, when: datetime) -> None:
    account = stage.bitbucket.state.user(person.username)
    assert account is not None
    account.last_authentication_ms = int(when.timestamp() * 1000)
    account.changed()


def test_what_is_taken_from_who_does_not_log_in_is_not_given_back_by_the_sync_but_by_a_login_or_by_hand(
    loaded: Stage,
) -> None:
    state = loaded.bitbucket.state
    loaded.write_sync_file(inactive={"after_days": 60}, guard=OPEN)
    sleeper, woken, busy, administrator = loaded.active(4)
    for person in (sleeper, woken, busy, administrator):
        log_in(loaded, person, BEGIN)
        state.join(LOCAL, person.username)
    state.grant_user(administrator.username, "ADMIN")
    groups = {person.id: state.groups_of(person.username) for person in (sleeper, woken)}
    log_in(loaded, busy, BEGIN + timedelta(days=30))
    wait(loaded, 59)
    loaded.assert_settled()

    wait(loaded, 60)
    played = loaded.sync()
    assert {one["username"] for one in played.with_outcome("access_removed")} == {sleeper.username, woken.username}
    assert state.groups_of(sleeper.username) == [LOCAL]
    for day in (61, 75):
        wait(loaded, day)
        loaded.assert_settled()

    state.join("stash-users", sleeper.username)
    log_in(loaded, woken, BEGIN + timedelta(days=74))
    played = loaded.sync()
    assert {one["username"] for one in played.with_outcome("reactivated")} == {sleeper.username, woken.username}
    for person in (sleeper, woken):
        assert state.groups_of(person.username) == groups[person.id]
    loaded.assert_settled()

    # From then on they have as many days again.
    wait(loaded, 89)
    loaded.assert_settled()
    wait(loaded, 136)
    assert sleeper.username in {one["username"] for one in loaded.sync().with_outcome("access_removed")}
    loaded.company.set_standing(sleeper.id, Standing.SUSPENDED)
    assert kinds_of(loaded.sync().people[sleeper.username]) == ["leave"]
    loaded.company.return_(sleeper.id)
    assert loaded.sync().people[sleeper.username]["outcome"] == "reactivated"
    loaded.assert_settled()
