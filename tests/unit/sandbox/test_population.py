from datetime import UTC, datetime

import pytest

from sandbox.population import Company, GroupKind, Happening, Standing, company


@pytest.fixture
def firm() -> Company:
    return company(people=200, groups=40, clock=lambda: datetime(2026, 2, 1, tzinfo=UTC))


def test_the_same_numbers_found_the_same_company():
    assert company(300, 24, seed=7).people == company(300, 24, seed=7).people
    assert company(300, 24, seed=7).direct == company(300, 24, seed=7).direct


def test_another_seed_founds_another_company():
    assert company(300, 24, seed=7).people != company(300, 24, seed=8).people


def test_everyone_is_in_two_to_five_groups(firm: Company):
    counts = {len(firm.effective_groups(person_id)) for person_id in firm.people}
    assert counts <= {2, 3, 4, 5}
    assert len(counts) > 1


def test_both_directions_of_membership_agree(firm: Company):
    firm.hire(3)
    firm.move(firm.pick(1)[0].id)
    firm.lose(0.2)
    forwards = {(group_id, person_id) for group_id, members in firm.direct.items() for person_id in members}
    backwards = {(group_id, person_id) for person_id, groups in firm.memberships.items() for group_id in groups}
    assert forwards == backwards


def test_a_department_holds_its_teams_and_their_members(firm: Company):
    department = firm.group("bb-platform")
    team = firm.group("bb-platform-developers")
    assert team.parent == department.id
    assert set(firm.direct[team.id]) < firm.effective_members(department.id)
    assert not set(firm.direct[team.id]) & set(firm.direct[department.id])


def test_groups_nest_three_levels_deep_and_no_deeper():
    depths = {len(firm.lineage(group_id)) for firm in [company(10, 200)] for group_id in firm.groups}
    assert depths == {1, 2, 3}


def test_exactly_the_asked_number_of_groups_one_of_them_empty():
    for count in (4, 5, 11, 12, 40, 333):
        firm = company(400, count)
        assert len(firm.groups) == count
        assert len({group.name for group in firm.groups.values()}) == count
        empty = [group.name for group in firm.groups.values() if not firm.effective_members(group.id)]
        assert ("bb-project-retired" in empty) == (count >= 12)


def test_too_few_groups_are_refused():
    with pytest.raises(ValueError, match="at least 4 groups, not 3"):
        company(10, 3)


def test_every_standing_occurs(firm: Company):
    assert {person.standing for person in firm.people.values()} == set(Standing)


def test_logins_are_unique_and_plain_while_names_are_not():
    people = company(5000, 40).people.values()
    assert len({person.login for person in people}) == 5000
    assert all(person.login.isascii() and "'" not in person.login for person in people)
    everything_written = "".join(person.display_name for person in people)
    for letter in "łñ李Ø'-":
        assert letter in everything_written
    assert any("'" in person.email for person in people)


def test_a_hundred_thousand_people_are_unique():
    firm = company(100_000, 2000)
    assert len({person.login for person in firm.people.values()}) == 100_000
    assert max(len(firm.effective_members(group_id)) for group_id in firm.groups) > 5000


def test_newcomers_have_ids_of_their_own_and_groups(firm: Company):
    before = set(firm.people)
    hired = firm.hire(5)
    assert len({person.id for person in hired} - before) == 5
    assert all(len(firm.memberships[person.id]) == 2 for person in hired)


def test_a_mover_changes_team_and_department_but_keeps_projects(firm: Company):
    person = next(person for person in firm.employed() if person.department == "Platform")
    elsewhere = {
        group_id
        for group_id in firm.memberships[person.id]
        if firm.groups[group_id].kind in (GroupKind.OFFICE, GroupKind.PROJECT)
    }
    target = firm.group("bb-mobile-reviewers")
    moved = firm.move(person.id, target.id)
    assert moved.department == "Mobile"
    assert set(firm.memberships[person.id]) == elsewhere | {target.id}
    assert firm.groups[target.id].members_updated == datetime(2026, 2, 1, tzinfo=UTC)


def test_a_leaver_returns_to_the_same_groups(firm: Company):
    person = firm.pick(1)[0]
    groups = dict(firm.memberships[person.id])
    assert firm.leave(person.id).standing is Standing.LEFT
    assert person.id not in {other.id for other in firm.employed()}
    assert firm.return_(person.id).standing is Standing.ACTIVE
    assert firm.memberships[person.id] == groups


def test_a_new_name_brings_a_new_login_and_keeps_the_id(firm: Company):
    person = firm.pick(1)[0]
    renamed = firm.rename(person.id, "O'Hara", "ohara")
    assert renamed.id == person.id
    assert renamed.last == "O'Hara"
    assert renamed.username.endswith(".ohara")
    assert "o'hara@" in renamed.email


def test_a_login_is_plain_whatever_the_new_name_is(firm: Company):
    person = firm.pick(1)[0]
    assert firm.rename(person.id, "Ångström").username.endswith(".angstrom")
    assert firm.rename(person.id, "王").username.endswith(".renamed")
    assert firm.rename(person.id, "O'Hara-Ñandú").username.endswith(".ohara-nandu")


def test_losing_a_fraction_takes_people_and_memberships(firm: Company):
    lost = firm.lose(0.25)
    assert len(lost) == 50
    assert len(firm.people) == 150
    assert not {person.id for person in lost} & {member for members in firm.direct.values() for member in members}


def test_a_closed_group_takes_the_groups_below_with_it(firm: Company):
    department = firm.group("bb-mobile")
    below = firm.subtree(department.id)
    assert len(below) > 2
    firm.close_group(department.id)
    assert not set(below) & set(firm.groups)
    assert not any(group_id in below for groups in firm.memberships.values() for group_id in groups)


def test_every_change_is_noted_with_the_state_before(firm: Company):
    person = firm.pick(1)[0]
    firm.rename(person.id)
    assert firm.changes[-1].what is Happening.UPDATED
    assert firm.changes[-1].before == person
    assert firm.version == len(firm.changes)


def test_people_are_found_by_id_login_or_username(firm: Company):
    person = firm.pick(1)[0]
    assert firm.person(person.id) == firm.person(person.login) == firm.person(person.username) == person
    with pytest.raises(KeyError, match="nobody"):
        firm.person("nobody.at.all")
    with pytest.raises(KeyError, match="no group named"):
        firm.group("bb-nothing")
