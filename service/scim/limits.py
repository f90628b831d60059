"""Refusing what is too large or malformed, before anything looks into it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from service.scim.answers import Refused
from service.scim.settings import Limits

__all__ = ["bounded", "checked_filter", "checked_query", "has_controls", "parsed", "read_body", "refuse_controls"]

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_TERM: Final = re.compile(r"\b(?:eq|ne|co|sw|ew|gt|ge|lt|le|pr)\b", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[+-]?\d+")
_LARGEST: Final = 2**31 - 1
_LARGEST_KEPT: Final = 2**63 - 1
"""What databases compare as a whole number."""
_NAMES: Final = frozenset({"username", "displayname"})


async def read_body(receive: Callable[[], Awaitable[Any]], most: int, announced: str | None) -> bytes:
    """The body of a request, in pieces, until it is more than is taken. Raises Refused with 413."""
    if announced is not None and announced.isdecimal() and int(announced[:20]) > most:
        raise _too_large(most)
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "the connection ended before the request did")
        piece = message.get("body", b"")
        size += len(piece)
        if size > most:
            raise _too_large(most)
        pieces.append(piece)
        if not message.get("more_body", False):
            return b"".join(pieces)


def parsed(body: bytes, limits: Limits) -> Any:
    """The JSON of a body that keeps the limits. Raises Refused."""
    try:
        content = json.loads(
            body, object_pairs_hook=_object, parse_constant=_no_constant, parse_int=_integer, parse_float=_number
        )
    except Refused:
        raise
    except (ValueError, RecursionError) as error:
        what = f": {error}" if isinstance(error, json.JSONDecodeError) else ""
        raise Refused(
            400, f"the body is no JSON in UTF-8, or nests too deep{what}", scim_type="invalidSyntax"
        ) from None
    if not isinstance(content, dict):
        raise Refused(400, "the body is no JSON object", scim_type="invalidSyntax")
    _check(content, limits, 0, "")
    return content


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Refused(400, "an object of the body names a key twice", scim_type="invalidSyntax")
    return found


def _no_constant(name: str) -> Any:
    raise Refused(400, f"{name} is no JSON", scim_type="invalidSyntax")


def _integer(text: str) -> int:
    value = int(text) if len(text) <= len(str(_LARGEST_KEPT)) + 1 else None
    if value is None or abs(value) > _LARGEST_KEPT:
        raise _out_of_range()
    return value


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):  # nothing that reads JSON would read it again
        raise _out_of_range()
    return value


def _out_of_range() -> Refused:
    return Refused(400, "a number of the body is out of range", scim_type="invalidValue")


def _check(value: Any, limits: Limits, depth: int, name: str) -> None:
    if depth > limits.depth:
        raise Refused(400, f"the body nests deeper than {limits.depth}", scim_type="invalidSyntax")
    if isinstance(value, str):
        _check_text(value, limits, name)
    elif isinstance(value, Mapping):
        if len(value) > limits.values:
            raise Refused(413, f"an object of the body has more than {limits.values} keys")
        for key, each in value.items():
            _check_text(key, limits, "")
            _check(each, limits, depth + 1, key.lower())
    elif isinstance(value, list):
        _check_length(value, limits, name)
        for each in value:
            _check(each, limits, depth + 1, name)


def _check_length(value: Sequence[Any], limits: Limits, name: str) -> None:
    # The value of an operation may be a list of members; what it is of is known once its path was looked at.
    most = {"members": limits.members, "value": limits.members, "operations": limits.operations}.get(
        name, limits.values
    )
    if len(value) > most:
        raise Refused(413, f"{name or 'a list'} has {len(value)} entries, and {most} are taken at once")


def _check_text(value: str, limits: Limits, name: str) -> None:
    refuse_controls(value)
    most = limits.name if name in _NAMES else limits.text
    if len(value) > most:
        raise Refused(400, f"{name or 'a value'} has more than {most} characters", scim_type="invalidValue")


def has_controls(value: str) -> bool:
    return _CONTROL.search(value) is not None


def refuse_controls(value: str) -> None:
    if has_controls(value):
        raise Refused(400, "the request holds a control character or half of a character", scim_type="invalidValue")


def checked_filter(text: str, limits: Limits, *, scim_type: str = "invalidFilter") -> str:
    """A filter or a path that is worth parsing. Raises Refused."""
    refuse_controls(text)
    for literal in _STRING.findall(text):
        _refuse_escaped_controls(literal)
    if len(text) > limits.filter_text:
        raise Refused(400, f"a filter or path has more than {limits.filter_text} characters", scim_type=scim_type)
    bare = _STRING.sub('""', text)
    if len(_TERM.findall(bare)) > limits.filter_terms:
        raise Refused(400, f"a filter has more than {limits.filter_terms} terms", scim_type=scim_type)
    depth = deepest = 0
    for letter in bare:
        depth += (letter in "([") - (letter in ")]")
        deepest = max(deepest, depth)
    if deepest > limits.filter_depth:
        raise Refused(400, f"a filter nests deeper than {limits.filter_depth}", scim_type=scim_type)
    return text


def _refuse_escaped_controls(literal: str) -> None:
    """No database takes what `\\u0000` and `\\ud800` stand for."""
    if "\\u" not in literal:
        return
    try:
        said = json.loads(literal)
    except ValueError:  # told by who parses the filter
        return
    refuse_controls(str(said))


def checked_query(query: Mapping[str, str], limits: Limits) -> dict[str, str]:
    """Parameters of a query or search: numbers within bounds, filters worth parsing. Raises Refused."""
    found = dict(query)
    for name, value in found.items():
        refuse_controls(value)
        if name == "filter":
            checked_filter(value, limits)
        elif len(value) > limits.filter_text:
            raise Refused(400, f"{name[:64]} has more than {limits.filter_text} characters", scim_type="invalidValue")
        elif name in {"startIndex", "count"}:
            found[name] = bounded(value)
    return found


def bounded(number: Any) -> Any:
    """A startIndex or count, as text or as a number: one of a thousand digits is as good as the largest one."""
    if isinstance(number, str):
        if len(number) < 10 or not _NUMBER.fullmatch(number):
            return number
        return str(0 if number.startswith("-") else _LARGEST)
    return max(-1, min(number, _LARGEST)) if isinstance(number, int | float) else number


def _too_large(most: int) -> Refused:
    return Refused(413, f"the body is larger than {most} bytes; send it in parts")
