"""What a `block:` reference means, once the server has answered."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from directory.errors import ConfigurationError
from tasks.secrets import _place, _text

TWO = {"properties": {"token": {}, "private_key": {}, "expires_on": {}}, "secret_fields": ["token", "private_key"]}
SECRET = {"properties": {"value": {}}, "secret_fields": ["value"]}
ONE_LINE = "-----BEGIN PRIVATE KEY-----" + "QUJD" * 20 + "-----END PRIVATE KEY-----"


def text(rest: str, fields: dict[str, Any], **data: Any) -> str:
    document: Any = SimpleNamespace(data=data, block_schema=SimpleNamespace(fields=fields))
    return _text(_place(rest), document)


def test_a_field_is_named() -> None:
    assert text("usersync-okta/production/token", TWO, token="0123", private_key="") == "0123"


def test_the_only_secret_that_is_filled_in_needs_no_name() -> None:
    assert text("usersync-okta/production", TWO, token="0123", private_key="", expires_on="2027-01-31") == "0123"
    assert text("secret/okta", SECRET, value="0123") == "0123"


@pytest.mark.parametrize(
    ("rest", "data", "what", "next_step"),
    [
        (
            "usersync-okta/p",
            {"token": "0123", "private_key": "4567"},
            "the block holds 2 secrets; name one of them",
            "write block:usersync-okta/p/token or block:usersync-okta/p/private_key",
        ),
        (
            "usersync-okta/p/tokn",
            {"token": "0123"},
            "the block has no field tokn",
            "write block:usersync-okta/p/token or block:usersync-okta/p/private_key",
        ),
        (
            "usersync-okta/p/private_key",
            {"token": "0123", "private_key": ""},
            "the field private_key of the block is empty",
            "fill it in, in the Prefect UI under Blocks",
        ),
        (
            "usersync-okta/p/token",
            {"token": {"a": "0123"}},
            "the block holds no single text",
            "use a block of the type Secret, or one that `usersync blocks list` prints",
        ),
    ],
    ids=["several", "no field", "empty", "no text"],
)
def test_what_is_unclear_is_refused_and_the_way_out_is_named(
    rest: str, data: dict[str, Any], what: str, next_step: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        text(rest, TWO, **data)
    assert (refused.value.what, refused.value.next_step) == (what, next_step)
    assert refused.value.subject == f"block:{rest}"
    assert "0123" not in str(refused.value)


@pytest.mark.parametrize("rest", ["okta-token", "secret/", "/okta", "a/b/c/d"])
def test_what_names_no_block_is_refused(rest: str) -> None:
    with pytest.raises(ConfigurationError, match="this names no block; it is block:TYPE/NAME, or block:TYPE/NAME/FIE"):
        _place(rest)


def test_a_secret_that_is_stored_as_a_json_text_is_read_without_its_quotes() -> None:
    assert text("secret/okta", SECRET, value='"0123"') == "0123"
    assert text("secret/okta", SECRET, value="0123") == "0123"
    assert text("secret/google", SECRET, value='{"type": "service_account"}') == '{"type": "service_account"}'


def test_a_key_that_a_form_made_one_line_of_gets_its_lines_back() -> None:
    lines = text("usersync-okta/p/private_key", TWO, private_key=ONE_LINE + " " + ONE_LINE).splitlines()
    one = ["-----BEGIN PRIVATE KEY-----", ("QUJD" * 16), ("QUJD" * 4), "-----END PRIVATE KEY-----"]
    assert lines == one + one


def test_a_key_with_its_lines_stays_as_it_is() -> None:
    key = "-----BEGIN PRIVATE KEY-----\nQUJD\n-----END PRIVATE KEY-----\n"
    assert text("usersync-okta/p/private_key", TWO, private_key=key) == key
