"""Places in JSON."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.tables.json_path import MISSING, JsonPath

ITEMS = [{"id": 1, "mail": {"work": "a@example.com"}}, {"id": 2, "mail": None}]
DOCUMENT: dict[str, Any] = {
    "data": {"items": ITEMS},
    "@odata.nextLink": "there",
    "teams": [{"people": [1, 2]}, {"people": [3]}],
    "none": None,
}


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("$", DOCUMENT),
        ("", DOCUMENT),
        ("data.items[*].id", [1, 2]),
        ("$.data.items[*].mail.work", ["a@example.com"]),
        ("['@odata.nextLink']", "there"),
        ("teams[*].people[*]", [1, 2, 3]),
        ("teams[*].people", [[1, 2], [3]]),
        ("none", None),
        ("none.more", MISSING),
        ("data.item", MISSING),
        ("data[*]", MISSING),
    ],
)
def test_a_path_finds_what_is_there(path: str, wanted: Any) -> None:
    assert JsonPath(path).find(DOCUMENT) == wanted


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("data.items", ITEMS),
        ("data.items[*]", ITEMS),
        ("teams[*].people[*]", [1, 2, 3]),
        ("teams[*].persons[*]", None),
        ("none", None),
        ("none[*]", None),
        ("nothing", None),
        ("$", None),
    ],
)
def test_rows_that_are_not_there_are_not_an_empty_list(path: str, wanted: Any) -> None:
    assert JsonPath(path).rows(DOCUMENT) == wanted


def test_a_part_that_lacks_its_rows_makes_all_of_them_missing() -> None:
    assert JsonPath("teams[*].people[*]").rows({"teams": [{"people": [1]}, {}]}) is None


@pytest.mark.parametrize("path", ["a..b", "a[0]", "a b[", "[*", "a.", "['a"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="is no path"):
        JsonPath(path)
