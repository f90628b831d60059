"""A company that does not exist: its people, its groups, who is in which, and what can happen to them.

Groups form a tree: a department holds its teams, a team may hold a smaller team. `direct` says who was put into a
group; `effective_members` adds those of the groups below, which is what a directory without nesting has to list.
"""

from __future__ import annotations

import random
import string
import threading
import unicodedata
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

from sandbox.invented_names import CITIES, DEPARTMENTS, FIRST_NAMES, LAST_NAMES

DOMAIN = "fjordlight.example"


class Standing(StrEnum):
    """Where a person stands with the company. Each simulator translates it to its vendor's states."""

    ACTIVE = "active"
    STAGED = "staged"
    INVITED = "invited"
    LOCKED = "locked"
    PASSWORD_EXPIRED = "password-expired"  # noqa: S105 a standing, not a secret
    RECOVERING = "recovering"
    SUSPENDED = "suspended"
    LEFT = "left"


class GroupKind(StrEnum):
    DEPARTMENT = "department"
    TEAM = "team"
    OFFICE = "office"
    PROJECT = "project"


@dataclass(frozen=True, slots=True)
class Person:
    id: str
    login: str
    email: str
    first: str
    last: str
    department: str
    title: str
    city: str
    employee_number: str
    standing: Standing
    created: datetime
    updated: datetime
    standing_since: datetime

    @property
    def username(self) -> str:
        """The login without its domain."""
        return self.login.partition("@")[0]

    @property
    def display_name(self) -> str:
        return f"{self.first} {self.last}"


@dataclass(frozen=True, slots=True)
class Group:
    id: str
    name: str
    description: str
    kind: GroupKind
    parent: str | None
    created: datetime
    updated: datetime
    members_updated: datetime


class Happening(StrEnum):
    HIRED = "hired"
    UPDATED = "updated"
    STANDING = "standing"
    ERASED = "erased"
    JOINED = "joined"
    QUIT = "quit"
    GROUP_RENAMED = "group-renamed"
    GROUP_CLOSED = "group-closed"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened. `before` and `after` are the person then, so a slow index can still show the past."""

    at: datetime
    what: Happening
    person_id: str | None = None
    group_id: str | None = None
    before: Person | None = None
    after: Person | None = None
    group_before: Group | None = None


class Latin(NamedTuple):
    """A name as it is written, and as a login spells it."""

    written: str
    plain: str


def real_time() -> datetime:
    """In whole milliseconds, as directories keep it."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


