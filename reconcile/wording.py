"""Results in words, for terminals and pages alike."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["OUTCOMES", "count_of_people", "sides", "value_in_words", "way", "what_changes"]

OUTCOMES = {
    "failed": "failed",
    "held": "held",
    "conflict": "in conflict",
    "created": "created",
    "updated": "updated",
    "renamed": "renamed",
    "reactivated": "reactivated",
    "access_removed": "access removed",
    "anonymised": "anonymised",
    "deleted": "deleted",
    "erased": "erased",
    "leaving": "leaving",
    "inactive": "inactive",
    "unchanged": "unchanged",
    "filtered": "filtered out",
}
"""Outcomes as people read them, those that need somebody first."""


def count_of_people(outcomes: dict[str, int]) -> str:
    """Such as `461 created, 12 updated`; those that need somebody first."""
    named = [f"{outcomes[name]:,} {words}" for name, words in OUTCOMES.items() if outcomes.get(name)]
    return ", ".join(named) or "nobody"


def way(group: str, path: str) -> str:
    """How somebody comes by a group: `path` leads through the source's groups."""
    if path.casefold() == group.casefold():
        return "a member in the source"
    return "everybody (groups.always)" if path == "groups.always" else f"through {path}"


def what_changes(operation: dict[str, Any]) -> str:
    """The group, or what turns into what."""
    return str(operation["group"] or sides(operation["before"], operation["after"]) or operation["reason"] or "")


def sides(before: str | None, after: str | None) -> str:
    """An operation's JSON objects as words: what is taken, what is given, or what turns into what."""
    old: dict[str, Any] = json.loads(before) if before else {}
    new: dict[str, Any] = json.loads(after) if after else {}
    if "state" not in old:
        new.pop("state", None)
    if not (old and new):
        sign = "taken: " if old else "given: " if "groups" in new else ""
        named = [value_in_words(name, value) for name, value in (old or new).items() if value]
        return f"{sign}{'; '.join(named)}" if named else ""
    turned = [name for name in new if old.get(name) != new[name]]
    return "; ".join(f"{name} {old.get(name) or '(none)'} → {new[name] or '(none)'}" for name in turned)


def value_in_words(name: str, value: Any) -> str:
    """Such as `groups devs, ops`."""
    return f"{name} {', '.join(map(str, value)) if isinstance(value, list) else value}"
