"""JSON and NDJSON with a verdict on every object.

Polars refuses a whole file for one bad line, so each object is judged first (RFC 8259, by msgspec); Polars then reads
those that are sound.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import msgspec
import polars as pl

from connectors.sources.file.table import LINE, RUN_AGAIN, Broken, Rows, Wanted, reading, unreadable

__all__ = ["read_json", "read_ndjson"]

Text = str | int | None
Flag = str | int | bool | None
List = list[Text] | None

_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "array": "a list",
        "bool": "true or false",
        "float": "a number with a fraction",
        "int": "a number",
        "null": "null",
        "object": "an object",
        "str": "text",
    }
)


def read_ndjson(text: str, path: Path, wanted: Wanted) -> Rows:
    """One object a line. Raises `SourceUnreadable`."""
    lines = ((number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip())
    return _read(lines, path, wanted)


def read_json(text: str, path: Path, wanted: Wanted) -> Rows:
    """One array of objects. Raises `SourceUnreadable` where it is not, or does not end."""
    try:
        items = msgspec.json.decode(text, type=list[msgspec.Raw])
    except msgspec.ValidationError:
        next_step = "let the export write the array itself, or NDJSON"
        raise unreadable(path, "it holds something else than one array of objects", next_step) from None
    except msgspec.DecodeError as error:
        what = f"it cannot be read as JSON ({error}); the export may have been cut"
        raise unreadable(path, what, RUN_AGAIN) from None
    # A line break in valid JSON stands between tokens only, so a blank may take its place.
    lines = ((number, bytes(item).decode().replace("\n", " ")) for number, item in enumerate(items, 1))
    return _read(lines, path, wanted)


def _read(lines: Iterable[tuple[int, str]], path: Path, wanted: Wanted) -> Rows:
    judge = _judge(wanted)
    keys: dict[str, None] = {}
    numbers: list[int] = []
    sound: list[str] = []
    broken: list[Broken] = []
    for number, line in lines:
        try:
            keys.update(dict.fromkeys(judge(line)))
        except msgspec.ValidationError as error:
            broken.append(Broken(number, _plain(error)))
        except msgspec.DecodeError as error:
            broken.append(Broken(number, f"it cannot be read as JSON ({error})"))
        else:
            numbers.append(number)
            sound.append(line)
    names = tuple(keys) if sound else None
    if not names:
        return Rows(pl.DataFrame({LINE: pl.Series(numbers, dtype=pl.UInt32)}), names, broken)
    declared: dict[str, pl.DataType] = {name: pl.String() for name in wanted.text | wanted.flags if name in keys}
    declared |= {name: pl.List(pl.String()) for name in wanted.lists if name in keys}
    with reading(path, "JSON"):
        frame = _parse(sound, declared)
    return Rows(frame.insert_column(0, pl.Series(LINE, numbers, dtype=pl.UInt32)), names, broken)


def _judge(wanted: Wanted) -> Callable[[str], dict[str, msgspec.Raw]]:
    """A function that raises for what is no object or holds a wrong type, and gives the object's keys."""
    kinds: dict[str, Any] = dict.fromkeys(wanted.text, Text)
    kinds |= dict.fromkeys(wanted.flags, Flag) | dict.fromkeys(wanted.lists, List)
    row = msgspec.defstruct(
        "Row",
        [(f"field_{number}", kind, None) for number, kind in enumerate(kinds.values())],
        rename={f"field_{number}": name for number, name in enumerate(kinds)},
    )
    fields, types = msgspec.json.Decoder(dict[str, msgspec.Raw]), msgspec.json.Decoder(row)

    def judge(line: str) -> dict[str, msgspec.Raw]:
        types.decode(line)
        return fields.decode(line)

    return judge


def _plain(error: msgspec.ValidationError) -> str:
    """msgspec says "Expected `int | str | null`, got `object` - at `$.id`"."""
    what, _, place = str(error).partition(" - at `$.")
    expected, _, got = what.partition(", got ")
    found = _TYPES.get(got.strip("`"), got)
    if not place:
        return f"a JSON object is wanted, and this is {found}"
    return f"{place.rstrip('`')!r} is {found}, where {'a list' if 'array' in expected else 'text'} is wanted"


def _parse(lines: list[str], declared: dict[str, pl.DataType]) -> pl.DataFrame:
    def parse(text: list[str]) -> pl.DataFrame:
        data = io.BytesIO("\n".join(text).encode())
        return pl.read_ndjson(data, schema_overrides=declared, infer_schema_length=None)

    try:
        return parse(lines)
    except pl.exceptions.PolarsError:
        # An attribute that is an object here and a list there fits no column; as text it does.
        return parse([_with_nested_as_text(line, declared) for line in lines])


def _with_nested_as_text(line: str, keep: Collection[str]) -> str:
    row: dict[str, Any] = json.loads(line)
    for name, value in row.items():
        if name not in keep and isinstance(value, (dict, list)):
            row[name] = json.dumps(value, ensure_ascii=False)
    return json.dumps(row, ensure_ascii=False)
