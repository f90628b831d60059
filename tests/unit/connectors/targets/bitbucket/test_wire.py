"""Bodies as servers sent them, made anonymous, and what is read of them."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import polars as pl
import pytest

from connectors.http.paging import Paged
from connectors.targets.bitbucket.frames import MemberRows, accounts_of, accounts_page, groups_of
from connectors.targets.bitbucket.wire import AccountRow, GroupGrant, LicenceRow, MemberRow, UserGrant
from directory.snapshot import ACCOUNTS, MEMBERS, TARGET_GROUPS

CROWD_USERS = b"""{"isLastPage":false,"limit":2,"nextPageStart":2,"size":2,"start":0,"values":[
 {"active":true,"deletable":false,"directoryName":"A Crowd","displayName":"Bob 123","emailAddress":"bob123@acme.com",
  "id":216,"lastAuthenticationTimestamp":1491592057692,"links":{"self":[{"href":"https://b.acme.com/users/bob123"}]},
  "mutableDetails":false,"mutableGroups":false,"name":"bob123","slug":"bob123","type":"NORMAL"},
 {"active":true,"displayName":"A key","id":217,"name":"access-key/1","slug":"access-key_1","type":"SERVICE"}]}"""

NEVER_LOGGED_IN = b"""{"size":1,"limit":25,"isLastPage":true,"start":0,"nextPageStart":null,"values":[
 {"name":"Jane@acme.com","active":true,"displayName":"Jane","id":101,"slug":"jane_acme.com","type":"NORMAL",
  "directoryName":"Bitbucket Internal Directory","deletable":true,"mutableDetails":true,"mutableGroups":true}]}"""


def accounts(body: bytes) -> list[AccountRow]:
    return msgspec.json.decode(body, type=Paged[AccountRow]).values


def test_accounts_become_the_declared_frame_without_service_accounts() -> None:
    frame = accounts_of(
        [accounts_page(accounts(CROWD_USERS)), accounts_page(accounts(NEVER_LOGGED_IN))], {101: "SYS_ADMIN"}
    )

    assert dict(frame.schema) == dict(ACCOUNTS)
    assert frame.to_dicts() == [
        {
            "account_id": "216",
            "username": "bob123",
            "email": "bob123@acme.com",
            "display_name": "Bob 123",
            "active": True,
            "directory": "A Crowd",
            "mutable_details": False,
            "mutable_groups": False,
            "deletable": False,
            "permission": None,
            "last_login": datetime(2017, 4, 7, 19, 7, 37, 692000, tzinfo=UTC),
        },
        {
            "account_id": "101",
            "username": "Jane@acme.com",
            "email": None,
            "display_name": "Jane",
            "active": True,
            "directory": "Bitbucket Internal Directory",
            "mutable_details": True,
            "mutable_groups": True,
            "deletable": True,
            "permission": "SYS_ADMIN",
            "last_login": None,
        },
    ]


def test_an_account_that_two_pages_show_is_kept_once() -> None:
    page = accounts_page(accounts(NEVER_LOGGED_IN))

    assert accounts_of([page, page], {}).height == 1


def test_no_accounts_at_all_still_have_the_declared_columns() -> None:
    assert dict(accounts_of([], {}).schema) == dict(ACCOUNTS)


def test_the_last_page_may_leave_the_next_start_out_or_null() -> None:
    last = msgspec.json.decode(NEVER_LOGGED_IN, type=Paged[MemberRow])

    assert last.is_last_page
    assert last.next_page_start is None
    assert msgspec.json.decode(CROWD_USERS, type=Paged[MemberRow]).next_page_start == 2


def test_a_page_without_its_last_page_flag_is_not_read_as_the_last() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"values":[]}', type=Paged[MemberRow])


def test_grants_are_read_as_servers_send_them() -> None:
    users = b"""{"size":1,"limit":25,"isLastPage":true,"start":0,"values":[{"user":{"name":"admin","id":1,
        "emailAddress":"a@acme.com","displayName":"Admin","active":true,"slug":"admin","type":"NORMAL"},
        "permission":"SYS_ADMIN"}]}"""
    groups = b"""{"size":1,"limit":25,"isLastPage":true,"start":0,
        "values":[{"group":{"name":"stash-users"},"permission":"LICENSED_USER"}]}"""

    (user,) = msgspec.json.decode(users, type=Paged[UserGrant]).values
    (group,) = msgspec.json.decode(groups, type=Paged[GroupGrant]).values

    assert (user.user.id, user.permission) == (1, "SYS_ADMIN")
    assert (group.group.name, group.permission) == ("stash-users", "LICENSED_USER")


def test_a_licence_tells_its_seats() -> None:
    body = b'{"maximumNumberOfUsers":12,"unlimitedNumberOfUsers":false,"status":{"currentNumberOfUsers":2}}'

    licence = msgspec.json.decode(body, type=LicenceRow)

    assert licence.maximum_number_of_users == 12
    assert licence.status is not None
    assert licence.status.current_number_of_users == 2


def test_groups_become_the_declared_frame() -> None:
    frame = groups_of(["devs", "stash-users"], {"stash-users": "LICENSED_USER"}, {"stash-users"})

    assert dict(frame.schema) == dict(TARGET_GROUPS)
    assert frame.rows() == [("devs", None, False), ("stash-users", "LICENSED_USER", True)]


def test_members_become_the_declared_frame_each_once_and_only_of_accounts_that_count() -> None:
    known = pl.DataFrame({"account_id": ["1", "2"]})
    rows = MemberRows()
    rows.add("devs", [1, 2, 2])
    rows.add("nobody", [])
    rows.add("keys", [99])

    frame = rows.frame(known)

    assert len(rows) == 4
    assert dict(frame.schema) == dict(MEMBERS)
    assert sorted(frame.rows()) == [("devs", "1"), ("devs", "2")]
    assert MemberRows().frame(known).is_empty()
