"""What an LDAP directory refuses, cuts short or leaves to other servers: an error or a finding, never a short list."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from connectors.contract import CheckFinding
from connectors.sources.ldap import LdapSettings, LdapSource
from connectors.sources.ldap.connection import Control, Entry
from connectors.sources.ldap.server import Server
from directory.errors import ConfigurationError, CredentialsRefused, SourceUnavailable, SourceUnreadable
from tests.company_ldif import change, entry
from tests.contract.ldap_stage import ANN, group, missing_here, person, settings_for, small_tree
from tests.contract.source_contract import Sleeps
from tests.slapd import PASSWORD, SUFFIX, Slapd, slapd

ELSEWHERE = f"dc=child,{SUFFIX}"
REFERRAL = entry(
    ELSEWHERE,
    {"objectClass": ["referral", "extensibleObject"], "dc": ["child"], "ref": [f"ldap://127.0.0.1:1/{ELSEWHERE}"]},
)


@pytest.fixture(autouse=True)
def _what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    reason = missing_here()
    if reason:
        pytest.skip(reason)
    monkeypatch.setenv("LDAP_PASSWORD", PASSWORD)


@contextmanager
def small(*more: str, server: dict[str, Any] | None = None, **given: Any) -> Iterator[tuple[Slapd, LdapSource]]:
    with slapd(small_tree(*more), **(server or {})) as running:
        yield running, LdapSource(settings_for(running, **given), waits=())


def problems(findings: list[CheckFinding]) -> list[str]:
    return [finding.what for finding in findings if finding.level == "problem"]


async def test_a_limit_that_ends_a_search_is_an_error():
    with small(server={"limits": "size.soft=1 size.hard=1 size.prtotal=1"}, page_size=1) as (_, source):
        with pytest.raises(SourceUnreadable, match="size limit"):
            await source.read()
        assert problems(await source.check())


async def test_a_server_that_gives_no_pages_is_an_error():
    with small(server={"limits": "size.prtotal=disabled"}) as (_, source), pytest.raises(SourceUnreadable):
        await source.read()


async def test_pages_pass_a_limit_that_is_for_searches_without_pages():
    many = [person(f"uid=p{number},ou=people,{SUFFIX}") for number in range(700)]
    with small(*many) as (_, source):
        assert (await source.read()).people.height == 702


async def test_a_wrong_password_is_refused_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LDAP_PASSWORD", "marked-wrong-password")
    sleeps = Sleeps()
    with small() as (server, _):
        source = LdapSource(settings_for(server), sleep=sleeps)
        with pytest.raises(CredentialsRefused) as caught:
            await source.read()
        assert problems(await source.check())
    assert "marked-wrong-password" not in f"{caught.value}"
    assert sleeps == []


async def test_start_tls_and_ldaps_read_with_the_certificates_authority():
    with small(server={"tls": True}) as (server, source):
        by_start_tls = settings_for(server, url=server.url)
        assert by_start_tls.starts_tls
        first = await source.read()
        second = await LdapSource(by_start_tls, waits=()).read()
        assert second.people.equals(first.people)
        assert second.requests == first.requests + 1


@pytest.mark.parametrize("scheme", ["ldap", "ldaps"])
async def test_a_server_that_cannot_prove_its_name_gets_no_password(scheme: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LDAPTLS_REQCERT", "never")
    with small(server={"tls": True}) as (server, _):
        url = server.url if scheme == "ldap" else server.ldaps_url
        source = LdapSource(settings_for(server, url=url, ca_file=None), waits=())
        with pytest.raises(SourceUnreadable) as caught:
            await source.read()
    assert "the password was not sent" in str(caught.value)
    assert "ca_file" in str(caught.value)


async def test_a_server_without_tls_gets_no_password():
    with small() as (server, _):
        source = LdapSource(settings_for(server, encryption="starttls"), waits=())
        with pytest.raises((SourceUnreadable, CredentialsRefused)):
            await source.read()


async def test_a_directory_that_does_not_answer_is_tried_again_and_then_unavailable():
    sleeps = Sleeps()
    with small() as (server, _):
        settings = settings_for(server)
    source = LdapSource(settings, waits=(2.0, 10.0), sleep=sleeps)
    with pytest.raises(SourceUnavailable):
        await source.read()
    assert sleeps == [2.0, 10.0]
    assert problems(await source.check())


async def test_a_directory_that_stops_answering_is_unavailable():
    with small(timeout=1.0) as (server, source):
        os.kill(server.process_id, signal.SIGSTOP)
        try:
            with pytest.raises(SourceUnavailable):
                await source.read()
        finally:
            os.kill(server.process_id, signal.SIGCONT)


class Disturbed(Server):
    """Something happens after the people were read, before the groups are."""

    deed: Callable[[], object] | None = None

    async def groups(
        self,
        narrowed: str | None = None,
        controls: Sequence[Control] = (),
        told: Callable[[int], object] | None = None,
        *,
        everywhere: bool = False,
    ) -> list[Entry]:
        deed, Disturbed.deed = Disturbed.deed, None
        if deed is not None:
            deed()
        return await super().groups(narrowed, controls, told, everywhere=everywhere)


async def test_who_is_renamed_while_the_directory_is_read_keeps_all_groups():
    with small() as (server, _):
        source = LdapSource(settings_for(server), waits=(), connect=Disturbed)
        anna = f"uid=anna,ou=people,{SUFFIX}"
        rename = f"dn: {ANN}\nchangetype: modrdn\nnewrdn: uid=anna\ndeleteoldrdn: 1\n\n"
        mend = change(f"cn=devs,ou=groups,{SUFFIX}", "member", [anna])
        Disturbed.deed = lambda: server.apply(rename + mend)
        snapshot = await source.read()
    assert snapshot.completeness.complete
    ids = dict(snapshot.people.select("uid", "external_id").iter_rows())
    assert ids["anna"] in set(snapshot.memberships["member_id"])
    assert "ann" not in ids


async def test_a_directory_that_dies_while_it_is_read_is_unavailable():
    with small() as (server, _):
        source = LdapSource(settings_for(server), waits=(), connect=Disturbed)
        Disturbed.deed = lambda: os.kill(server.process_id, signal.SIGKILL)
        with pytest.raises(SourceUnavailable):
            await source.read()


async def test_a_read_that_is_cancelled_ends_at_once():
    with small() as (server, source):
        os.kill(server.process_id, signal.SIGSTOP)
        try:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await source.read()
        finally:
            os.kill(server.process_id, signal.SIGCONT)


async def test_a_base_that_is_not_there_is_an_error():
    with small(people_base=f"ou=nowhere,{SUFFIX}") as (_, source):
        with pytest.raises(SourceUnreadable) as caught:
            await source.read()
        assert "ou=nowhere" in str(caught.value)


async def test_a_filter_that_is_none_is_an_error_of_the_sync_file():
    with small(people_filter="(&(objectClass=))(x)") as (_, source), pytest.raises(ConfigurationError):
        await source.read()


async def test_a_part_of_the_tree_on_another_server_makes_the_read_incomplete():
    with small(REFERRAL) as (_, source):
        snapshot = await source.read()
        assert len(snapshot.completeness.findings) == 1
        assert ELSEWHERE in snapshot.completeness.findings[0]
        assert snapshot.people.height == 2


async def test_a_part_of_the_tree_may_be_left_out_on_purpose():
    with small(REFERRAL, referrals="skip") as (_, source):
        assert (await source.read()).completeness.complete
        notes = [finding.what for finding in await source.check() if finding.level == "note"]
        assert [note for note in notes if ELSEWHERE in note]


async def test_members_who_are_neither_people_nor_groups_are_named_by_check():
    stranger = f"cn=printer,{SUFFIX}"
    with small(group(f"cn=odd,ou=groups,{SUFFIX}", ANN, stranger)) as (_, source):
        assert (await source.read()).completeness.complete
        notes = [finding.what for finding in await source.check() if finding.level == "note"]
        assert [note for note in notes if stranger in note]


async def test_check_says_when_the_product_is_another():
    with small(product="389ds", external_id="entryUUID") as (_, source):
        assert [what for what in problems(await source.check()) if "looks like openldap" in what]


async def test_entries_without_the_id_are_a_finding():
    with small(external_id="employeeNumber") as (_, source):
        snapshot = await source.read()
        assert snapshot.people.height == 0
        assert "do not show employeeNumber" in snapshot.completeness.findings[0]


async def test_without_the_library_one_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "ldap", None)
    given = {"product": "openldap", "url": "ldaps://ldap.example.org", "base": SUFFIX}
    source = LdapSource(LdapSettings.model_validate(given))
    with pytest.raises(ConfigurationError, match="cannot be loaded") as caught:
        await source.read()
    assert "libldap2-dev" in str(caught.value)
    assert problems(await source.check())
