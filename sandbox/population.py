"""Found the invented company that the simulators show.

`company()` is a pure function of its arguments. The same numbers give the same people with the same ids on any machine,
so a test can name a person, and two processes can agree about the truth without talking. Its past lies before 2026;
what is done to it afterwards (`hire`, `leave`, …) is dated by the company's clock.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sandbox.company import Change, Company, Group, GroupKind, Happening, Person, Standing, new_person, real_time
from sandbox.invented_names import CITIES, DEPARTMENTS, PROJECTS, TEAMS

__all__ = ["Change", "Company", "Group", "GroupKind", "Happening", "Person", "Standing", "company"]

FOUNDED = datetime(2018, 3, 1, 9, tzinfo=UTC)
DAYS_OF_HISTORY = 2800
FEWEST_GROUPS = 4
SHARE_IN_DEPARTMENT_ITSELF = 0.05
SHARE_OF_NESTED_TEAMS = 0.15

# Everyone else is active. At least one of each as soon as there are fifty people.
STANDINGS: tuple[tuple[Standing, float], ...] = (
    (Standing.LEFT, 0.03),
    (Standing.SUSPENDED, 0.01),
    (Standing.STAGED, 0.01),
    (Standing.INVITED, 0.01),
    (Standing.LOCKED, 0.005),
    (Standing.PASSWORD_EXPIRED, 0.005),
    (Standing.RECOVERING, 0.002),
)


def company(people: int = 500, groups: int = 40, seed: int = 1, clock: Callable[[], datetime] = real_time) -> Company:
    """Found a company: everyone in two to five groups, counting the department that a team lies in.

    One project group is empty when there are at least twelve groups. Raises ValueError for fewer than four groups.
    """
    if groups < FEWEST_GROUPS:
        raise ValueError(f"the invented company needs at least {FEWEST_GROUPS} groups, not {groups}")
    chance = random.Random(seed)  # noqa: S311 invented people need no unpredictable numbers
    plan = _group_plan(groups, chance)
    members: dict[str, dict[str, None]] = {group.id: {} for group in plan.groups}
    logins: dict[str, int] = {}
    folk: dict[str, Person] = {}
    memberships: dict[str, dict[str, None]] = {}
    standings = _standings(people, chance)
    for number, standing in enumerate(standings, start=1):
        home = plan.draw_home(chance)
        _, department, titles = DEPARTMENTS[home.department]
        person = _with_a_past(new_person(number, chance, logins, department, titles, FOUNDED), standing, chance)
        folk[person.id] = person
        memberships[person.id] = dict.fromkeys([home.group.id, *plan.draw_elsewhere(person, home, chance)])
        for group_id in memberships[person.id]:
            members[group_id][person.id] = None
    return Company(
        people=folk,
        groups={group.id: group for group in plan.groups},
        direct=members,
        memberships=memberships,
        chance=chance,
        logins=logins,
        clock=clock,
        last_number=people,
    )


@dataclass(frozen=True)
class Home:
    """A department or team that people are put into, and how many groups lie above it."""

    group: Group
    department: int
    depth: int


@dataclass(frozen=True)
class GroupPlan:
    departments: Sequence[Home]
    teams: Sequence[Home]
    team_weights: Sequence[float]
    offices: dict[str, Group]
    projects: Sequence[Group]
    empty: Sequence[Group]

    @property
    def groups(self) -> list[Group]:
        homes = [home.group for home in (*self.departments, *self.teams)]
        return [*homes, *self.offices.values(), *self.projects, *self.empty]

    def draw_home(self, chance: random.Random) -> Home:
        if not self.teams or chance.random() < SHARE_IN_DEPARTMENT_ITSELF:
            return chance.choice(self.departments)
        return chance.choices(self.teams, cum_weights=self.team_weights)[0]

    def draw_elsewhere(self, person: Person, home: Home, chance: random.Random) -> list[str]:
        """The office of the person's city if it has a group, and projects, so that two to five groups come together."""
        office = self.offices.get(person.city)
        drawn = [office.id] if office else []
        wanted = chance.randint(1, 4 - home.depth) - len(drawn)
        projects = chance.sample(range(len(self.projects)), min(wanted, len(self.projects)))
        return drawn + [self.projects[index].id for index in projects]


def _group_plan(count: int, chance: random.Random) -> GroupPlan:
    department_count = max(1, min(len(DEPARTMENTS), count // 8))
    office_count = min(len(CITIES), count // 8)
    empty_count = 1 if count >= 12 else 0
    project_count = max(1, count // 4 - office_count - empty_count)
    team_count = count - department_count - office_count - project_count - empty_count
    numbers = itertools.count(1)

    def group(name: str, description: str, kind: GroupKind, parent: str | None = None) -> Group:
        at = FOUNDED + timedelta(days=chance.randrange(DAYS_OF_HISTORY))
        return Group(f"g{next(numbers):06d}", name, description, kind, parent, at, at, at)

    departments = [
        Home(group(f"bb-{short}", name, GroupKind.DEPARTMENT), index, 0)
        for index, (short, name, _) in enumerate(DEPARTMENTS[:department_count])
    ]
    teams: list[Home] = []
    for index in range(team_count):
        above = departments[index % department_count]
        round_ = index // department_count
        suffix = f"-{round_ // len(TEAMS) + 1}" if round_ >= len(TEAMS) else ""
        short, name, _ = DEPARTMENTS[above.department]
        team = TEAMS[round_ % len(TEAMS)]
        # The team of the round before is in the same department: nest there, but never deeper than three levels.
        elder = teams[index - department_count] if index >= department_count else above
        parent = elder if elder.depth == 1 and chance.random() < SHARE_OF_NESTED_TEAMS else above
        made = group(f"bb-{short}-{team}{suffix}", f"{name}: {team}", GroupKind.TEAM, parent.group.id)
        teams.append(Home(made, above.department, parent.depth + 1))
    weights, total = [], 0.0
    for index in range(team_count):
        total += 1 / (index % 25 + 1)
        weights.append(total)
    return GroupPlan(
        departments=departments,
        teams=teams,
        team_weights=weights,
        offices={
            city: group(f"bb-office-{short}", f"Everybody in {city}", GroupKind.OFFICE)
            for city, short in CITIES[:office_count]
        },
        projects=[group(_project_name(index), "", GroupKind.PROJECT) for index in range(project_count)],
        empty=[group("bb-project-retired", "Nobody any more", GroupKind.PROJECT) for _ in range(empty_count)],
    )


def _project_name(index: int) -> str:
    generation, which = divmod(index, len(PROJECTS))
    return f"bb-project-{PROJECTS[which]}" + (f"-{generation + 1}" if generation else "")


def _standings(people: int, chance: random.Random) -> list[Standing]:
    drawn: list[Standing] = []
    for standing, share in STANDINGS:
        drawn += [standing] * (max(1, round(people * share)) if people >= 50 else 0)
    drawn += [Standing.ACTIVE] * (people - len(drawn))
    chance.shuffle(drawn)
    return drawn


def _with_a_past(person: Person, standing: Standing, chance: random.Random) -> Person:
    created = FOUNDED + timedelta(days=chance.randrange(DAYS_OF_HISTORY), seconds=chance.randrange(36_000))
    updated = created + timedelta(seconds=chance.randrange(6 * 24 * 3600))
    return replace(person, standing=standing, created=created, standing_since=created, updated=updated)
