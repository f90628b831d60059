"""Paging through any JSON, where what is a row and what leads on are declared and not types of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol
from urllib.parse import urljoin

from connectors.http.answer import Answer
from connectors.http.exchange import Params
from connectors.http.paging import Where, next_link

__all__ = ["Counted", "Cursor", "Declared", "LinkInBody", "LinkInHeader", "NoRows", "PageNumber", "SinglePage", "Step"]

_ENDS: Final = (None, "", False)


class NoRows(Exception):
    """A page has no rows where they are said to be."""


class Step(Protocol):
    """How one API gets from a page to the next."""

    def first(self, params: Params) -> Params:
        """What the first page is asked with."""

    def following(self, here: Where, answer: Answer, *, count: int, done: bool) -> Where | str | None:
        """As `paging.Strategy.following`; `count` rows came with this page, and `done` says that as many as were
        promised have come by now."""


class Declared:
    """A `paging.Strategy` for rows of any kind.

    `rows_of` gives None where a page has none at the place: that is an error of class `NoRows`, never an empty list.
    `total_of`, where an API counts for us, gives None where the count is missing, which ends the read as well.
    """

    body: Any = Any

    def __init__(
        self,
        rows_of: Callable[[Any], list[Any] | None],
        step: Step,
        total_of: Callable[[Answer], int | None] | None = None,
    ) -> None:
        self._rows_of = rows_of
        self._step = step
        self._total_of = total_of
        self._count = 0
        self.seen = 0
        self.total: int | None = None
        """The promise of the latest page."""

    def first(self, url: str, params: Params) -> Where:
        return Where(url, self._step.first(params))

    def rows(self, body: Any) -> list[Any]:
        """Raises `NoRows`."""
        found = self._rows_of(body)
        if found is None:
            raise NoRows
        self._count = len(found)
        self.seen += self._count
        return found

    def following(self, here: Where, answer: Answer) -> Where | str | None:
        if self._total_of is not None:
            self.total = self._total_of(answer)
            if self.total is None:
                return "the number of all rows is not where it is said to be"
        done = self.total is not None and self.seen >= self.total
        return self._step.following(here, answer, count=self._count, done=done)


class SinglePage:
    """The whole list comes at once."""

    def first(self, params: Params) -> Params:
        return params

    def following(self, here: Where, answer: Answer, *, count: int, done: bool) -> Where | str | None:  # noqa: ARG002 the protocol's signature
        return None


class LinkInBody:
    """The body holds the next page's address, absolute or relative to this page's."""

    def __init__(self, link_of: Callable[[Any], Any]) -> None:
        self._link_of = link_of

    def first(self, params: Params) -> Params:
        return params

    def following(self, here: Where, answer: Answer, *, count: int, done: bool) -> Where | str | None:  # noqa: ARG002 the protocol's signature
        link = self._link_of(answer.value)
        if link in _ENDS:
            return None
        return Where(urljoin(answer.url, link)) if isinstance(link, str) else "the link to the next page is no text"


class LinkInHeader:
    """`Link: <...>; rel="next"` (RFC 8288)."""

    def first(self, params: Params) -> Params:
        return params

    def following(self, here: Where, answer: Answer, *, count: int, done: bool) -> Where | str | None:  # noqa: ARG002 the protocol's signature
        link = next_link(answer)
        return None if link is None else Where(urljoin(answer.url, link))


class Cursor:
    """The body holds what the next page is asked with."""

    def __init__(self, cursor_of: Callable[[Any], Any], parameter: str) -> None:
        self._cursor_of = cursor_of
        self._parameter = parameter

    def first(self, params: Params) -> Params:
        return params

    def following(self, here: Where, answer: Answer, *, count: int, done: bool) -> Where | str | None:  # noqa: ARG002 the protocol's signature
        cursor = self._cursor_of(answer.value)
        if cursor in _ENDS:
            return None
        if not isinstance(cursor, str | int):
            return "the cursor of the next page is neither text nor a number"
        return Where(here.url, {**here.params, self._parameter: cursor})


class PageNumber:
    """Counts pages. It ends when all that was promised has come, or at an empty page.

    A page that is not full is no end, since a server may give fewer rows than it was asked for; with
    `ends_at_short_page` it is, which saves a request a list where the server is known to give `size`.
    """

    def __init__(
        self, parameter: str, start: int, *, size_parameter: str | None, size: int, ends_at_short_page: bool = False
    ) -> None:
        self._parameter = parameter
        self._start = start
        self._size_parameter = size_parameter
        self._size = size
        self._ends_at_short_page = ends_at_short_page

    def first(self, params: Params) -> Params:
        size = {} if self._size_parameter is None else {self._size_parameter: self._size}
        return {**params, **size, self._parameter: self._start}

    def following(self, here: Where, answer: Answer, *, count: int, done: bool) -> Where | str | None:  # noqa: ARG002 the protocol's signature
        if done or count == 0 or (self._ends_at_short_page and count < self._size):
            return None
        number = here.params[self._parameter]
        if not isinstance(number, int):
            raise TypeError(f"{self._parameter} is {number!r}")
        return Where(here.url, {**here.params, self._parameter: number + self._advance(count)})

    def _advance(self, count: int) -> int:  # noqa: ARG002 for those who count rows
        return 1


class Counted(PageNumber):
    """Counts rows: the next page begins behind the last row that came, whatever number was asked for."""

    def _advance(self, count: int) -> int:
        return count
