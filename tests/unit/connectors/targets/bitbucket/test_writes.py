"""What is sent for each call, as data."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from connectors.targets.bitbucket import BitbucketSettings
from connectors.targets.bitbucket.writes import parts_of, touched, write_for
from directory.call import (
    AddGroupsToAccount,
    AddMembersToGroup,
    Call,
    CreateAccount,
    CreateGroup,
    DeleteAccount,
    EraseAccount,
    GrantPermission,
    RemoveMembership,
    RenameAccount,
    RevokePermission,
    UpdateAccount,
)

SETTINGS = BitbucketSettings(url="https://git.example.com", username="sync", password="env:PASSWORD")


@pytest.mark.parametrize(
    ("call", "method", "path", "query", "body"),
    [
        (
            UpdateAccount("jane", "Jane", "j@example.com"),
            "PUT",
            "/admin/users",
            None,
            {"name": "jane", "displayName": "Jane", "email": "j@example.com"},
        ),
        (RenameAccount("a", "b"), "POST", "/admin/users/rename", None, {"name": "a", "newName": "b"}),
        (DeleteAccount("jane"), "DELETE", "/admin/users", {"name": "jane"}, None),
        (EraseAccount("jane"), "POST", "/admin/users/erasure", {"name": "jane"}, None),
        (CreateGroup("devs"), "POST", "/admin/groups", {"name": "devs"}, None),
        (
            AddMembersToGroup("devs", ("a", "b")),
            "POST",
            "/admin/groups/add-users",
            None,
            {"group": "devs", "users": ("a", "b")},
        ),
        (
            AddGroupsToAccount("jane", ("a", "b")),
            "POST",
            "/admin/users/add-groups",
            None,
            {"user": "jane", "groups": ("a", "b")},
        ),
        (
            RemoveMembership("jane", "devs"),
            "POST",
            "/admin/users/remove-group",
            None,
            {"context": "jane", "itemName": "devs"},
        ),
        (
            GrantPermission("jane", "LICENSED_USER"),
            "PUT",
            "/admin/permissions/users",
            {"name": "jane", "permission": "LICENSED_USER"},
            None,
        ),
        (RevokePermission("jane"), "DELETE", "/admin/permissions/users", {"name": "jane"}, None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_call_is_one_request(call: Call, method: str, path: str, query: object, body: object) -> None:
    write = write_for(call, SETTINGS)

    assert (write.method, write.path, write.query, write.body) == (method, path, query, body)


def test_a_creation_goes_into_the_query_and_says_no_to_the_default_group() -> None:
    write = write_for(CreateAccount("jane", "Jane", "j@example.com"), SETTINGS)

    assert write.body is None
    assert write.query is not None
    password = write.query["password"]
    assert isinstance(password, SecretStr)
    assert {name: value for name, value in write.query.items() if name != "password"} == {
        "name": "jane",
        "displayName": "Jane",
        "emailAddress": "j@example.com",
        "addToDefaultGroup": False,
        "notify": None,
    }
    assert password.get_secret_value() not in repr(write)


def test_a_new_password_is_long_holds_every_class_of_character_and_is_never_the_same() -> None:
    writes = [write_for(CreateAccount("jane", "Jane", "j@example.com"), SETTINGS) for _ in range(50)]
    passwords = {write.deed.secret.get_secret_value() for write in writes if write.deed.secret is not None}

    assert len(passwords) == 50
    for password in passwords:
        assert len(password) >= 43
        assert any(letter.islower() for letter in password)
        assert any(letter.isupper() for letter in password)
        assert any(letter.isdigit() for letter in password)
        assert any(not letter.isalnum() for letter in password)


def test_whoever_is_notified_needs_no_password() -> None:
    write = write_for(CreateAccount("jane", "Jane", "j@example.com"), SETTINGS.model_copy(update={"notify": True}))

    assert write.query is not None
    assert write.query["password"] is None
    assert write.query["notify"] is True


def test_many_members_are_cut_into_parts_in_their_order() -> None:
    settings = SETTINGS.model_copy(update={"max_members_per_call": 2})

    assert parts_of(AddMembersToGroup("devs", ("a", "b", "c")), settings) == [
        AddMembersToGroup("devs", ("a", "b")),
        AddMembersToGroup("devs", ("c",)),
    ]
    assert parts_of(AddMembersToGroup("devs", ()), settings) == []
    assert parts_of(AddGroupsToAccount("jane", ()), settings) == []
    assert parts_of(CreateGroup("devs"), settings) == [CreateGroup("devs")]


def test_a_call_touches_every_account_it_names() -> None:
    assert touched(RenameAccount("a", "b")) == ("a", "b")
    assert touched(AddMembersToGroup("devs", ("a", "b"))) == ("a", "b")
    assert touched(RemoveMembership("a", "devs")) == ("a",)
    assert touched(CreateGroup("devs")) == ()


def test_what_is_no_call_is_a_mistake_of_ours() -> None:
    with pytest.raises(TypeError, match="no such call"):
        write_for("delete everything", SETTINGS)  # type: ignore[arg-type]
