"""Tokens in Authorization headers, and what is kept of secrets."""

from __future__ import annotations

import pytest

from ledger.secret import digest, is_secret_of
from service.access.bearer import bearer


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc_1", "abc_1"),
        ("bearer  abc ", "abc"),
        (None, None),
        ("", None),
        ("Bearer", None),
        ("Bearer ", None),
        ("Basic YTpi", None),
        ("Bearerabc", None),
        ("Bearer é", None),
        ("Bearer " + "a" * 256, "a" * 256),
        ("Bearer " + "a" * 257, None),
    ],
    ids=str,
)
def test_a_token_is_what_follows_the_scheme(header: str | None, token: str | None) -> None:
    assert bearer(header) == token


def test_a_signed_token_may_be_longer() -> None:
    assert bearer("Bearer " + "a" * 4000, longest=4000) == "a" * 4000


@pytest.mark.parametrize("presented", ["", "secret ", "Secret", "\ud800"], ids=ascii)
def test_only_the_secret_itself_is_that_of_its_digest(presented: str) -> None:
    kept = digest("secret")
    assert is_secret_of("secret", kept)
    assert not is_secret_of(presented, kept)


def test_of_an_unknown_id_nothing_is_the_secret() -> None:
    assert not is_secret_of("secret", None)
    assert not is_secret_of("", None)
