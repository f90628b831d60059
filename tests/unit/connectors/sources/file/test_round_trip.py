"""The same people and memberships, written in four formats, are the same snapshot."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any
from unicodedata import normalize

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from directory.snapshot import SourceSnapshot
from tests.unit.connectors.sources.file.exports import export, read

FORMATS = ("csv", "json", "ndjson", "parquet")
PEOPLE = ("external_id", "username", "email", "display_name", "active", "groups", "department")

awkward = st.text(st.sampled_from(list("ab \"',;|\t\r\n\\/{}[]:é😀\u0301\u2028\x00\x0b\ufeff")), max_size=6)
anything = awkward | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
# An id as it comes out: composed, without blanks around it, and not empty.
identifier = anything.map(lambda value: normalize("NFC", value).strip()).filter(
    lambda value: value != "" and value == normalize("NFC", value).strip()
)
group = identifier.filter(lambda value: ";" not in value)
value = st.none() | anything


@st.composite
def directories(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """People and memberships rows; memberships name people there are, and groups inside groups."""
    names = draw(st.lists(identifier, unique=True, min_size=1, max_size=5))
    people = [
        {
            "external_id": name,
            "username": draw(value),
            "email": draw(value),
            "display_name": draw(value),
            "active": draw(st.booleans()),
            "groups": draw(st.lists(group, max_size=3)),
            "department": draw(value),
        }
        for name in names
    ]
    member = st.tuples(st.sampled_from(names), st.just("")) | st.tuples(st.just(""), identifier)
    pairs = draw(st.lists(st.tuples(identifier, member), min_size=1, max_size=5))
    return people, [{"group": g, "member": m, "member_group": inner} for g, (m, inner) in pairs]


def read_back(people: list[dict[str, Any]], memberships: list[dict[str, Any]], form: str) -> SourceSnapshot:
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(
            read(
                people=export(Path(folder, f"people.{form}"), people, PEOPLE),
                memberships=export(
                    Path(folder, f"memberships.{form}"), memberships, ("group", "member", "member_group")
                ),
                columns={"groups": "groups"},
                nested=True,
            )
        )


def expected_people(people: list[dict[str, Any]]) -> pl.DataFrame:
    columns = ("external_id", "username", "email", "display_name", "active", "department")
    schema = {column: pl.Boolean() if column == "active" else pl.String() for column in columns}
    rows = [[None if row[column] == "" else row[column] for column in columns] for row in people]
    return pl.DataFrame(rows, schema=schema, orient="row")


def expected_memberships(
    people: list[dict[str, Any]], memberships: list[dict[str, Any]]
) -> list[tuple[str, str, bool]]:
    rows = [(name, row["external_id"], False) for row in people for name in row["groups"]]
    rows += [(row["group"], row["member_group"] or row["member"], row["member_group"] != "") for row in memberships]
    return list(dict.fromkeys(rows))


@settings(max_examples=60, deadline=None)
@given(directories())
def test_what_is_written_is_read_back_whatever_the_format(
    written: tuple[list[dict[str, Any]], list[dict[str, Any]]],
) -> None:
    people, memberships = written
    rows = expected_memberships(people, memberships)
    names = sorted({row[0] for row in rows} | {row[1] for row in rows if row[2]})
    for form in FORMATS:
        snapshot = read_back(people, memberships, form)
        assert snapshot.completeness.findings == (), form
        assert_frame_equal(snapshot.people, expected_people(people))
        assert snapshot.memberships.rows() == rows, form
        assert sorted(snapshot.groups.rows()) == [(name, name) for name in names], form
