from datetime import UTC, datetime

import pytest

from sandbox.okta.filters import GROUP_SEARCH, USER_FILTER, USER_SEARCH, FilterError, parse

ROW = {
    "status": "ACTIVE",
    "lastUpdated": datetime(2026, 1, 15, 12, 0, 0, 500_000, tzinfo=UTC),
    "activated": None,
    "profile.lastName": "Ødegaard",
    "profile.badgeNumber": 7,
    "profile.remote": True,
    "profile.tools": ["git", "Vim"],
}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("status pr", True),
        ("(status pr)", True),
        ("activated pr", False),
        ('status eq "active"', True),
        ('status EQ "ACTIVE" AND profile.badgeNumber eq 7', True),
        ('status eq "STAGED" or status eq "ACTIVE"', True),
        ('status eq "STAGED" or status eq "ACTIVE" and profile.badgeNumber eq 8', False),
        ('(status eq "STAGED" or status eq "ACTIVE") and profile.badgeNumber eq 7', True),
        ('lastUpdated gt "2026-01-15T12:00:00.499Z"', True),
        ('lastUpdated gt "2026-01-15T12:00:00.500Z"', False),
        ('lastUpdated ge "2026-01-15T12:00:00.500Z"', True),
        ('lastUpdated lt "2026-01-15T12:00:01Z"', True),
        ('profile.lastName sw "øde"', True),
        ('profile.lastName eq "odegaard"', False),
        ('profile.lastName co "gaa"', True),
        ("profile.remote eq true", True),
        ('profile.tools eq "vim"', True),
        ('profile.badgeNumber eq "7"', False),
        ('status lt "STAGED" or status gt "STAGED"', True),
        ('profile.lastName eq "says \\"hello\\""', False),
    ],
)
def test_a_search_expression_is_judged_as_okta_does(expression: str, expected: bool):
    assert parse(expression, USER_SEARCH)(ROW.get) is expected


def test_a_filter_compares_exactly_where_a_search_does_not():
    assert not parse('status eq "active"', USER_FILTER)(ROW.get)
    assert parse('status eq "ACTIVE"', USER_FILTER)(ROW.get)


@pytest.mark.parametrize(
    "expression", ["", "status", "status pr status", 'status like "A"', 'status eq "A" and', "status eq ACTIVE", '"']
)
def test_what_cannot_be_read_is_an_error(expression: str):
    with pytest.raises(FilterError):
        parse(expression, USER_SEARCH)


def test_groups_are_searched_by_other_names():
    assert parse('type eq "OKTA_GROUP"', GROUP_SEARCH)({"type": "OKTA_GROUP"}.get)
    with pytest.raises(FilterError, match="attribute status cannot be used"):
        parse("status pr", GROUP_SEARCH)
