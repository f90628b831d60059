"""Lists that are paged by offset, read so that a row which moved between two pages is noticed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any, Generic, Protocol, TypeVar

from connectors.http.client import HttpClient, Params

__all__ = ["Listing", "Row", "read_list", "together"]

T = TypeVar("T")


class HasId(Protocol):
    @property
    def id(self) -> str: ...


Row = TypeVar("Row", bound=HasId)


@dataclass(frozen=True)
class Listing(Generic[Row]):
    """Rows by id, in the server's order."""

    rows: dict[str, Row]
    linked: bool
    """Whether each page began with the row that the page before it had seen coming, and the last one ended."""


async def read_list(
    client: HttpClient,
    url: str,
    row: type[Row],
    size: int,
    *,
    params: Params | None = None,
    promised: int = 0,
    tell: Callable[[int], None] = lambda _count: None,
) -> Listing[Row]:
    """Read all pages; those that hold what is `promised` at the same time, what follows one after the other.

    Every page is asked for with one row more than it is good for, which must be the first row of the next page.
    Somebody who is deleted or renamed meanwhile moves everybody behind them by one, and whoever moved from a page not
    yet read into one that was would be missed: the pages do not link then. `tell` hears how many rows each page had.
    """

    async def page(number: int) -> list[Row]:
        asked = {**(params or {}), "first": number * size, "max": size + 1}
        rows = await client.get_json(url, asked, decode=list[row])  # type: ignore[valid-type]
        tell(min(len(rows), size))
        return rows

    pages = await together(page(number) for number in range(-(-promised // size)))
    rows = {found.id: found for found in chain.from_iterable(pages)}
    while not pages or len(pages[-1]) > size:
        pages.append(await page(len(pages)))
        known = len(rows)
        rows.update((found.id, found) for found in pages[-1])
        if len(rows) == known:
            # Nothing new: the list has ended, or the server gives the same page for ever.
            break
    ended = len(pages[-1]) <= size
    return Listing(rows, ended and all(_ids(before[size:]) == _ids(after[:1]) for before, after in pairwise(pages)))


def _ids(rows: list[Row]) -> list[str]:
    return [row.id for row in rows]


async def together(waiting: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All results in order. The first error ends the others and is raised as it is."""
    tasks = [asyncio.ensure_future(one) for one in waiting]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
