"""A source for an invented staff service, as short as one can be that keeps every promise of `connectors.contract`.

The service lists `/people`, `/groups` and `/groups/{id}/members`. A page is `{"total": 412, "rows": [...], "next": 3}`;
`next` is null on the last one. So much the vendor's documents would say, and `total` is what proves a read whole.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Generic, Literal, TypeVar

import msgspec
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from connectors.catalog import Offer
from connectors.contract import CheckFinding, Progress
from connectors.http.answer import Answer
from connectors.http.auth import bearer
from connectors.http.client import HttpClient
from connectors.http.exchange import Params
from connectors.http.paging import Where, pages
from connectors.http.ratelimit import Sleep
from connectors.http.retry import RetryPolicy
from connectors.secret import SecretReference, resolve_secret
from directory.errors import NotFound, UsersyncError
from directory.snapshot import MEMBERSHIPS, PEOPLE, SOURCE_GROUPS, Completeness, SourceSnapshot, conform

__all__ = ["OFFER", "StaffSettings", "StaffSource"]

Row = TypeVar("Row")


class StaffSettings(BaseModel):
    """What the `source` section of a sync file may say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["staff"] = "staff"
    url: Annotated[str, Field(min_length=1)]
    """Such as https://staff.example.com."""
    token: SecretReference


class Person(msgspec.Struct):
    id: str
    login: str
    mail: str | None = None
    name: str | None = None
    employed: bool = False


class Group(msgspec.Struct):
    id: str
    title: str


class Page(msgspec.Struct, Generic[Row]):
    total: int
    rows: list[Row]
    next: int | None = None


class Numbered(Generic[Row]):
    """Follows `next`; the shared loop guards against pages that come twice or never end."""

    def __init__(self, row: type[Row]) -> None:
        self.body = Page[row]  # type: ignore[valid-type]
        self.total = 0

    def first(self, url: str, params: Params) -> Where:
        return Where(url, {**params, "page": 1})

    def rows(self, body: Page[Row]) -> list[Row]:
        return body.rows

    def following(self, here: Where, answer: Answer) -> Where | None:
        self.total = answer.value.total
        return None if answer.value.next is None else Where(here.url, {**here.params, "page": answer.value.next})


class StaffSource:
    """Fulfils `connectors.contract.Source`."""

    def __init__(
        self, settings: StaffSettings, *, retry: RetryPolicy | None = None, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._client = HttpClient(
            settings.url,
            name="the staff service",
            side="source",
            auth=bearer(resolve_secret(settings.token)),
            retry=retry,
            sleep=sleep,
        )

    async def read(self, progress: Progress | None = None) -> SourceSnapshot:
        read_at, before = datetime.now(UTC), self._client.requests
        tell = progress or (lambda _what, _count: None)
        findings: list[str] = []
        groups = {group.id: group for group in await self._list("groups", Group, findings)}
        tell("groups", len(groups))
        memberships: list[tuple[str, str]] = []
        for group in list(groups.values()):
            try:
                members = await self._list(f"groups/{group.id}/members", str, findings)
            except NotFound:
                findings.append(f"the group {group.title} vanished before its members were read")
                del groups[group.id]
                continue
            memberships += [(group.id, member) for member in members]
            tell("memberships", len(memberships))
        # People come last: whoever is a member and not among them has gone, and did not come in between.
        people = {person.id: person for person in await self._list("people", Person, findings)}
        tell("people", len(people))
        return SourceSnapshot(
            completeness=Completeness(tuple(findings)),
            read_at=read_at,
            requests=self._client.requests - before,
            people=_people_frame(list(people.values())),
            groups=pl.DataFrame(
                [(group.id, group.title) for group in groups.values()], schema=dict(SOURCE_GROUPS), orient="row"
            ),
            memberships=_memberships_frame([pair for pair in memberships if pair[1] in people]),
        )

    async def check(self) -> list[CheckFinding]:
        try:
            people = await self._client.get_json("people", {"page": 1}, decode=Page[Person])
        except UsersyncError as error:
            return [CheckFinding("problem", error.what, error.next_step)]
        return [CheckFinding("ok", f"the staff service counts {people.total} people")]

    async def close(self) -> None:
        await self._client.aclose()

    async def _list(self, path: str, row: type[Row], findings: list[str]) -> list[Row]:
        """All rows; a finding where the service counts another number than came."""
        strategy = Numbered(row)
        found = [one async for rows in pages(self._client, path, strategy) for one in rows]
        distinct = len({one if isinstance(one, str) else getattr(one, "id", None) for one in found})
        if distinct != strategy.total:
            findings.append(f"the staff service counts {strategy.total} under {path}, and {distinct} came")
        return found


OFFER = Offer(settings=StaffSettings, connect=StaffSource)
"""What the entry point `staff` of the group `usersync.sources` names."""


def _people_frame(people: list[Person]) -> pl.DataFrame:
    rows = [(one.id, one.login, one.mail, one.name, one.employed) for one in people]
    return pl.DataFrame(rows, schema=dict(PEOPLE), orient="row")


def _memberships_frame(pairs: list[tuple[str, str]]) -> pl.DataFrame:
    frame = pl.DataFrame(pairs, schema={"group_id": pl.String(), "member_id": pl.String()}, orient="row")
    return conform(frame.unique(maintain_order=True).with_columns(member_is_group=pl.lit(value=False)), MEMBERSHIPS)
