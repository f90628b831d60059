"""What the source reads from a real domain controller is what was put into it."""

import math

import polars as pl
import pytest

from connectors.sources.ldap import LdapSettings, LdapSource
from connectors.sources.ldap.server import Server
from directory.errors import CredentialsRefused, SourceUnavailable, SourceUnreadable
from directory.snapshot import SourceSnapshot
from tests.company_in_ad import account_name, group_dn, groups_base, is_disabled, people_base, person_dn
from tests.contract.person_contract import assert_one
from tests.e2e.samba_company import EVERYBODY, PASSWORD_VARIABLE, SambaCompany
from tests.e2e.samba_unit import Unit
from tests.samba import READER

pytestmark = pytest.mark.xdist_group("samba")


@pytest.fixture(autouse=True)
def secret(samba_server: SambaCompany, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, samba_server.server.password)


@pytest.fixture
def unit(samba_server: SambaCompany) -> Unit:
    return Unit(samba_server.server)


async def snapshot(of: SambaCompany, account: str = READER, **changed) -> SourceSnapshot:
    return await of.source(account, **changed).read()


def edges(read: SourceSnapshot, *, of_groups: bool) -> set[tuple[str, str]]:
    rows = read.memberships.filter(pl.col("member_is_group") == of_groups)
    return set(rows.select("group_id", "member_id").iter_rows())


async def test_everybody_is_read_by_guid_and_whoever_is_disabled_is_not_active(samba_server: SambaCompany):
    server, company = samba_server.server, samba_server.company
    read = await snapshot(samba_server)
    ids = server.ids(people_base(server.suffix))
    assert read.completeness.findings == ()
    columns = ("external_id", "username", "email", "display_name", "given_name", "family_name", "department", "active")
    assert set(read.people.select(columns).iter_rows()) == {
        (
            ids[person_dn(person, server.suffix)],
            account_name(person),
            person.email,
            person.display_name,
            person.first,
            person.last,
            person.department,
            not is_disabled(person),
        )
        for person in company.people.values()
    }
    assert 0 < read.people["active"].sum() < len(company.people)


async def test_direct_members_and_groups_within_groups_are_read_as_they_stand(samba_server: SambaCompany):
    server, company = samba_server.server, samba_server.company
    read = await snapshot(samba_server)
    ids = server.ids(f"OU=Company,{server.suffix}")
    of = {key: ids[group_dn(group, server.suffix)] for key, group in company.groups.items()}
    who = {key: ids[person_dn(person, server.suffix)] for key, person in company.people.items()}
    everybody = ids[f"CN={EVERYBODY},{groups_base(server.suffix)}"]
    assert set(read.groups["group_id"]) == {*of.values(), everybody}
    expected = {(of[group], who[member]) for group, members in company.direct.items() for member in members}
    assert edges(read, of_groups=False) == expected | {(everybody, one) for one in who.values()}
    nested = {(of[group.parent], of[key]) for key, group in company.groups.items() if group.parent}
    assert edges(read, of_groups=True) == nested
    assert nested


async def test_pages_of_a_thousand_and_no_round_trip_too_many(samba_server: SambaCompany):
    people, groups = len(samba_server.company.people), len(samba_server.company.groups) + 1
    read = await snapshot(samba_server, incremental="off")
    bind, root, what_changed_meanwhile = 1, 1, 2
    pages = math.ceil(people / 1000) + math.ceil(groups / 1000)
    assert read.requests == bind + root + what_changed_meanwhile + pages
    small = await snapshot(samba_server, page_size=100)
    assert small.requests > read.requests + 10
    assert small.people.equals(read.people)
    assert small.memberships.equals(read.memberships)


async def test_a_list_of_members_in_ranges_is_put_together(samba_server: SambaCompany):
    # Samba gives ranges where it is asked for them; Active Directory gives them unasked, 1500 at a time.
    settings = samba_server.settings()
    dn = f"CN={EVERYBODY},{groups_base(samba_server.server.suffix)}"
    async with Server(settings) as server:
        asked = ["objectGUID", "uSNChanged", "member;range=0-499"]
        (entry,) = (await server.search(dn, "base", "(objectClass=*)", asked)).entries
        assert "member" not in entry.attributes
        sent = server.requests
        whole = await server.whole(entry, "member")
        assert server.findings == []
    assert whole is not None
    assert len(set(whole.texts("member"))) == len(samba_server.company.people)
    assert server.requests == sent + 1


