"""What is wrong with settings, in plain words: pydantic speaks to programmers, a sync file is written by others.

Values are never repeated, only their kind: somebody may have pasted a secret where it does not belong. The exception
is a word out of a fixed list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Final, NamedTuple, get_args, get_origin

from pydantic import BaseModel, ValidationError

__all__ = ["Problem", "nearest", "problems"]

_KINDS: Final[tuple[tuple[type, str], ...]] = (
    (type(None), "nothing"),
    (bool, "true or false"),  # before int, which it is too
    (int, "a number"),
    (float, "a number"),
    (str, "text"),
    (list, "a list"),
    (tuple, "a list"),
    (dict, "a section"),
)


class Problem(NamedTuple):
    """One mistake."""

    place: tuple[str | int, ...]
    """Keys and list indices from the settings down to the mistake."""
    what: str

    def under(self, *prefix: str) -> str:
        """One line with the dotted path, such as `source.columns.emial: there is no such key; did you mean email?`."""
        return f"{'.'.join(map(str, (*prefix, *self.place)))}: {self.what}"


def problems(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """Every mistake that `model` found, in the order of its fields."""
    return [_problem(detail, model) for detail in error.errors(include_url=False)]


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant, None where none is near."""
    folded = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), folded, n=1)
    return folded[near[0]] if near else None


def _problem(detail: Any, model: type[BaseModel]) -> Problem:
    unknown_key = detail["type"] == "extra_forbidden"
    place, section = _located(detail["loc"], model, last_is_unknown=unknown_key)
    if unknown_key:
        known = list(section.model_fields) if section else []
        near = nearest(str(place[-1]), known)
        hint = f"did you mean {near}?" if near else f"there are {', '.join(known)}"
        return Problem(place, f"there is no such key; {hint}")
    say = _WORDS.get(detail["type"])
    return Problem(place, say(detail) if say else _lowered(detail["msg"]))


def _located(
    loc: tuple[str | int, ...], model: type[BaseModel], *, last_is_unknown: bool
) -> tuple[tuple[str | int, ...], type[BaseModel] | None]:
    """The place without the names that pydantic gives to the members of a union, and the section that holds it."""
    place: list[str | int] = []
    section: type[BaseModel] | None = model
    inner: type[BaseModel] | None = model
    names_follow = False
    for number, part in enumerate(loc, 1):
        if names_follow:  # a key of a section whose keys the file chooses
            place.append(part)
            names_follow = False
            continue
        known = inner is None or isinstance(part, int) or part in inner.model_fields
        if not known and not (last_is_unknown and number == len(loc)):
            continue
        place.append(part)
        section = inner
        if isinstance(part, str):
            annotation = inner.model_fields[part].annotation if inner is not None and known else None
            names_follow = get_origin(annotation) is dict
            inner = _section_in(annotation)
    return tuple(place), section


def _section_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _section_in(part))), None)


def _kind(value: object) -> str:
    return next((words for kind, words in _KINDS if isinstance(value, kind)), f"a {type(value).__name__}")


def _must_be(wanted: str) -> Callable[[Any], str]:
    def say(detail: Any) -> str:
        given = _kind(detail["input"])
        return f"this must be {wanted}" + ("" if given == wanted else f", not {given}")

    return say


def _bound(words: str, key: str) -> Callable[[Any], str]:
    return lambda detail: f"this must be {words} {detail['ctx'][key]}"


def _literal(detail: Any) -> str:
    expected = detail["ctx"]["expected"]
    given = detail["input"]
    if not isinstance(given, str):
        return f"this must be {expected}, not {_kind(given)}"
    words = [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")]
    near = nearest(given, words)
    return f"this must be {expected}, not {given!r}" + (f"; did you mean {near}?" if near else "")


def _short(detail: Any) -> str:
    fewest = detail["ctx"]["min_length"]
    return "this must not be empty" if fewest == 1 else f"this is too short; the least is {fewest}"


def _lowered(message: str) -> str:
    return message[:1].lower() + message[1:]


_WHOLE: Final = _must_be("a whole number")
_NUMBER: Final = _must_be("a number")
_FLAG: Final = _must_be("true or false")
_LIST: Final = _must_be("a list")
_SECTION: Final = _must_be("a section")

_WORDS: Final[Mapping[str, Callable[[Any], str]]] = MappingProxyType(
    {
        "missing": lambda _: "this key is missing",
        "value_error": lambda detail: str(detail["ctx"]["error"]),
        "literal_error": _literal,
        "string_type": _must_be("text"),
        "path_type": _must_be("a path"),
        "int_type": _WHOLE,
        "int_parsing": _WHOLE,
        "int_from_float": _WHOLE,
        "float_type": _NUMBER,
        "float_parsing": _NUMBER,
        "bool_type": _FLAG,
        "bool_parsing": _FLAG,
        "list_type": _LIST,
        "tuple_type": _LIST,
        "set_type": _LIST,
        "frozen_set_type": _LIST,
        "dict_type": _SECTION,
        "model_type": _SECTION,
        "greater_than": _bound("more than", "gt"),
        "greater_than_equal": _bound("at least", "ge"),
        "less_than": _bound("less than", "lt"),
        "less_than_equal": _bound("at most", "le"),
        "string_too_short": _short,
        "too_short": _short,
    }
)
