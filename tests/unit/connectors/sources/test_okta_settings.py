"""What a sync file may say about Okta, and how a mistake is answered."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from connectors.sources.okta import OktaSettings
from connectors.sources.okta.api import User
from connectors.sources.okta.frames import people_frame

URL = "https://example.okta.com"


def settings(**given: Any) -> OktaSettings:
    return OktaSettings.model_validate({"url": URL, "token": "env:OKTA_TOKEN", **given})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"token": None}, "either token, or both client_id and private_key"),
        ({"client_id": "0oa"}, "either token, or both client_id and private_key"),
        ({"token": None, "client_id": "0oa"}, "either token, or both client_id and private_key"),
        ({"token": "00abcdef"}, "never as itself"),
        ({"url": "https://example-admin.okta.com"}, "the one without -admin"),
        ({"url": "https://example.okta.com/api/v1"}, "address alone"),
        ({"url": "example.okta.com"}, "looks like https://example.okta.com"),
        ({"url": "https://me:pw@example.okta.com"}, "looks like https://example.okta.com"),
        ({"attributes": ["status"]}, "cannot be carried as status"),
        ({"attributes": {"email": "secondEmail"}}, "cannot be carried as email"),
        ({"group_prefix": "a", "groups_search": 'type eq "OKTA_GROUP"'}, "not both"),
        ({"members_page": 1001}, "less than or equal to 1000"),
        ({"threads": 5}, "Extra inputs are not permitted"),
    ],
)
def test_a_mistake_is_told_in_words(given: dict[str, Any], said: str):
    with pytest.raises(ValidationError, match=said):
        settings(**given)


def test_a_pasted_secret_is_not_repeated_by_our_message():
    with pytest.raises(ValidationError) as caught:
        settings(token="00MARKED")
    assert "00MARKED" not in caught.value.errors()[0]["msg"]


def test_a_quotation_mark_in_a_group_prefix_stays_part_of_it():
    assert settings(group_prefix='a"b\\').group_query == 'profile.name sw "a\\"b\\\\"'


@pytest.mark.parametrize("given", [["badge", "tools"], {"badge": "badge", "tools": "tools"}, "all"])
def test_attributes_become_text_or_lists_of_text(given: object):
    users = [
        User("1", "ACTIVE", {"login": "a", "badge": 7, "tools": ["git", 1, True]}),
        User("2", "ACTIVE", {"login": "b", "badge": True, "tools": None}),
        User("3", "ACTIVE", {"login": "c", "tools": "svn"}),
    ]
    people = people_frame(users, settings(attributes=given))
    assert people["badge"].to_list() == ["7", "true", None]
    assert people["tools"].to_list() == [["git", "1", "true"], None, ["svn"]]


def test_an_attribute_named_like_a_column_of_ours_is_carried_under_another_name_when_all_are():
    people = people_frame([User("1", "ACTIVE", {"login": "a", "status": "on leave"})], settings(attributes="all"))
    assert people.select("status", "profile_status").row(0) == ("ACTIVE", "on leave")


@pytest.mark.parametrize(
    ("profile", "shown"),
    [
        ({"displayName": "Ada L.", "firstName": "Ada", "lastName": "Lovelace"}, "Ada L."),
        ({"displayName": " ", "firstName": "Ada", "lastName": "Lovelace"}, "Ada Lovelace"),
        ({"firstName": None, "lastName": "Lovelace"}, "Lovelace"),
        ({}, None),
    ],
)
def test_the_display_name_falls_back_to_first_and_last_name(profile: dict[str, Any], shown: str | None):
    assert people_frame([User("1", "ACTIVE", profile)], settings())["display_name"].item() == shown


def test_a_status_that_okta_invents_later_is_not_taken_for_active():
    assert people_frame([User("1", "HIBERNATING", {})], settings())["active"].item() is False