async def test_a_primary_group_has_its_people_though_no_list_names_them(samba_server: SambaCompany, unit: Unit):
    (person, colleague), (group,) = unit.hire(2), unit.found()
    unit.join_or_quit(group, colleague)
    unit.make_primary(person, group)
    ids = unit.server.ids(unit.base)
    read = await snapshot(samba_server, base=unit.base)
    held = {(ids[unit.dn(group)], ids[unit.dn(name)]) for name in (person, colleague)}
    assert edges(read, of_groups=False) == held
    without = await snapshot(samba_server, base=unit.base, primary_groups=False)
    assert edges(without, of_groups=False) == {(ids[unit.dn(group)], ids[unit.dn(colleague)])}


async def test_domain_users_are_everybody_where_the_whole_domain_is_read(samba_server: SambaCompany):
    read = await snapshot(samba_server, base=samba_server.server.suffix)
    (domain_users,) = read.groups.filter(pl.col("name") == "Domain Users")["group_id"]
    in_it = {member for group, member in edges(read, of_groups=False) if group == domain_users}
    everyone = set(read.people.filter(pl.col("username") != "Guest")["external_id"])
    assert in_it == everyone
    assert len(everyone) > len(samba_server.company.people)


async def test_the_domains_own_zones_are_referrals_that_leave_nothing_out(samba_server: SambaCompany):
    source = samba_server.source(base=samba_server.server.suffix)
    read = await source.read()
    assert read.completeness.findings == ()
    findings = await source.check()
    assert [finding for finding in findings if finding.level == "problem"] == []
    assert any("on other servers" in finding.what and "CN=Configuration" in finding.what for finding in findings)


async def test_starttls_is_as_good_as_ldaps(samba_server: SambaCompany):
    read = await snapshot(samba_server, url=samba_server.server.url)
    assert read.people.height == len(samba_server.company.people)


async def test_a_certificate_of_an_unknown_authority_gets_no_password(samba_server: SambaCompany):
    for url in (samba_server.server.url, samba_server.server.ldaps_url):
        with pytest.raises((SourceUnreadable, SourceUnavailable)):
            await snapshot(samba_server, url=url, ca_file=None)


async def test_a_wrong_password_is_said_and_not_tried_again(
    samba_server: SambaCompany, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(PASSWORD_VARIABLE, "not-it")
    with pytest.raises(CredentialsRefused):
        await snapshot(samba_server)
    (finding,) = await samba_server.source().check()
    assert finding.level == "problem"
    assert "not-it" not in finding.what


async def test_check_says_how_many_there_are_and_how_changes_are_found(samba_server: SambaCompany):
    company = samba_server.company
    said = " | ".join(f"{finding.level}: {finding.what}" for finding in await samba_server.source().check())
    out = sum(map(is_disabled, company.people.values()))
    assert "problem" not in said
    assert f"{len(company.people)} people" in said
    assert f"{out} of them shut out" in said
    assert "ok: what changed since the last read is found by dirsync" in said


async def test_check_says_which_right_is_missing_for_learning_of_changes(samba_server: SambaCompany):
    findings = await samba_server.source(READER).check()
    (note,) = [finding for finding in findings if finding.level == "note" and "every read" in finding.what]
    assert "does not see deleted objects" in note.what
    assert note.next_step


async def test_a_server_of_another_kind_than_the_settings_say_is_a_problem(samba_server: SambaCompany):
    given = samba_server.settings().model_dump(exclude={"product"})
    findings = await LdapSource(LdapSettings(product="openldap", **given), waits=()).check()
    assert any("looks like active-directory" in finding.what for finding in findings if finding.level == "problem")


async def test_a_restart_is_an_outage_and_nothing_more(samba_server: SambaCompany):
    source = samba_server.source()
    before = await source.read_all()
    samba_server.server.stop()
    try:
        with pytest.raises(SourceUnavailable):
            await source.read()
    finally:
        samba_server.server.start()
    after = await source.read_changes(before)
    assert after is not None
    assert after.snapshot.people.equals((await source.read()).people)


async def test_one_person_and_their_groups_are_what_a_full_read_shows(samba_server: SambaCompany):
    source = samba_server.source(READER)
    whole = await source.read()
    for row in whole.people.sort("external_id")[::20].iter_rows(named=True):
        external_id = row["external_id"]
        assert_one(await source.read_person(external_id, by_id=True), whole, external_id)
        assert_one(await source.read_person(row["username"]), whole, external_id)
    nobody = await source.read_person("00000000-0000-4000-8000-00000000dead", by_id=True)
    assert nobody.completeness.complete
    assert nobody.people.is_empty()
    some = whole.groups[::5]
    assert (await source.find_groups(list(some["name"]))).groups.equals(some)
