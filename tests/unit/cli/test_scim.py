"""`usersync scim`: connectors and tokens by the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import ledger
from cli.main import main
from tests.contract.test_scim_tester import CUSTOM


@pytest.fixture(autouse=True)
def _at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("USERSYNC_LEDGER", ledger.default_url(tmp_path))


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(["scim", *arguments]) == code
    told = capsys.readouterr()
    return told.out if code == 0 else told.err


def test_a_token_is_shown_once_and_works_until_it_is_revoked(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    said(capsys, "add", "entra", "--base-url", "https://push.example")
    first = said(capsys, "token", "entra").strip()
    second = json.loads(said(capsys, "token", "entra", "--days", "30", "--json"))

    with ledger.open(ledger.default_url(tmp_path)) as book:
        good = [book.scim.connectors.authenticate("entra", each) for each in (first, second["token"])]
        assert all(good)
        said(capsys, "revoke", "entra", "--token", first.split("_")[1])
        assert book.scim.connectors.authenticate("entra", first) is None
        assert book.scim.connectors.authenticate("entra", second["token"]) is not None

    (listed,) = json.loads(said(capsys, "list", "--json"))
    assert [(each["good"], each["last_used_at"]) for each in listed["tokens"]] == [(False, None), (True, None)]
    shown = said(capsys, "list")
    assert "https://push.example/scim/entra/v2" in shown
    assert first not in shown
    assert second["token"] not in shown


def test_a_revoked_connector_lets_nobody_in_and_its_name_is_free_again(capsys: pytest.CaptureFixture[str]):
    said(capsys, "add", "entra")
    assert "there is a connector of this name already" in said(capsys, "add", "entra", code=2)
    said(capsys, "revoke", "entra")
    assert "there is no such connector" in said(capsys, "token", "entra", code=2)
    said(capsys, "add", "entra")

    assert [each["revoked_at"] is None for each in json.loads(said(capsys, "list", "--json"))] == [True, False]


def test_a_name_that_cannot_stand_in_an_address_is_refused(capsys: pytest.CaptureFixture[str]):
    assert "small letters, digits and hyphens" in said(capsys, "add", "my_okta", code=2)
    for address in ("push.example", "https://push.example?x", 'https://push.example/"'):
        assert "no address" in said(capsys, "add", "okta", "--base-url", address, code=2)


def test_schemas_are_checked_when_a_connector_is_added(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(CUSTOM))
    bad.write_text(json.dumps([{**CUSTOM, "attributes": [{"name": "x", "type": "colour"}]}]))

    assert json.loads(said(capsys, "add", "okta", "--schemas", str(good), "--json"))["schemas"] == [CUSTOM["id"]]
    assert "it is not a schema" in said(capsys, "add", "entra", "--schemas", str(bad), code=2)
    assert "cannot be read as JSON" in said(capsys, "add", "entra", "--schemas", str(tmp_path / "none"), code=2)


def test_from_where_a_connector_may_push_is_said_changed_and_shown(capsys: pytest.CaptureFixture[str]):
    added = said(capsys, "add", "entra", "--allow", "192.0.2.0/24", "--allow", "2001:db8::/32")
    assert "It may push from 192.0.2.0/24, 2001:db8::/32 alone." in added
    assert "pushes from 192.0.2.0/24, 2001:db8::/32 alone" in said(capsys, "list")

    changed = said(capsys, "allow", "entra", "::ffff:198.51.100.0/120", "198.51.100.9")
    assert "entra may push from 198.51.100.0/24, 198.51.100.9/32 alone; a service that runs holds to it" in changed
    (listed,) = json.loads(said(capsys, "list", "--json"))
    assert listed["allow"] == ["198.51.100.0/24", "198.51.100.9/32"]

    assert "entra may push from anywhere" in said(capsys, "allow", "entra")
    assert json.loads(said(capsys, "allow", "entra", "192.0.2.7", "--json"))["allow"] == ["192.0.2.7/32"]
    assert json.loads(said(capsys, "add", "okta", "--json"))["allow"] == []


def test_what_is_no_network_is_refused_and_nothing_is_changed(capsys: pytest.CaptureFixture[str]):
    refused = said(capsys, "add", "entra", "--allow", "192.0.2.7/24", code=2)
    assert ("--allow 192.0.2.7/24" in refused, "no connector was added" in refused) == (True, True)
    said(capsys, "add", "entra", "--allow", "192.0.2.0/24")
    refused = said(capsys, "allow", "entra", "198.51.100.0/24", "everywhere", code=2)
    assert "what the connector may push from is as it was" in refused
    assert "there is no such connector" in said(capsys, "allow", "okta", code=2)
    (listed,) = json.loads(said(capsys, "list", "--json"))
    assert listed["allow"] == ["192.0.2.0/24"]
