"""The invented company as an Okta organisation holds it: Okta's ids, flat groups, Everyone, an index that lags."""

from __future__ import annotations

import hashlib
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sandbox.company import Change, Company, Group, GroupKind, Happening, Person, Standing
from sandbox.okta.switches import Switches

ALPHABET = string.digits + string.ascii_letters
EVERYONE = "everyone"

STATUS: Mapping[Standing, str] = {
    Standing.ACTIVE: "ACTIVE",
    Standing.STAGED: "STAGED",
    Standing.INVITED: "PROVISIONED",
    Standing.LOCKED: "LOCKED_OUT",
    Standing.PASSWORD_EXPIRED: "PASSWORD_EXPIRED",
    Standing.RECOVERING: "RECOVERY",
    Standing.SUSPENDED: "SUSPENDED",
    Standing.LEFT: "DEPROVISIONED",
}

ABOUT_MEMBERS = frozenset({Happening.JOINED, Happening.QUIT})
ABOUT_PEOPLE = frozenset({Happening.HIRED, Happening.UPDATED, Happening.STANDING, Happening.ERASED})


def okta_id(prefix: str, key: str) -> str:
    """Twenty characters that begin with the kind of object, always the same for the same key."""
    number = int.from_bytes(hashlib.sha256(f"{prefix}{key}".encode()).digest()[:13])
    digits = ""
    for _ in range(20 - len(prefix)):
        number, rest = divmod(number, len(ALPHABET))
        digits += ALPHABET[rest]
    return prefix + digits


USER_TYPE_ID = okta_id("oty", "default")
EVERYONE_ID = okta_id("00g", EVERYONE)


@dataclass(frozen=True)
class OktaGroup:
    """One group as Okta lists it. `type` is OKTA_GROUP, APP_GROUP (imported, here from a directory) or BUILT_IN."""

    id: str
    key: str
    name: str
    description: str
    type: str
    created: datetime
    updated: datetime
    members_updated: datetime


@dataclass(frozen=True)
class PeopleView:
    """Sorted ids of users, and who they are."""

    ids: Sequence[str]
    person: Callable[[str], Person]


