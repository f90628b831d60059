"""One declared list: its pages as rows of values, and what it cannot prove."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from connectors.http.answer import Answer
from connectors.http.client import HttpClient
from connectors.http.declared_paging import (
    Counted,
    Cursor,
    Declared,
    LinkInBody,
    LinkInHeader,
    NoRows,
    PageNumber,
    SinglePage,
    Step,
)
from connectors.http.paging import Where, pages
from connectors.sources.rest.settings import Paging, Request
from connectors.tables.json_path import MISSING, JsonPath
from directory.errors import SourceUnreadable

__all__ = ["FirstPage", "Listing"]

Row = tuple[Any, ...]


class FirstPage:
    """What `usersync check` looks at."""

    def __init__(self, rows: list[Row], total: int | None, following: Where | str | None) -> None:
        self.rows = rows
        self.total = total
        self.is_last = following is None
        self.problem = following if isinstance(following, str) else None


class Listing:
    """Reads a `Request` as often as it is asked to."""

    def __init__(self, client: HttpClient, request: Request, fields: Mapping[str, str]) -> None:
        """`fields`: column to the place of its value in a row."""
        self._client = client
        self._request = request
        self.path = request.path
        self._rows = JsonPath(request.rows)
        self._fields = {name: JsonPath(place) for name, place in fields.items()}
        self.seen = 0
        """Rows so far, in all lists."""
        self.present: set[str] = set()
        """Columns that some row had, were it as null."""

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self._fields)

    @property
    def is_counted(self) -> bool:
        """Whether the API tells how many rows there are."""
        return self._request.total is not None or self._request.total_header is not None

    async def pages(self, path: str | None = None) -> AsyncIterator[tuple[list[Row], Declared]]:
        """The rows of each page, and the strategy with what it has counted.

        Raises as `connectors.http.paging.pages` does.
        """
        path = path or self.path
        strategy = self._strategy()
        try:
            async for rows in pages(self._client, path, strategy, self._request.query):
                yield [self._row(row) for row in rows], strategy
            if not strategy.seen:
                yield [], strategy
        except NoRows:
            raise self._no_rows(path) from None

    async def first_page(self, path: str | None = None) -> FirstPage:
        """Raises as `pages` does."""
        path = path or self.path
        strategy = self._strategy()
        where = strategy.first(path, self._request.query)
        answer = await self._client.get(where.url, where.params, decode=strategy.body)
        try:
            rows = [self._row(row) for row in strategy.rows(answer.value)]
        except NoRows:
            raise self._no_rows(path) from None
        following = strategy.following(where, answer)
        return FirstPage(rows, strategy.total, following)

    def _row(self, row: Any) -> Row:
        self.seen += 1
        values = []
        for name, place in self._fields.items():
            value = place.find(row)
            if value is MISSING:
                value = None
            else:
                self.present.add(name)
            values.append(value)
        return tuple(values)

    def _strategy(self) -> Declared:
        request = self._request

        def rows_of(body: Any) -> list[Any] | None:
            found = self._rows.rows(body)
            return [] if found is None and request.absent_is_empty else found

        return Declared(rows_of, _step(request.paging), self._total() if self.is_counted else None)

    def _total(self) -> Callable[[Answer], int | None]:
        header, place = self._request.total_header, JsonPath(self._request.total or "$")
        if header is not None:
            return lambda answer: _count(answer.headers.get(header))
        return lambda answer: _count(place.find(answer.value))

    def _no_rows(self, path: str) -> SourceUnreadable:
        return SourceUnreadable(
            f"the answer has no list at {self._request.rows!r}",
            subject=f"GET {path}",
            not_done="nothing was read, so nothing is changed",
            next_step="compare `rows` in the sync file with an answer; set absent_is_empty where none means no rows",
        )


def _step(paging: Paging) -> Step:
    if paging.type == "next_link" and paging.link is not None:
        return LinkInBody(_optional(paging.link))
    if paging.type == "link_header":
        return LinkInHeader()
    if paging.parameter is None:
        return SinglePage()
    if paging.type == "cursor" and paging.cursor is not None:
        return Cursor(_optional(paging.cursor), paging.parameter)
    by_page = paging.type == "page"
    start = paging.start if paging.start is not None else int(by_page)
    return (PageNumber if by_page else Counted)(
        paging.parameter,
        start,
        size_parameter=paging.size_parameter,
        size=paging.size or 0,
        ends_at_short_page=paging.ends_at_short_page,
    )


def _optional(place: str) -> Callable[[Any], Any]:
    path = JsonPath(place)

    def find(document: Any) -> Any:
        found = path.find(document)
        return None if found is MISSING else found

    return find


def _count(value: Any) -> int | None:
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
