from __future__ import annotations

import pytest
from pydantic import ValidationError

from connectors.targets.bitbucket import BitbucketSettings, Rate


def settings(**given: object) -> BitbucketSettings:
    return BitbucketSettings.model_validate(
        {"url": "https://git.example.com", "username": "sync", "password": "env:PASSWORD", **given}
    )


def test_the_defaults_are_those_of_the_documents() -> None:
    made = settings()

    assert (made.page_size, made.concurrency, made.max_members_per_call) == (1000, 4, 10_000)
    assert (made.api, made.rate, made.notify) == ("latest", None, False)
    assert made.add_to_default_group is False


def test_a_context_path_is_kept_and_a_slash_behind_it_is_not() -> None:
    assert settings(url="https://example.com/git/").url == "https://example.com/git"


@pytest.mark.parametrize(
    "url",
    [
        "git.example.com",
        "ftp://git.example.com",
        "https://",
        "https://sync:secret@git.example.com",
        "https://git.example.com/rest/api/latest",
        "https://git.example.com/rest",
        "https://git.example.com/?a=b",
    ],
)
def test_an_address_that_is_not_bitbuckets_own_is_refused_without_repeating_a_password(url: str) -> None:
    with pytest.raises(ValidationError) as refused:
        settings(url=url)

    assert all("secret" not in error["msg"] for error in refused.value.errors())


@pytest.mark.parametrize(
    "wrong",
    [
        {"passwort": "env:X"},
        {"password": "hunter2"},
        {"username": ""},
        {"page_size": 0},
        {"concurrency": 0},
        {"api": "2.0"},
        {"password_for_new_accounts": "changeme"},
        {"rate": {"capacity": 0, "refill_per_second": 5}},
        {"rate": {"capacity": 60}},
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        settings(**wrong)


def test_a_rate_is_read_as_written_in_a_sync_file() -> None:
    made = settings(rate={"capacity": 60, "refill_per_second": 5})

    assert made.rate == Rate(capacity=60, refill_per_second=5)
