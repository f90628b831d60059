"""What a PATCH does to the members of a group, without looking at who is in it (RFC 7644, section 3.5.2).

Microsoft Entra removes a member by `{"op": "Remove", "path": "members", "value": [{"$ref": null, "value": "x"}]}`. Only
the value counts there: who compares the rest as well removes nobody, and who goes by the path alone removes everybody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from service.scim.answers import Refused

__all__ = ["MemberChange", "apart", "wanted_members"]

_SELECTED: Final = re.compile(r"members\s*\[(.*)\]\s*", re.IGNORECASE | re.DOTALL)
_TERM: Final = re.compile(r'\s*value\s+eq\s+"((?:[^"\\]|\\.)*)"\s*', re.IGNORECASE)
_OR: Final = re.compile(r"\bor\b", re.IGNORECASE)


@dataclass
class MemberChange:
    """Who is to be in, with what the client calls them, and who is not."""

    add: dict[str, str | None] = field(default_factory=dict)
    remove: set[str] | None = field(default_factory=set)
    """None for everybody who is not added."""

    def added(self, members: Mapping[str, str | None]) -> None:
        self.add |= members
        if self.remove is not None:
            self.remove -= set(members)

    def removed(self, ids: Sequence[str] | None) -> None:
        if ids is None:
            self.add, self.remove = {}, None
            return
        for each in ids:
            self.add.pop(each, None)
        if self.remove is not None:
            self.remove |= set(ids)


def apart(operations: Sequence[Any]) -> tuple[MemberChange | None, list[Any]] | None:
    """What is done to members, None for nothing, and the other operations.

    None where an operation needs to look at members one by one, such as one that changes what a member is called.
    """
    change = MemberChange()
    rest: list[Any] = []
    any_members = False
    for each in operations:
        if not isinstance(each, Mapping) or not _of_members(each):
            rest.append(each)
            continue
        any_members = True
        if not _done(change, each):
            return None
    return (change if any_members else None), rest


def wanted_members(value: Any) -> dict[str, str | None]:
    """From a list of members, by id. Raises Refused for what is none."""
    found: dict[str, str | None] = {}
    for each in value if isinstance(value, list) else [value]:
        member = each.get("value") if isinstance(each, Mapping) else None
        if not isinstance(member, str) or not member:
            raise Refused(400, "a member has no value, the id of a user or group", scim_type="invalidValue")
        display = each.get("display")
        found[member] = display if isinstance(display, str) else None
    return found


def _of_members(operation: Mapping[str, Any]) -> bool:
    path = operation.get("path")
    return isinstance(path, str) and re.split(r"[.\[\s]", path.strip(), maxsplit=1)[0].lower() == "members"


def _done(change: MemberChange, operation: Mapping[str, Any]) -> bool:
    """Whether it could be done so."""
    op, path = operation.get("op"), str(operation["path"]).strip()
    if path.lower() == "members":
        value = operation.get("value")
        if op == "remove":
            change.removed(None if value is None else list(wanted_members(value)))
        elif op in ("add", "replace"):
            members = wanted_members([] if value is None else value)
            if op == "replace":
                change.removed(None)
            change.added(members)
        else:
            return False
        return True
    selected = _SELECTED.fullmatch(path)
    if selected is None or op != "remove":
        return False
    terms = [_TERM.fullmatch(term) for term in _OR.split(selected.group(1))]
    ids = [term.group(1) for term in terms if term is not None]
    if len(ids) != len(terms) or any("\\" in each for each in ids):
        return False
    change.removed(ids)
    return True
