"""Where in a JSON document something is: `data.items[*]`, `contact.mail`, `['@odata.nextLink']`, `$` for all of it."""

from __future__ import annotations

import re
from enum import Enum
from typing import Any, Final

__all__ = ["MISSING", "JsonPath", "Missing"]


class Missing(Enum):
    """Not even null stands there."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING

_STEP: Final = re.compile(r"\.?([^.\[\]$'\s][^.\[\]]*)|(\[\*\])|\['([^']+)'\]")
_EACH: Final = None


class JsonPath:
    """Names joined by dots; `[*]` stands for each item of a list, and a name with dots in it goes into `['...']`."""

    def __init__(self, text: str) -> None:
        """Raises ValueError where the text is no such path."""
        self.text = text
        rest = text.strip().removeprefix("$")
        self._steps: list[str | None] = []
        while rest:
            found = _STEP.match(rest)
            if found is None:
                raise ValueError(f"{text!r} is no path such as data.items[*], contact.mail or ['@odata.nextLink']")
            self._steps.append(_EACH if found[2] else found[1] or found[3])
            rest = rest[found.end() :]

    def __repr__(self) -> str:
        return f"JsonPath({self.text!r})"

    @property
    def gives_many(self) -> bool:
        return _EACH in self._steps

    def find(self, document: Any) -> Any:
        """The value; with `[*]` the list of all there are. MISSING where a name is not there."""
        return _walk(document, self._steps, strict=False)

    def rows(self, document: Any) -> list[Any] | None:
        """The list there, with or without `[*]` at the end; None where any part of it is missing or is no list."""
        found = _walk(document, self._steps, strict=True)
        return found if isinstance(found, list) else None


def _walk(value: Any, steps: list[str | None], *, strict: bool) -> Any:
    for number, step in enumerate(steps):
        if step is _EACH:
            return _each(value, steps[number + 1 :], strict=strict)
        if not isinstance(value, dict) or step not in value:
            return MISSING
        value = value[step]
    return value


def _each(values: Any, steps: list[str | None], *, strict: bool) -> Any:
    if not isinstance(values, list):
        return MISSING
    found: list[Any] = []
    for value in values:
        below = _walk(value, steps, strict=strict)
        if below is MISSING:
            if strict:
                return MISSING
        elif _EACH in steps:
            found.extend(below)
        else:
            found.append(below)
    return found