class OktaState:
    """Reads hold the company's lock. Everything derived is thrown away when the company has changed."""

    def __init__(self, company: Company, switches: Switches) -> None:
        self.company = company
        self.switches = switches
        self._version = -1
        self._people: dict[str, Person] = {}
        self._sorted_ids: list[str] = []
        self._ids: dict[str, str] = {}
        self._first_stamps = {group.id: group.members_updated for group in company.groups.values()}
        self._groups: dict[str, OktaGroup] = {}
        self._members: dict[str, list[str]] = {}

    def user_id(self, person_id: str) -> str:
        if person_id not in self._ids:
            self._ids[person_id] = okta_id("00u", person_id)
        return self._ids[person_id]

    def group_id(self, company_group_id: str) -> str:
        return okta_id("00g", company_group_id)

    def people(self) -> PeopleView:
        """As they are now."""
        self._refresh()
        return PeopleView(self._sorted_ids, self._people.__getitem__)

    def searched_people(self) -> PeopleView:
        """As the index behind `search=` knows them: some seconds ago, when the switch says so."""
        self._refresh()
        horizon = self._now() - timedelta(seconds=self.switches.search_lag_seconds)
        earlier: dict[str, Person | None] = {}
        for change in reversed(self.company.changes):
            if change.at <= horizon:
                break
            if change.what in ABOUT_PEOPLE and change.person_id is not None:
                earlier[self.user_id(change.person_id)] = change.before
        if not earlier or not self.switches.search_lag_seconds:
            return PeopleView(self._sorted_ids, self._people.__getitem__)
        known = {**self._people, **earlier}
        view = {user_id: person for user_id, person in known.items() if person is not None}
        return PeopleView(sorted(view), view.__getitem__)

    def find_person(self, key: str) -> tuple[str, Person] | None:
        """By id, login, or the login's part before the @."""
        self._refresh()
        if key in self._people:
            return key, self._people[key]
        for user_id, person in self._people.items():
            if key.casefold() in (person.login.casefold(), person.username.casefold()):
                return user_id, person
        return None

    def groups(self) -> dict[str, OktaGroup]:
        """By Okta's id, in the order of the ids."""
        self._refresh()
        if self.switches.membership_lag_seconds:
            return self._shown(self._now(), {})
        if not self._groups:
            self._groups = self._shown(self._now(), {})
        return self._groups

    def searched_groups(self) -> dict[str, OktaGroup]:
        """As the index behind `search=` knows them."""
        if not self.switches.search_lag_seconds:
            return self.groups()
        self._refresh()
        horizon = self._now() - timedelta(seconds=self.switches.search_lag_seconds)
        earlier: dict[str, Group] = {}
        for change in reversed(self.company.changes):
            if change.at <= horizon:
                break
            if change.group_id is not None and change.group_before is not None:
                earlier[change.group_id] = change.group_before
        return self._shown(horizon, earlier)

    def members(self, group: OktaGroup) -> list[str]:
        """Sorted ids of users, those of nested groups included, because Okta has no nesting."""
        self._refresh()
        if group.id not in self._members:
            self._members[group.id] = sorted(self.user_id(person_id) for person_id in self._members_of(group))
        return self._members[group.id]

    def groups_of(self, person_id: str) -> list[OktaGroup]:
        keys = self.company.effective_groups(person_id)
        here = self._still_member(self.company.people[person_id])
        return [
            group
            for group in self.groups().values()
            if (group.key in keys and here) or (group.key == EVERYONE and person_id in self._everybody())
        ]

    def _members_of(self, group: OktaGroup) -> list[str]:
        if group.key == EVERYONE:
            return list(self._everybody())
        if group.key not in self.company.groups:
            return []
        people = self.company.people
        return [key for key in self.company.effective_members(group.key) if self._still_member(people[key])]

    def _still_member(self, person: Person) -> bool:
        return self.switches.leavers_stay_in_groups or person.standing is not Standing.LEFT

    def _everybody(self) -> dict[str, None]:
        return {person.id: None for person in self.company.people.values() if person.standing is not Standing.LEFT}

    def _refresh(self) -> None:
        if self._version == self.company.version:
            return
        self._version = self.company.version
        self._people = {self.user_id(person.id): person for person in self.company.people.values()}
        self._sorted_ids = sorted(self._people)
        self._groups = {}
        self._members = {}

    def _now(self) -> datetime:
        return self.company.clock()

    def _shown(self, horizon: datetime, earlier: Mapping[str, Group]) -> dict[str, OktaGroup]:
        """Groups as they were at the horizon, where `earlier` tells how the changed ones were then."""
        stamps = self._stamps(horizon - timedelta(seconds=self.switches.membership_lag_seconds))
        made = [self._show(group, stamps) for group in {**self.company.groups, **earlier}.values()]
        if self.switches.everyone_visible:
            made.append(self._everyone())
        return {group.id: group for group in sorted(made, key=lambda group: group.id)}

    def _stamps(self, horizon: datetime) -> Mapping[str, datetime]:
        """When the people put into each group last changed, as far as that is known at the horizon.

        Those of a group that is closed are gone from the one above it as well, which Okta's flat group must tell.
        """
        stamps = dict(self._first_stamps)
        for change in self.company.changes:
            if change.at > horizon:
                break
            if change.what in ABOUT_MEMBERS and change.group_id is not None:
                stamps[change.group_id] = change.at
            elif change.what is Happening.GROUP_CLOSED and change.group_before and change.group_before.parent:
                stamps[change.group_before.parent] = change.at
        return stamps

    def _show(self, group: Group, stamps: Mapping[str, datetime]) -> OktaGroup:
        # The index may still list a group that is closed; what was below it is not known any more.
        below = self.company.subtree(group.id) if group.id in self.company.groups else [group.id]
        return OktaGroup(
            id=self.group_id(group.id),
            key=group.id,
            name=group.name,
            description=group.description,
            type="APP_GROUP" if group.kind is GroupKind.OFFICE else "OKTA_GROUP",
            created=group.created,
            updated=group.updated,
            members_updated=max((stamps[known] for known in below if known in stamps), default=group.members_updated),
        )

    def _everyone(self) -> OktaGroup:
        first = min((group.created for group in self.company.groups.values()), default=self.company.clock())
        last = next((change.at for change in reversed(self.company.changes) if _moves_everyone(change)), first)
        return OktaGroup(
            EVERYONE_ID, EVERYONE, "Everyone", "All users in your organization", "BUILT_IN", first, first, last
        )


def _moves_everyone(change: Change) -> bool:
    """Whether somebody came into the organisation or left it."""
    if change.what in (Happening.HIRED, Happening.ERASED):
        return True
    return change.what is Happening.STANDING and (
        Standing.LEFT in {person.standing for person in (change.before, change.after) if person}
    )
