"""What only a declared API has: places that are wrong, counts that are not there, one list of all pairs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from connectors.http.retry import RetryPolicy
from connectors.sources.rest import RestSettings, RestSource
from directory.errors import ConfigurationError, SourceUnreadable
from directory.snapshot import SourceSnapshot
from sandbox.company import Company
from sandbox.faults import Fault, FaultKind
from sandbox.population import company as found_company
from tests.contract.paged_service import PagedService, Way
from tests.contract.test_rest_source import PAGING, declared


@pytest.fixture
def firm() -> Company:
    return found_company(people=60, groups=8)


@contextmanager
def staged(firm: Company, way: Way = "next_link", **changes: Any) -> Iterator[tuple[PagedService, RestSource]]:
    """`changes`: replaced keys of a list, such as `people={"total": None}`."""
    service = PagedService(firm, way, page_size=7)
    with service.served() as url:
        raw = declared(url, way).model_dump()
        for name, keys in changes.items():
            raw[name] = {**raw[name], **keys} if isinstance(keys, dict) else keys
        settings = RestSettings.model_validate(raw_without_defaults(raw))
        yield service, RestSource(settings, retry=RetryPolicy(attempts=2, first_delay=0.01))


def raw_without_defaults(raw: dict[str, Any]) -> dict[str, Any]:
    """As a sync file would have it: keys that say nothing are not there."""
    kept = {}
    for key, value in raw.items():
        if isinstance(value, dict):
            kept[key] = raw_without_defaults(value)
        elif value is not None and value is not False:
            kept[key] = value
    return kept


async def snapshot_of(source: RestSource) -> SourceSnapshot:
    try:
        return await source.read()
    finally:
        await source.close()


PAIRS = {"path": "/memberships", "fields": {"group_id": "group", "member_id": "id", "member_is_group": "type"}}


@pytest.mark.parametrize("way", PAGING)
async def test_one_list_of_all_pairs_gives_the_same_as_a_list_a_group(firm: Company, way: Way) -> None:
    with staged(firm, way, memberships=PAIRS) as (service, source):
        pairs = await snapshot_of(source)
        assert not [seen for seen in service.app.requests if seen.path.endswith("/members")]
    with staged(firm, way) as (_, source):
        lists = await snapshot_of(source)
    order = ["group_id", "member_id"]
    assert pairs.completeness.findings == lists.completeness.findings == ()
    assert pairs.memberships.sort(order).equals(lists.memberships.sort(order))


async def test_without_a_list_of_groups_those_that_have_members_are_known(firm: Company) -> None:
    with staged(firm, memberships=PAIRS, groups=None) as (_, source):
        snapshot = await snapshot_of(source)
    assert snapshot.completeness.findings == ()
    assert set(snapshot.groups["group_id"]) == set(snapshot.groups["name"]) <= set(firm.groups)
    assert set(snapshot.memberships["group_id"]) <= set(snapshot.groups["group_id"])


async def test_numbers_are_ids_and_lists_attributes(firm: Company) -> None:
    fields = {"external_id": "id", "username": "login", "email": "contact.mail"}
    with staged(firm, people={"fields": fields}, memberships={"total": "meta.total"}) as (_, source):
        people = (await snapshot_of(source)).people
    assert set(people["external_id"]) == {str(int(one.employee_number)) for one in firm.people.values()}
    assert people["active"].all()
    assert people["display_name"].null_count() == people.height
    assert people["skills"][0][0] == "git"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"people": {"rows": "data.things"}}, "no list at 'data.things'"),
        ({"people": {"total": "meta.totl"}}, "number of all rows is not where it is said to be"),
        ({"people": {"path": "/persons"}}, "no such object"),
        ({"people": {"fields": {"external_id": "key", "email": "contact.post"}}}, "what `fields` says of email"),
        ({"groups": {"fields": {"group_id": "id", "name": "label"}}}, "what `fields` says of name"),
        ({"people": {"paging": {"type": "next_link", "link": "meta.total"}}}, "next page is no text"),
    ],
)
async def test_a_place_that_is_wrong_ends_the_read(firm: Company, changes: dict[str, Any], said: str) -> None:
    with staged(firm, **changes) as (_, source):
        with pytest.raises(SourceUnreadable, match=said) as caught:
            await source.read()
        assert [finding for finding in await source.check() if finding.level != "ok"]
        await source.close()
    assert caught.value.next_step


async def test_rows_may_be_absent_where_the_sync_file_says_so(firm: Company) -> None:
    nobody = found_company(people=0, groups=4)
    with staged(nobody, people={"rows": "data.nothing", "absent_is_empty": True}) as (_, source):
        snapshot = await snapshot_of(source)
    assert snapshot.completeness.complete
    assert snapshot.people.height == 0


async def test_without_a_count_a_row_that_comes_twice_is_a_doubt(firm: Company) -> None:
    with staged(firm, people={"total": None}) as (service, source):
        service.faults.add(Fault(FaultKind.DUPLICATED_ROW, "/people$"))
        snapshot = await snapshot_of(source)
    assert any("came twice" in finding for finding in snapshot.completeness.findings)


async def test_a_header_may_tell_the_count(firm: Company) -> None:
    with staged(firm, people={"total": None, "total_header": "X-Total-Count"}) as (service, source):
        service.faults.add(Fault(FaultKind.EARLY_END, "/people$"))
        findings = (await snapshot_of(source)).completeness.findings
    assert any("counts 60 at /people, and 6 came" in finding for finding in findings)


@pytest.mark.parametrize(("short", "requests"), [(True, 9), (False, 10)])
async def test_a_short_page_ends_a_list_only_where_it_is_said_to(firm: Company, short: bool, requests: int) -> None:
    paging = {**PAGING["offset"], "size_parameter": "size", "size": 7, "ends_at_short_page": short}
    with staged(firm, "offset", people={"total": None, "paging": paging}) as (service, source):
        snapshot = await snapshot_of(source)
        assert len(service.app.requests.to("/hr/people")) == requests
    assert snapshot.completeness.complete
    assert snapshot.people.height == 60


async def test_check_shows_counts_and_doubts(firm: Company) -> None:
    changes: dict[str, Any] = {"people": {"attributes": {"town": "village"}}, "groups": {"total": None}}
    with staged(firm, **changes) as (_, source):
        findings = await source.check()
        await source.close()
    said = "\n".join(finding.what for finding in findings)
    assert "`people`: 7 of 60 rows at /people; a further page follows" in said
    assert "no row of the first page has what is declared for town" in said
    assert "`groups`: the API is not asked how many rows there are" in said
    assert all(finding.next_step for finding in findings if finding.level != "ok")


async def test_a_secret_that_is_not_there_is_a_mistake_of_the_sync_file(firm: Company) -> None:
    with staged(firm, auth={"type": "bearer", "token": "env:NOT_SET_ANYWHERE"}) as (_, source):
        with pytest.raises(ConfigurationError):
            await source.read()
        assert [finding.level for finding in await source.check()] == ["problem"]
