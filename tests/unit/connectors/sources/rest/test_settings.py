"""What a sync file may declare, and how its mistakes are told."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.catalog import parse_settings
from connectors.sources.rest import RestSettings
from directory.errors import ConfigurationError

PEOPLE = {"path": "/people", "fields": {"external_id": "id"}}
PAIRS = {"path": "/pairs", "fields": {"group_id": "g", "member_id": "m"}}
SOUND: dict[str, Any] = {"kind": "rest", "url": "https://hr.example.com", "people": PEOPLE, "memberships": PAIRS}


def test_the_least_that_can_be_said_is_enough() -> None:
    assert isinstance(parse_settings("source", SOUND), RestSettings)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"url": "https://me:MARKED@hr.example.com"}, "without credentials"),
        ({"headers": {"Authorization": "MARKED"}}, "looks like a secret"),
        ({"people": {**PEOPLE, "query": {"api_key": "MARKED"}}}, "looks like a secret"),
        ({"auth": {"type": "bearer", "token": "MARKED"}}, "never as itself"),
        ({"auth": {"type": "basic", "username": "me"}}, "type basic needs password"),
        ({"auth": {"type": "bearer", "token": "env:T", "username": "me"}}, "type bearer knows no username"),
        ({"auth": {"token": "env:T"}}, "type none knows no token"),
        ({"people": {**PEOPLE, "path": "/people?x=1"}}, "parameters go into `query`"),
        ({"people": {**PEOPLE, "rows": "a..b"}}, "is no path"),
        ({"people": {**PEOPLE, "paging": {"type": "next_link"}}}, "type next_link needs link"),
        ({"people": {**PEOPLE, "paging": {"type": "page", "parameter": "p", "ends_at_short_page": True}}}, "need size"),
        ({"people": {**PEOPLE, "paging": {"type": "cursor", "cursor": "c", "parameter": "p", "size": 3}}}, "no size"),
        ({"people": {**PEOPLE, "total": "t", "total_header": "T"}}, "total or total_header"),
        ({"people": {**PEOPLE, "attributes": {"email": "mail"}}}, "a column of its own"),
        ({"people": {**PEOPLE, "path": "/g/{group_id}"}}, "memberships alone"),
        ({"memberships": {**PAIRS, "path": "/g/{group_id}"}}, "not both"),
        ({"memberships": {**PAIRS, "fields": {"member_id": "m"}}}, "say which group"),
        ({"memberships": {"path": "/g/{group_id}", "fields": {"member_id": "m"}}}, "needs `groups`"),
        ({"active_values": ["no"]}, "both hold no"),
    ],
)
def test_a_mistake_is_told_in_words_and_without_what_was_pasted(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_settings("source", {**SOUND, **changed})
    assert said in caught.value.what
    assert "MARKED" not in str(caught.value)
