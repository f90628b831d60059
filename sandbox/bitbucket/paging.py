"""Pages: `start` and `limit` in, the documented page body out."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from sandbox.bitbucket.exchange import Call, Reply
from sandbox.bitbucket.refusals import invalid
from sandbox.bitbucket.switches import Switches

DEFAULT_LIMIT = 25


class Keys(Protocol):
    def __len__(self) -> int: ...
    def __getitem__(self, wanted: slice, /) -> list[str]: ...


class Window(NamedTuple):
    """Which rows a page shows, and where the next page starts (None on the last one)."""

    first: int
    end: int
    next_start: int | None


def window(switches: Switches, total: int, start: int, limit: int) -> Window:
    """In the filtered modes every k-th raw row is one that the caller may not see; starts count raw rows."""
    if switches.page_mode == "plain":
        end = start + limit
        return Window(start, end, end if end < total else None)
    every = switches.hidden_every

    def seen_before(raw: int) -> int:
        return raw - raw // every

    def raw_place(seen: int) -> int:
        return seen + seen // (every - 1)

    first = seen_before(start)
    if switches.page_mode == "filtered_full":
        end = first + limit
        return Window(first, end, raw_place(end) if end < total else None)
    raw_end = start + limit
    is_last = total == 0 or raw_end > raw_place(total - 1)
    return Window(first, seen_before(raw_end), None if is_last else raw_end)


def page(call: Call, keys: Keys, encode: Callable[[str], bytes]) -> Reply:
    """One page of `keys`, each value encoded by `encode`; the limit is lowered to the cap in silence."""
    start = _number(call, "start", 0, at_least=0)
    limit = min(_number(call, "limit", DEFAULT_LIMIT, at_least=1), call.switches.page_cap)
    first, end, next_start = window(call.switches, len(keys), start, limit)
    values = [encode(key) for key in keys[slice(first, end)]]
    is_last = b"true" if next_start is None else b"false"
    body = b'{"size":%d,"limit":%d,"isLastPage":%b,"values":[%b],"start":%d' % (
        len(values),
        limit,
        is_last,
        b",".join(values),
        start,
    )
    if next_start is not None:
        body += b',"nextPageStart":%d' % next_start
    elif call.switches.last_page_next == "null":
        body += b',"nextPageStart":null'
    return Reply(200, body + b"}")


def _number(call: Call, name: str, default: int, *, at_least: int) -> int:
    text = call.param(name)
    if text is None:
        return default
    try:
        number = int(text)
    except ValueError:
        raise invalid(name, f"{text} is not a number.") from None
    if number < at_least:
        raise invalid(name, f"{name} must be {at_least} or more.")
    return number
