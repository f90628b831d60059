"""Every secret that a sync file can name has its place in a form of Prefect's pages."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
import yaml
from prefect.blocks.core import Block
from pydantic import SecretStr

from connectors import catalog
from connectors.blocks import EXPIRES_ON, block_types, type_slug
from connectors.secret import references_in, secret_fields

KINDS: list[tuple[catalog.Side, str]] = [
    *(("source", kind) for kind in catalog.source_kinds()),
    *(("target", kind) for kind in catalog.target_kinds()),
]
WITHOUT_SECRETS = {"file", "scim"}


@pytest.fixture(scope="module")
def types() -> dict[str, type[Block]]:
    return block_types()


@pytest.mark.parametrize(("side", "kind"), KINDS)
def test_every_secret_of_every_connector_is_a_secret_field_of_its_block(
    side: catalog.Side, kind: str, types: dict[str, type[Block]]
) -> None:
    named = [path[-1] for path, _ in secret_fields(catalog.settings_model(side, kind))]
    assert (named == []) == (kind in WITHOUT_SECRETS)
    assert len(named) == len(set(named)), "two fields of one form would have the same name"
    if named:
        made = types[type_slug(kind)]
        assert list(made.model_fields) == [*named, EXPIRES_ON]
        assert all(made.model_fields[name].annotation is SecretStr for name in named)
        assert made.model_json_schema()["secret_fields"] == named


def test_a_setting_that_looks_like_a_secret_is_a_reference() -> None:
    words = ("password", "secret", "token", "private_key", "certificate", "service_account_key")
    no_secret = {"secret_in_body", "token_url", "password_for_new_accounts"}
    for side, kind in KINDS:
        settings = catalog.settings_model(side, kind)
        known = {path[-1] for path, _ in secret_fields(settings)}
        alike = {name for name in settings.model_fields if any(word in name for word in words)} - no_secret
        assert alike <= known, kind


def test_a_form_is_one_that_a_person_can_use(types: dict[str, type[Block]]) -> None:
    for slug, made in types.items():
        assert made.get_block_type_slug() == slug
        assert made.get_block_type_name().startswith("usersync ")
        assert made.get_description()
        assert all(field.description for field in made.model_fields.values())
    names = [made.get_block_type_name() for made in types.values()]
    assert len(names) == len(set(names))
    assert "usersync Okta" in names


def test_the_example_beside_a_form_is_a_part_of_a_sync_file(types: dict[str, type[Block]]) -> None:
    for slug, made in types.items():
        shown: Any = made.get_code_example()
        ((side, section),) = yaml.safe_load(shown.split("```yaml\n")[1].partition("```")[0]).items()
        assert type_slug(section["kind"]) == slug
        settings = catalog.settings_model(side, section["kind"])
        (path, _), *_ = secret_fields(settings)
        value = section
        for key in path:
            value = value[key]
        assert value == f"block:{slug}/NAME/{path[-1]}"


def test_one_of_several_secrets_is_enough(types: dict[str, type[Block]]) -> None:
    block: Any = types["usersync-okta"](token="0123", expires_on="2027-01-31")
    assert (block.token.get_secret_value(), block.private_key.get_secret_value()) == ("0123", "")
    assert block.expires_on == date(2027, 1, 31)
    assert "0123" not in repr(block)


def test_the_references_of_a_section_are_found_wherever_they_stand() -> None:
    rest = {
        "kind": "rest",
        "url": "https://hr.example.com",
        "auth": {"type": "basic", "username": "reader", "password": "block:usersync-rest/hr/password"},
        "people": {"path": "/people", "fields": {"external_id": "id", "username": "login"}},
        "memberships": {"path": "/members", "fields": {"group_id": "group", "member_id": "person"}},
    }
    okta = {"kind": "okta", "url": "https://example.okta.com", "token": "env:OKTA_TOKEN"}
    assert references_in(catalog.parse_settings("source", rest)) == ["block:usersync-rest/hr/password"]
    assert references_in(catalog.parse_settings("source", okta)) == ["env:OKTA_TOKEN"]
