"""A few people and groups in an organizational unit of their own, made, changed and deleted over LDAP."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Final

from tests.company_in_ad import DISABLED, ENABLED
from tests.company_ldif import attribute, change, entry
from tests.samba import Samba

__all__ = ["Unit"]

_NUMBERS: Final = itertools.count(1)


@dataclass
class Unit:
    """Read with `base`; what lies in `elsewhere` is out of sight. Names are keys of what is there."""

    server: Samba
    name: str = field(init=False)
    people: dict[str, str] = field(default_factory=dict)
    """DN by name."""
    groups: dict[str, str] = field(default_factory=dict)
    members: set[tuple[str, str]] = field(default_factory=set)
    """Group and member, by name; not that of a primary group."""
    primary: dict[str, str] = field(default_factory=dict)
    homes: list[str] = field(default_factory=list)
    """Units that people and groups may lie in, `elsewhere` the last."""

    def __post_init__(self) -> None:
        self.name = f"unit{next(_NUMBERS)}"
        self.homes = [
            f"OU=North,{self.base}",
            f"OU=South,{self.base}",
            f"OU=Elsewhere-{self.name},{self.server.suffix}",
        ]
        units = [self.base, *self.homes]
        self.server.apply("".join(_addition(dn, {"objectClass": ["organizationalUnit"]}) for dn in units))

    @property
    def base(self) -> str:
        return f"OU={self.name},{self.server.suffix}"

    @property
    def elsewhere(self) -> str:
        return self.homes[-1]

    def hire(self, count: int = 1) -> list[str]:
        hired = {f"person-{next(_NUMBERS)}": self.homes[0] for _ in range(count)}
        self.people |= {name: f"CN={name},{home}" for name, home in hired.items()}
        self.server.apply("".join(_addition(self.people[name], _person(name)) for name in hired))
        return list(hired)

    def found(self, count: int = 1) -> list[str]:
        founded = [f"group-{next(_NUMBERS)}" for _ in range(count)]
        self.groups |= {name: f"CN={name},{self.homes[1]}" for name in founded}
        given = {"objectClass": ["group"]}
        records = [_addition(self.groups[name], {**given, "sAMAccountName": [name]}) for name in founded]
        self.server.apply("".join(records))
        return founded

    def dn(self, name: str) -> str:
        return self.people.get(name) or self.groups[name]

    def join_or_quit(self, group: str, member: str) -> None:
        """Of people and of groups alike. Who has the group as the primary one is left there."""
        if self.primary.get(member) == group:
            return
        is_in = (group, member) in self.members
        self.server.apply(change(self.groups[group], "member", [self.dn(member)], "delete" if is_in else "add"))
        self.members ^= {(group, member)}

    def set(self, name: str, attribute_: str, value: str) -> None:
        self.server.apply(change(self.dn(name), attribute_, [value]))

    def disable(self, name: str, *, disabled: bool) -> None:
        self.set(name, "userAccountControl", str(DISABLED if disabled else ENABLED))

    def rename(self, name: str) -> None:
        """The entry's own name; the key stays."""
        self._place(name, f"CN={name}-{next(_NUMBERS)}", self.dn(name).partition(",")[2])

    def move(self, name: str, home: str) -> None:
        self._place(name, self.dn(name).partition(",")[0], home)

    def rename_home(self) -> None:
        """An organizational unit with people in it, which changes all their names at once."""
        old, number = self.homes[0], next(_NUMBERS)
        new = f"OU=North-{number},{self.base}"
        self.server.apply(_renaming(old, f"OU=North-{number}", self.base))
        self.homes[0] = new
        for known in (self.people, self.groups):
            known.update({name: dn.replace(old, new) for name, dn in known.items()})

    def make_primary(self, name: str, group: str) -> None:
        """Active Directory lets nobody into a primary group who is not in it, and then takes them off its list."""
        if self.primary.get(name) == group or name in self.groups:
            return
        if (group, name) not in self.members:
            self.join_or_quit(group, name)
        self.set(name, "primaryGroupID", self.server.number(self.groups[group]))
        former = self.primary.get(name)
        self.members.discard((group, name))
        if former is not None:
            self.members.add((former, name))
        self.primary[name] = group

    def delete(self, name: str) -> None:
        """Whose primary group it is keeps a group alive."""
        if name in self.primary.values():
            return
        self.server.apply(attribute("dn", self.dn(name)) + "changetype: delete\n\n")
        for known in (self.people, self.groups, self.primary):
            known.pop(name, None)
        self.members = {edge for edge in self.members if name not in edge}

    def _place(self, name: str, first: str, home: str) -> None:
        known = self.people if name in self.people else self.groups
        self.server.apply(_renaming(known[name], first, home))
        known[name] = f"{first},{home}"


def _person(name: str) -> dict[str, list[str]]:
    return {
        "objectClass": ["user"],
        "sAMAccountName": [name],
        "mail": [f"{name}@fjordlight.example"],
        "displayName": [name.title()],
        "userAccountControl": [str(ENABLED)],
    }


def _addition(dn: str, attributes: dict[str, list[str]]) -> str:
    first, rest = entry(dn, attributes).split("\n", 1)
    return f"{first}\nchangetype: add\n{rest}"


def _renaming(dn: str, first: str, home: str) -> str:
    new = attribute("newrdn", first) + "deleteoldrdn: 1\n" + attribute("newsuperior", home)
    return attribute("dn", dn) + "changetype: modrdn\n" + new + "\n"
