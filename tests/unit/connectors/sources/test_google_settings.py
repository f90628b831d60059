"""What a sync file may say about Google Workspace, and what becomes of Google's documents."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from connectors.http.answer import Answer
from connectors.http.library import httpx
from connectors.sources.google import GoogleSettings
from connectors.sources.google.api import Group, Name, User, is_throttled
from connectors.sources.google.frames import attribute, called, memberships_frame, people_frame

ADA: dict[str, Any] = {
    "id": "1",
    "aliases": ["ada@example.com", "countess@example.com"],
    "isAdmin": True,
    "organizations": [{"department": "Old"}, {"department": "Engines", "primary": True, "costCenter": 7}],
    "guestAccountInfo": {"primaryGuestEmail": "x"},
    "phones": [{"value": "1"}, {"value": "2"}],
    "customSchemas": {"Work": {"badge": "7", "tools": [{"value": "git"}, {"type": "x"}], "remote": False}},
}


def settings(**given: Any) -> GoogleSettings:
    return GoogleSettings.model_validate({"service_account_key": "file:/key.json", "subject": "a@example.com", **given})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"service_account_key": "{}"}, "never as itself"),
        ({"subject": "admin"}, "e-mail address of an administrator"),
        ({"attributes": ["customSchemas"]}, "is no attribute"),
        ({"attributes": ["customSchemas.Work"]}, "is no attribute"),
        ({"attributes": ["organizations.a.b"]}, "is no attribute"),
        ({"attributes": ["organizations"]}, "name one, as in organizations.department"),
        ({"attributes": ["suspended"]}, "cannot be carried as suspended"),
        ({"attributes": ["organizations.title", "customSchemas.Work.title"]}, "two attributes end alike"),
        ({"customer": "C1", "domain": "example.com"}, "customer or domain, not both"),
        ({"users_page": 501}, "less than or equal to 500"),
        ({"members_page": 201}, "less than or equal to 200"),
    ],
)
def test_a_mistake_is_told_in_words(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        settings(**given)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("organizations.department", "Engines"),
        ("organizations.costCenter", "7"),
        ("phones.value", "1"),
        ("aliases", ["ada@example.com", "countess@example.com"]),
        ("isAdmin", "true"),
        ("customSchemas.Work.badge", "7"),
        ("customSchemas.Work.remote", "false"),
        ("customSchemas.Work.tools", ["git"]),
        ("customSchemas.Work.none", None),
        ("customSchemas.None.none", None),
        ("guestAccountInfo", None),
        ("addresses.locality", None),
    ],
)
def test_an_attribute_is_found_by_its_path(path: str, value: object) -> None:
    assert attribute(ADA, path) == value


def test_the_schemas_of_custom_attributes_are_asked_for_once() -> None:
    paths = ["customSchemas.Work.badge", "customSchemas.Work.tools", "customSchemas.Other.x", "orgUnitPath"]
    assert settings(attributes=paths).schemas == ("Work", "Other")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (Name("Ada L.", "Ada", "Lovelace"), "Ada L."),
        (Name(" ", "Ada", "Lovelace"), "Ada Lovelace"),
        (Name(None, None, "Lovelace"), "Lovelace"),
        (Name(), None),
    ],
)
def test_the_display_name_falls_back_to_given_and_family_name(name: Name, shown: str | None) -> None:
    frame = people_frame([User("1", "ada@example.com", name)], [{}], settings())
    assert frame["display_name"].item() == shown


@pytest.mark.parametrize(
    ("group_name", "shown"), [("name", "Engines"), ("email", "eng@example.com"), ("mailbox", "eng")]
)
def test_a_group_is_called_as_the_sync_file_says(group_name: str, shown: str) -> None:
    assert called(Group("g", "eng@example.com", "Engines"), settings(group_name=group_name)) == shown


def test_somebody_who_is_a_member_and_among_everybody_is_one_row() -> None:
    people = people_frame([User("1", "a@example.com"), User("2", "b@example.com")], [{}, {}], settings())
    rows = memberships_frame({"g": ["1"]}, {"g": ["h"]}, ["g"], people).sort("member_id").rows()
    assert rows == [("g", "1", False), ("g", "2", False), ("g", "h", True)]


@pytest.mark.parametrize(
    ("status", "body", "throttled"),
    [
        (403, b'{"error": {"errors": [{"reason": "quotaExceeded"}]}}', True),
        (403, b'{"error": {"errors": [{"reason": "userRateLimitExceeded"}]}}', True),
        (403, b'{"error": {"errors": [{"reason": "forbidden"}]}}', False),
        (403, b"<html>", False),
        (400, b'{"error": {"errors": [{"reason": "quotaExceeded"}]}}', False),
    ],
)
def test_a_403_is_throttling_where_its_reason_is_a_quota(status: int, body: bytes, throttled: bool) -> None:
    assert is_throttled(Answer("GET", "https://x.example", status, httpx.Headers(), body)) is throttled
