"""A company that is kept in a running OpenLDAP server: what happens to it is done there as an administrator would."""

from __future__ import annotations

import re

from sandbox.company import Company
from tests.company_ldif import attribute, change, entries, entry
from tests.slapd import SUFFIX, Slapd

__all__ = ["CompanyOnSlapd"]

_Attributes = dict[str, list[str]]


class CompanyOnSlapd:
    """Begins with the server just loaded with `company_ldif.openldap`."""

    def __init__(self, company: Company, server: Slapd) -> None:
        self.company = company
        self.server = server
        self.inside: set[tuple[str, str]] = set()
        """Groups put into groups besides what the company itself says: the outer and the inner one."""
        self.old_names: dict[str, str] = {}
        """Names that groups still hold people by, by the company's ids: of who was renamed and nobody mended that."""
        self._there = self._wanted()

    def catch_up(self) -> int:
        """Bring the server to what the company is now; how many records that took. Ids stay, also through a rename."""
        wanted, there = self._wanted(), self._there
        gone = there.keys() - wanted.keys()
        records = [attribute("dn", there[key][0]) + "changetype: delete\n\n" for key in gone]
        # A name may be taken over from somebody who gives it up in the same moment: first all step aside.
        renamed = [key for key in wanted.keys() & there.keys() if wanted[key][0] != there[key][0]]
        records += [_rename(there[key][0], f"{_kind(wanted[key][0])}=aside-{key}") for key in renamed]
        for key in renamed:
            aside = f"{_kind(wanted[key][0])}=aside-{key},{_parent(wanted[key][0])}"
            records.append(_rename(aside, _first(wanted[key][0])))
        for key, (dn, attributes) in wanted.items():
            if key in there:
                records += _differences(dn, there[key][1], attributes)
        added = [key for key in wanted if key not in there]
        records += [_addition(*wanted[key]) for key in added]
        if records:
            self.server.apply("".join(records))
        self._there = wanted
        return len(records)

    def _wanted(self) -> dict[str, tuple[str, _Attributes]]:
        found = entries(self.company, SUFFIX)
        held_as = {found[key][0]: name for key, name in self.old_names.items() if key in found}
        for key in self.company.groups if held_as else ():
            dn, attributes = found[key]
            members = [held_as.get(member, member) for member in attributes["member"]]
            found[key] = (dn, {**attributes, "member": members})
        for outer, inner in self.inside:
            if outer in found and inner in found:
                dn, attributes = found[outer]
                with_inner = dict.fromkeys([*attributes["member"], found[inner][0]])
                found[outer] = (dn, {**attributes, "member": list(with_inner)})
        return found


def _differences(dn: str, before: _Attributes, after: _Attributes) -> list[str]:
    names = [name for name in {**before, **after} if name not in {"entryUUID", "objectClass"}]
    return [
        change(dn, name, after.get(name, []))
        for name in names
        if sorted(before.get(name, [])) != sorted(after.get(name, []))
    ]


def _addition(dn: str, attributes: _Attributes) -> str:
    """The server itself gives whoever is new an entryUUID."""
    given = {name: values for name, values in attributes.items() if name != "entryUUID"}
    first, rest = entry(dn, given).split("\n", 1)
    return f"{first}\nchangetype: add\n{rest}"


def _rename(dn: str, first: str) -> str:
    return attribute("dn", dn) + "changetype: modrdn\n" + attribute("newrdn", first) + "deleteoldrdn: 1\n\n"


def _first(dn: str) -> str:
    match = re.match(r"(?:\\.|[^,\\])+", dn)
    assert match is not None
    return match[0]


def _parent(dn: str) -> str:
    return dn[len(_first(dn)) + 1 :]


def _kind(dn: str) -> str:
    return dn.partition("=")[0]
