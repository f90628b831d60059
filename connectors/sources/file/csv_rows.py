"""CSV (RFC 4180) with a verdict on every record.

Polars fills a record that is too short with nulls and gives up on one that is too long, and says neither where. So the
text is first cut into records and each is judged; Polars then reads those that are sound.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

import polars as pl

from connectors.sources.file.table import LINE, Broken, Rows, reading, unreadable

__all__ = ["read_csv"]

_MOST_STRAY_QUOTES: Final = 20
"""After each stray quotation mark the rest of the file is cut anew; beyond this many it is given up."""

_TEXT: Final = "\x00text"


def read_csv(text: str, path: Path, separator: str) -> Rows:
    """`text` has no byte order mark. Raises `SourceUnreadable` where the header cannot be read."""
    lines = pl.DataFrame({_TEXT: pl.Series([text]).str.split("\n").explode()}).with_row_index(LINE, offset=1)
    records, broken = _records(lines, separator)
    if records.height == 0 or (broken and min(broken).line < records[LINE][0]):
        raise unreadable(path, "it has no header that can be read", "look at its first line, then export it again")
    names = _header(records[_TEXT][0], path, separator)

    wrong = records.filter(pl.col("fields") != len(names))
    broken += [
        Broken(line, f"{fields} field{'' if fields == 1 else 's'} where the header has {len(names)}")
        for line, fields in wrong.select(LINE, "fields").iter_rows()
    ]
    records = records.filter(pl.col("fields") == len(names))
    named = [name for name in names if name]
    frame = _parse(records[_TEXT], names, path, separator).select(named)
    return Rows(frame.insert_column(0, records[LINE]).slice(1), tuple(named), broken)


def _parse(records: pl.Series, names: list[str], path: Path, separator: str) -> pl.DataFrame:
    """All records, the header too: what begins like a byte order mark in any other would be taken off the first."""
    with reading(path, "csv"):
        frame = pl.read_csv(
            records.str.join("\n").item().encode(),
            has_header=False,
            new_columns=[name or f"\x00{number}" for number, name in enumerate(names)],
            separator=separator,
            infer_schema=False,
        )
    wanted = (len(records), len(names))
    if frame.shape != wanted:
        raise unreadable(
            path,
            f"Polars reads (rows, fields) {frame.shape} where there are {wanted}",
            "export it as NDJSON or Parquet, and report this as a defect with a sample of the file",
        )
    return frame


def _header(record: str, path: Path, separator: str) -> list[str]:
    cells = pl.read_csv(record.encode(), has_header=False, separator=separator, infer_schema=False).row(0)
    names = [(cell or "").strip() for cell in cells]
    twice = [name for name, count in Counter(names).items() if name and count > 1]
    if twice:
        raise unreadable(path, f"the header names {twice[0]!r} twice", "give each column a name of its own")
    return names


def _records(lines: pl.DataFrame, separator: str) -> tuple[pl.DataFrame, list[Broken]]:
    """The sound records as `LINE` (where each begins), its text and its number of fields, and the lines left out.

    A record runs on over line breaks inside quotation marks, so one stray mark swallows what follows until the next.
    Where a record of several lines is malformed only its first line is given up, and the rest is cut again.
    """
    sound: list[pl.DataFrame] = []
    broken: list[Broken] = []
    for _ in range(_MOST_STRAY_QUOTES):
        records = _judged(_cut(lines), separator)
        stray = records.filter(~pl.col("sound") & (pl.col("height") > 1)).head(1)
        upto = stray[LINE].item() if stray.height else None
        if upto is not None:
            records = records.filter(pl.col(LINE) < upto)
        sound.append(records.filter("sound"))
        broken += [
            Broken(line, "a quotation mark stands inside a field that is not quoted, or is not doubled")
            for line in records.filter(~pl.col("sound"))[LINE]
        ]
        if upto is None:
            break
        broken.append(Broken(upto, "a quotation mark opens here and is not closed where a field ends"))
        lines = lines.filter(pl.col(LINE) > upto)
    else:
        last = lines[LINE][-1]
        broken.append(
            Broken(lines[LINE][0], f"from here to line {last} nothing was read: too many stray quotation marks")
        )
    return pl.concat(sound).select(LINE, _TEXT, "fields"), broken


def _cut(lines: pl.DataFrame) -> pl.DataFrame:
    """Physical lines to records, as `LINE`, text and `height` (how many lines); blank ones fall out."""
    marks = pl.col(_TEXT).str.count_matches('"', literal=True)
    begins = lines.select((marks.cum_sum() - marks) % 2 == 0).to_series()
    if begins.all():
        records = lines.with_columns(pl.lit(1, pl.UInt32).alias("height"))
    else:
        records = (
            lines.group_by(begins.cum_sum().alias("record"), maintain_order=True)
            .agg(pl.col(LINE).first(), pl.col(_TEXT).str.join("\n"), pl.len().alias("height"))
            .drop("record")
        )
    return records.with_columns(pl.col(_TEXT).str.strip_suffix("\r")).filter(pl.col(_TEXT).str.strip_chars() != "")


def _judged(records: pl.DataFrame, separator: str) -> pl.DataFrame:
    quoted = '"(?:[^"]|"")*"'
    field = f'(?:{quoted}|[^"{separator}]*)'
    grammar = rf"^{field}(?:[{separator}]{field})*$"
    has_marks = pl.col(_TEXT).str.contains('"', literal=True)
    plain = records.filter(~has_marks).with_columns(pl.lit(value=True).alias("sound"), pl.col(_TEXT).alias("bare"))
    marked = records.filter(has_marks).with_columns(
        pl.col(_TEXT).str.contains(grammar).alias("sound"), pl.col(_TEXT).str.replace_all(quoted, "").alias("bare")
    )
    both = pl.concat([plain, marked]) if marked.height else plain
    fields = pl.col("bare").str.count_matches(separator, literal=True) + 1
    return both.with_columns(fields.alias("fields")).drop("bare").sort(LINE)
