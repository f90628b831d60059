"""The `fields` parameter: which parts of an answer are wanted, as in `nextPageToken,users(id,name/fullName)`.

Google APIs, "Performance tips: partial response". `*` stands for every field of a level.
"""

from __future__ import annotations

from collections.abc import Mapping

Selection = dict[str, "Selection"]
"""Field to what is wanted below it; empty for all of it."""


def selection(text: str) -> Selection:
    """Raises ValueError where the parentheses do not match or a name is missing."""
    found, rest = _level(text)
    if rest:
        raise ValueError(f"Invalid field selection {text}")
    return found


def project(value: object, wanted: Selection) -> object:
    """A list is projected row by row; what has no such field loses it."""
    if not wanted:
        return value
    if isinstance(value, list):
        return [project(item, wanted) for item in value]
    if not isinstance(value, Mapping):
        return value
    everything = wanted.get("*")
    return {
        name: project(below, wanted.get(name, everything or {}))
        for name, below in value.items()
        if name in wanted or everything is not None
    }


def _level(text: str) -> tuple[Selection, str]:
    found: Selection = {}
    while True:
        text = _one(text, found)
        if not text.startswith(","):
            return found, text
        text = text[1:]


def _one(text: str, into: Selection) -> str:
    """Read one field with what is below it; what follows is returned."""
    end = next((index for index, letter in enumerate(text) if letter in ",()/"), len(text))
    name, rest = text[:end].strip(), text[end:]
    if not name:
        raise ValueError(f"Invalid field selection {text}")
    below = into.setdefault(name, {})
    if rest.startswith("/"):
        return _one(rest[1:], below)
    if rest.startswith("("):
        inner, rest = _level(rest[1:])
        if not rest.startswith(")"):
            raise ValueError("Invalid field selection")
        below.update(inner)
        rest = rest[1:]
    return rest
