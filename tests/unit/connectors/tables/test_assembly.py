"""What is left out of declared tables, and that each of it is said."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from connectors.tables.assembly import Assembled, Tables, Words, assemble, require
from directory.errors import SourceUnreadable

JANE = {"external_id": "1", "username": "jane", "email": "jane@example.com", "display_name": "Jane", "active": "yes"}
JOHN = {**JANE, "external_id": "2", "username": "john"}


def assembled(
    people: list[dict[str, Any]],
    memberships: list[tuple[Any, ...]] = (),  # type: ignore[assignment]
    groups: list[tuple[str | None, str | None]] | None = None,
    *,
    nested: bool = False,
) -> Assembled:
    columns = ["group_id", "member_id", *(["member_is_group"] if nested else [])]
    return assemble(
        Tables(
            people=pl.DataFrame(
                people, schema=dict.fromkeys(people[0], None) if people else dict.fromkeys(JANE, pl.String)
            ),
            memberships=pl.DataFrame(list(memberships), schema=dict.fromkeys(columns, pl.String), orient="row"),
            groups=None
            if groups is None
            else pl.DataFrame(groups, schema={"group_id": pl.String, "name": pl.String}, orient="row"),
            origins=("the people", "the memberships", "the groups"),
            active=Words(),
        )
    )


def test_sound_rows_leave_nothing_to_say() -> None:
    found = assembled([JANE, JOHN], [("g", "1"), ("g", "1"), ("g", "2")], [("g", "Guild"), ("e", "Empty")])
    assert found.findings == ()
    assert found.people["external_id"].to_list() == ["1", "2"]
    assert found.memberships.rows() == [("g", "1", False), ("g", "2", False)]
    assert found.groups.rows() == [("g", "Guild"), ("e", "Empty")]


def test_without_a_table_of_groups_those_that_memberships_name_are_known() -> None:
    found = assembled([JANE], [("a", "1", "no"), ("b", "a", "yes")], nested=True)
    assert found.findings == ()
    assert found.groups.rows() == [("a", "a"), ("b", "b")]
    assert ("b", "a", True) in found.memberships.rows()


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"external_id": None}, "1 of 2 rows have no external_id"),
        ({"external_id": ""}, "1 of 2 rows have no external_id"),
        ({"active": "perhaps"}, "`active` is 'perhaps'"),
        ({"active": None}, "`active` is None"),
    ],
)
def test_a_row_that_cannot_be_used_is_left_out_and_said(row: dict[str, Any], said: str) -> None:
    found = assembled([JANE, {**JOHN, **row}])
    assert found.people["external_id"].to_list() == ["1"]
    (finding,) = found.findings
    assert said in finding


def test_of_rows_that_share_an_id_and_differ_the_first_counts() -> None:
    found = assembled([JANE, JANE, {**JANE, "username": "other"}])
    assert found.people["username"].to_list() == ["jane"]
    (finding,) = found.findings
    assert "rows that differ share an id" in finding


@pytest.mark.parametrize(
    ("membership", "said"),
    [
        (("g", "9"), "the people does not give the member, such as 9"),
        (("x", "1"), "the groups does not give the group, such as x"),
        (("g", None), "lack a group, a member"),
    ],
)
def test_a_membership_that_names_nobody_known_is_left_out_and_said(membership: tuple[Any, ...], said: str) -> None:
    found = assembled([JANE], [("g", "1"), membership], [("g", "Guild")])
    assert found.memberships.rows() == [("g", "1", False)]
    (finding,) = found.findings
    assert said in finding


def test_a_table_of_which_no_row_can_be_used_is_refused() -> None:
    with pytest.raises(SourceUnreadable, match="not one of its 1 rows"):
        assembled([{**JANE, "active": "7"}])


def test_lists_cannot_be_names() -> None:
    with pytest.raises(SourceUnreadable, match="'email' holds lists"):
        assembled([{**JANE, "email": ["a", "b"]}])


def test_a_missing_column_is_named_with_the_nearest() -> None:
    with pytest.raises(SourceUnreadable, match=r"no column 'email' \(the nearest is 'emial'\)"):
        require(["external_id", "emial"], ["external_id", "email"], "it", "mend it")