@dataclass
class Company:
    """The truth that every simulator shows in its vendor's way. Hold `lock` while reading several things at once.

    `direct` maps a group's id to the ids of the people put into it, `memberships` a person's id to those groups' ids.
    """

    people: dict[str, Person]
    groups: dict[str, Group]
    direct: dict[str, dict[str, None]]
    memberships: dict[str, dict[str, None]]
    chance: random.Random
    logins: dict[str, int]
    clock: Callable[[], datetime] = real_time
    changes: list[Change] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    last_number: int = 0
    below: dict[str, list[str]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.below = {group_id: [] for group_id in self.groups}
        for group in self.groups.values():
            if group.parent is not None:
                self.below[group.parent].append(group.id)

    @property
    def version(self) -> int:
        """Grows with every change."""
        return len(self.changes)

    def group(self, name: str) -> Group:
        """Raises KeyError when no group has that name."""
        for candidate in self.groups.values():
            if candidate.name == name:
                return candidate
        raise KeyError(f"the invented company has no group named {name}")

    def person(self, key: str) -> Person:
        """Find by id, login or username; raises KeyError when there is no such person."""
        if key in self.people:
            return self.people[key]
        for candidate in self.people.values():
            if key in (candidate.login, candidate.username):
                return candidate
        raise KeyError(f"nobody in the invented company has the id or login {key}")

    def children(self, group_id: str) -> list[Group]:
        return [self.groups[known] for known in self.below[group_id]]

    def lineage(self, group_id: str) -> list[str]:
        """The group's id, its parent's, and so on up to the top."""
        found = []
        current: str | None = group_id
        while current is not None and current in self.groups:
            found.append(current)
            current = self.groups[current].parent
        return found

    def subtree(self, group_id: str) -> list[str]:
        """The group's id and those of all groups below it."""
        found = [group_id]
        for known in found:
            found.extend(self.below[known])
        return found

    def effective_members(self, group_id: str) -> set[str]:
        return {person_id for known in self.subtree(group_id) for person_id in self.direct[known]}

    def effective_groups(self, person_id: str) -> set[str]:
        return {known for group_id in self.memberships[person_id] for known in self.lineage(group_id)}

    def employed(self) -> list[Person]:
        """Everyone who has not left, in the order of hiring."""
        return [person for person in self.people.values() if person.standing is not Standing.LEFT]

    def pick(self, count: int) -> list[Person]:
        """Some of those who have not left, at random but the same on every machine. Raises ValueError for too many."""
        with self.lock:
            return self.chance.sample(self.employed(), count)

    # What can happen to it.

    def hire(self, count: int = 1) -> list[Person]:
        """New people, each in one team (or department) and one project or office."""
        with self.lock:
            homes = self._groups_of(GroupKind.TEAM) or self._groups_of(GroupKind.DEPARTMENT)
            elsewhere = self._groups_of(GroupKind.OFFICE, GroupKind.PROJECT)
            hired = []
            for _ in range(count):
                home = self.chance.choice(homes)
                person = self._newcomer(home)
                self._note(Happening.HIRED, person_id=person.id)
                self.join(person.id, home)
                if elsewhere:
                    self.join(person.id, self.chance.choice(elsewhere))
                hired.append(person)
            return hired

    def move(self, person_id: str, group_id: str | None = None) -> Person:
        """To another team: out of every team and department, into that one; offices and projects stay.

        Without `group_id` a team elsewhere is drawn. Raises KeyError for an unknown person or group.
        """
        with self.lock:
            homes = set(self._groups_of(GroupKind.TEAM, GroupKind.DEPARTMENT))
            old = [known for known in self.memberships[person_id] if known in homes]
            if group_id is None:
                group_id = self.chance.choice(sorted(homes.difference(old)))
            for known in old:
                self.quit(person_id, known)
            self.join(person_id, group_id)
            department, titles = self._department_of(group_id)
            return self._update(person_id, department=department, title=self.chance.choice(titles))

    def leave(self, person_id: str) -> Person:
        """The account ends but stays in its groups, as a directory leaves it unless somebody tidies up."""
        return self.set_standing(person_id, Standing.LEFT)

    def return_(self, person_id: str) -> Person:
        return self.set_standing(person_id, Standing.ACTIVE)

    def set_standing(self, person_id: str, standing: Standing) -> Person:
        with self.lock:
            before = self.people[person_id]
            at = self.clock()
            after = replace(before, standing=standing, standing_since=at, updated=at)
            self.people[person_id] = after
            self._note(Happening.STANDING, person_id=person_id, before=before)
            return after

    def rename(self, person_id: str, last: str | None = None, plain: str | None = None) -> Person:
        """A new last name, and with it a new login and address; the id stays. `plain` is how the login spells it."""
        with self.lock:
            before = self.people[person_id]
            chosen = Latin(*self.chance.choice([name for name in LAST_NAMES if name[0] != before.last]))
            if last is not None:
                chosen = Latin(last, plain or in_latin_letters(last))
            first_plain = before.username.rsplit(".", 1)[0]
            login, email = new_address(self.logins, Latin(before.first, first_plain), chosen)
            return self._update(person_id, last=chosen.written, login=login, email=email)

    def lose(self, fraction: float) -> list[Person]:
        """That share of the people vanishes without a trace, as when a directory's import went wrong."""
        with self.lock:
            lost = self.chance.sample(list(self.people.values()), round(len(self.people) * fraction))
            for person in lost:
                self.erase(person.id)
            return lost

    def erase(self, person_id: str) -> None:
        with self.lock:
            for group_id in list(self.memberships[person_id]):
                self.quit(person_id, group_id)
            before = self.people.pop(person_id)
            del self.memberships[person_id]
            self._note(Happening.ERASED, person_id=person_id, before=before)

    def join(self, person_id: str, group_id: str) -> None:
        with self.lock:
            self.memberships[person_id][group_id] = None
            self.direct[group_id][person_id] = None
            self._note(Happening.JOINED, person_id=person_id, group_id=group_id)
            self._touch_members(group_id)

    def quit(self, person_id: str, group_id: str) -> None:
        with self.lock:
            del self.memberships[person_id][group_id]
            del self.direct[group_id][person_id]
            self._note(Happening.QUIT, person_id=person_id, group_id=group_id)
            self._touch_members(group_id)

    def empty_group(self, group_id: str) -> None:
        """Everyone leaves the group and those below it."""
        with self.lock:
            for known in self.subtree(group_id):
                for person_id in list(self.direct[known]):
                    self.quit(person_id, known)

    def rename_group(self, group_id: str, name: str) -> Group:
        with self.lock:
            before = self.groups[group_id]
            self.groups[group_id] = replace(before, name=name, updated=self.clock())
            self._note(Happening.GROUP_RENAMED, group_id=group_id, group_before=before)
            return self.groups[group_id]

    def close_group(self, group_id: str) -> None:
        """The group and those below it are gone."""
        with self.lock:
            self.empty_group(group_id)
            for known in reversed(self.subtree(group_id)):
                before = self.groups.pop(known)
                del self.direct[known], self.below[known]
                if before.parent is not None:
                    self.below[before.parent].remove(known)
                self._note(Happening.GROUP_CLOSED, group_id=known, group_before=before)

    def _groups_of(self, *kinds: GroupKind) -> list[str]:
        return [group.id for group in self.groups.values() if group.kind in kinds]

    def _department_of(self, group_id: str) -> tuple[str, tuple[str, ...]]:
        root = self.groups[self.lineage(group_id)[-1]]
        return next((name, titles) for _, name, titles in DEPARTMENTS if name == root.description)

    def _newcomer(self, home: str) -> Person:
        self.last_number += 1
        department, titles = self._department_of(home)
        at = self.clock()
        person = new_person(self.last_number, self.chance, self.logins, department, titles, at)
        self.people[person.id] = person
        self.memberships[person.id] = {}
        return person

    def _update(self, person_id: str, **changed: str) -> Person:
        before = self.people[person_id]
        # Keyword arguments of one type cannot be matched to a dataclass's fields by the type checker.
        after = replace(before, **changed, updated=self.clock())  # type: ignore[arg-type]
        self.people[person_id] = after
        self._note(Happening.UPDATED, person_id=person_id, before=before)
        return after

    def _touch_members(self, group_id: str) -> None:
        self.groups[group_id] = replace(self.groups[group_id], members_updated=self.clock())

    def _note(
        self,
        what: Happening,
        *,
        person_id: str | None = None,
        group_id: str | None = None,
        before: Person | None = None,
        group_before: Group | None = None,
    ) -> None:
        after = self.people.get(person_id) if person_id is not None else None
        self.changes.append(Change(self.clock(), what, person_id, group_id, before, after, group_before))


def in_latin_letters(name: str) -> str:
    """What remains without accents and apostrophes; `renamed` for a name in another script."""
    decomposed = unicodedata.normalize("NFKD", name.lower())
    return "".join(letter for letter in decomposed if letter in string.ascii_lowercase + "-") or "renamed"


def new_address(logins: dict[str, int], first: Latin, last: Latin) -> tuple[str, str]:
    """A login nobody has yet, and an e-mail address that keeps the apostrophe that a login cannot have."""
    stem = f"{first.plain}.{last.plain}"
    taken = logins.get(stem, 0)
    logins[stem] = taken + 1
    suffix = str(taken + 1) if taken else ""
    apostrophised = last.written.lower() if last.written.isascii() and "'" in last.written else last.plain
    return f"{stem}{suffix}@{DOMAIN}", f"{first.plain}.{apostrophised}{suffix}@{DOMAIN}"


def new_person(
    number: int,
    chance: random.Random,
    logins: dict[str, int],
    department: str,
    titles: Collection[str],
    at: datetime,
) -> Person:
    first, last = Latin(*chance.choice(FIRST_NAMES)), Latin(*chance.choice(LAST_NAMES))
    login, email = new_address(logins, first, last)
    return Person(
        id=f"p{number:07d}",
        login=login,
        email=email,
        first=first.written,
        last=last.written,
        department=department,
        title=chance.choice(list(titles)),
        city=chance.choice(CITIES)[0],
        employee_number=str(10_000 + number),
        standing=Standing.ACTIVE,
        created=at,
        updated=at,
        standing_since=at,
    )
