"""Whom the values of a group's lists mean: names of entries, and of a posixGroup what its members are called by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import polars as pl

from connectors.sources.ldap.entries import Group
from connectors.sources.ldap.frames import links_frame
from connectors.sources.ldap.names import canonical

__all__ = ["Index", "Links"]


class Index:
    """Ids by name and by uid."""

    def __init__(self) -> None:
        self._people: dict[str, str] = {}
        self._groups: dict[str, str] = {}
        self._uids: defaultdict[str, set[str]] = defaultdict(set)

    def add_people(self, rows: Iterable[tuple[str, str, str | None]]) -> None:
        """Id, name and uid. Of two entries of one name, which were there one after the other, the later counts."""
        for external_id, dn, uid in rows:
            self._people[canonical(dn)] = external_id
            if uid is not None:
                self._uids[uid].add(external_id)

    def add_groups(self, rows: Iterable[tuple[str, str]]) -> None:
        """Id and name."""
        for group_id, dn in rows:
            self._groups[canonical(dn)] = group_id

    def person(self, name: str) -> str | None:
        return self._people.get(name)

    def group(self, name: str) -> str | None:
        return self._groups.get(name)

    def called(self, uid: str) -> set[str]:
        return self._uids.get(uid, set())


@dataclass
class Links:
    """Direct memberships by the lists of groups."""

    index: Index
    people: dict[str, list[str]] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    """Members who are neither a person nor a group of the read: name as it stands, by its canonical form."""
    unknown_uids: set[str] = field(default_factory=set)
    ambiguous: set[str] = field(default_factory=set)
    """Uids that several people have."""

    def add(self, group: Group) -> None:
        people, within = [], []
        for dn in group.members:
            name = canonical(dn)
            person, inner = self.index.person(name), self.index.group(name)
            if person is not None:
                people.append(person)
            elif inner is not None:
                within.append(inner)
            else:
                self.unknown[name] = dn
        for uid in group.uids:
            found = self.index.called(uid)
            people += found
            if len(found) > 1:
                self.ambiguous.add(uid)
            if not found:
                self.unknown_uids.add(uid)
        self.people[group.group_id] = people
        self.groups[group.group_id] = within

    def frame(self) -> pl.DataFrame:
        return links_frame(self.people, self.groups)

    @property
    def findings(self) -> list[str]:
        if not self.ambiguous:
            return []
        named = ", ".join(sorted(self.ambiguous)[:5])
        return [f"{len(self.ambiguous)} uids of members belong to several people each, among them {named}"]
