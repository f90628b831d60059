"""Reading a list page by page to its proven end. A strategy says where the next page is; the loop guards against
servers that never end or that give a page twice.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec

from connectors.http.answer import Answer
from connectors.http.client import HttpClient
from connectors.http.exchange import Params

__all__ = ["LinkHeader", "NextPageStart", "Offset", "Paged", "Strategy", "Where", "next_link", "pages"]

Row = TypeVar("Row")

MOST_PAGES: Final = 100_000
MOST_EMPTY_PAGES: Final = 100
"""In a row. Some servers give an empty page in the middle, since they filter after paging."""


@dataclass(frozen=True)
class Where:
    """Where a page is."""

    url: str
    params: Params = field(default_factory=dict)


class Strategy(Protocol[Row]):
    """How one API pages."""

    @property
    def body(self) -> Any:
        """The type of a page's JSON."""

    def first(self, url: str, params: Params) -> Where: ...

    def rows(self, body: Any) -> list[Row]: ...

    def following(self, here: Where, answer: Answer) -> Where | str | None:
        """The next page, None at the end, or in words why there is neither."""


async def pages(
    client: HttpClient,
    url: str,
    strategy: Strategy[Row],
    params: Params | None = None,
    headers: Mapping[str, str] | None = None,
) -> AsyncIterator[list[Row]]:
    """Yield the rows of each page; empty pages are skipped.

    Raises as `HttpClient.get_json` does, and `SourceUnreadable` or `TargetUnreadable` where a page comes again or the
    chain does not end.
    """
    where: Where | str | None = strategy.first(url, params or {})
    asked: set[tuple[object, ...]] = set()
    seen: set[tuple[int, int]] = set()
    empty = 0
    while isinstance(where, Where):
        asked.add(_key(where))
        answer = await client.get(where.url, where.params, decode=strategy.body, headers=headers)
        rows = strategy.rows(answer.value)
        empty = 0 if rows else empty + 1
        content = (len(answer.content), hash(answer.content))
        following = strategy.following(where, answer)
        problem = following if isinstance(following, str) else None
        if rows and content in seen:
            problem = "a page came a second time"
        elif isinstance(following, Where) and _key(following) in asked:
            problem = "the next page is one that was read already"
        elif empty > MOST_EMPTY_PAGES or len(asked) > MOST_PAGES:
            problem = f"the list does not end ({len(asked)} pages so far, the last {empty} empty)"
        if problem:
            raise client.failures.unreadable(f"GET {answer.url}", problem)
        seen.add(content)
        if rows:
            yield rows
        where = following


def _key(where: Where) -> tuple[object, ...]:
    return (where.url, *sorted((name, str(value)) for name, value in where.params.items()))


_LINK: Final = re.compile(r"<([^>]*)>([^<]*)")
_NEXT: Final = re.compile(r";\s*rel\s*=\s*\"?(?:[^\",;]*\s)?next(?:\s[^\",;]*)?\"?\s*(?:[,;]|$)", re.IGNORECASE)


def next_link(answer: Answer) -> str | None:
    """The target of `rel="next"` (RFC 8288); links may come on one header line or on several."""
    for line in answer.headers.get_list("link"):
        for target, attributes in _LINK.findall(line):
            if _NEXT.search(attributes):
                return str(target)
    return None


class LinkHeader(Generic[Row]):
    """Follows `Link: <...>; rel="next"`, as Okta does. The body is a list of rows."""

    def __init__(self, row: type[Row]) -> None:
        self.body = list[row]  # type: ignore[valid-type]

    def first(self, url: str, params: Params) -> Where:
        return Where(url, params)

    def rows(self, body: list[Row]) -> list[Row]:
        return body

    def following(self, here: Where, answer: Answer) -> Where | None:  # noqa: ARG002 the protocol's signature
        link = next_link(answer)
        return None if link is None else Where(link)


class Offset(Generic[Row]):
    """Counts rows: `first=0&max=100`, then `first=100`. The body is a list of rows.

    It ends at a page that is not full, or, where a server filters after paging, with `until_empty` at an empty one.
    Rows may shift between pages while somebody writes: whoever reads compares ids and counts.
    """

    def __init__(
        self,
        row: type[Row],
        size: int,
        *,
        start_name: str = "first",
        size_name: str = "max",
        until_empty: bool = False,
    ) -> None:
        self.body = list[row]  # type: ignore[valid-type]
        self._size = size
        self._start_name = start_name
        self._size_name = size_name
        self._until_empty = until_empty

    def first(self, url: str, params: Params) -> Where:
        return Where(url, {**params, self._start_name: 0, self._size_name: self._size})

    def rows(self, body: list[Row]) -> list[Row]:
        return body

    def following(self, here: Where, answer: Answer) -> Where | None:
        count = len(answer.value)
        if count == 0 or (count < self._size and not self._until_empty):
            return None
        start = here.params[self._start_name]
        if not isinstance(start, int):
            raise TypeError(f"{self._start_name} is {start!r}")
        return Where(here.url, {**here.params, self._start_name: start + self._size})


class Paged(msgspec.Struct, Generic[Row], rename={"is_last_page": "isLastPage", "next_page_start": "nextPageStart"}):
    """A page of Atlassian's REST APIs. `limit` is what the server made of ours."""

    values: list[Row]
    is_last_page: bool
    next_page_start: int | None = None
    size: int | None = None
    limit: int | None = None


class NextPageStart(Generic[Row]):
    """Follows `nextPageStart` until `isLastPage`, as Bitbucket does, and never counts rows itself: rows that the caller
    may not see are filtered after paging. The body is a `Paged`.
    """

    def __init__(self, row: type[Row], limit: int) -> None:
        self.body = Paged[row]  # type: ignore[valid-type]
        self._limit = limit

    def first(self, url: str, params: Params) -> Where:
        return Where(url, {**params, "start": 0, "limit": self._limit})

    def rows(self, body: Paged[Row]) -> list[Row]:
        return body.values

    def following(self, here: Where, answer: Answer) -> Where | str | None:
        page: Paged[Row] = answer.value
        if page.is_last_page:
            return None
        if page.next_page_start is None:
            return "a page that is not the last one names no next one"
        return Where(here.url, {**here.params, "start": page.next_page_start})
