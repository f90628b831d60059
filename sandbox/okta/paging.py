"""Pages with Okta's Link headers: one header line per relation, an opaque cursor, `next` only while more follows.

The faults of a page are committed here, because only here is it known what the next page would have been.
"""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from sandbox.faults import FaultKind, in_another_order
from sandbox.traffic import FAULTS_KEY

CURSOR_PREFIX = b"k1:"


class BadCursor(ValueError):
    """The `after` of the request was not made here."""


@dataclass(frozen=True)
class Asked:
    """What a request wants: up to `limit` rows after the id `after`."""

    after: str
    limit: int


def asked(request: Request, *, default: int, most: int) -> Asked:
    """More than `most` is cut to it, as Okta does. Raises ValueError for a limit below one, BadCursor for `after`."""
    limit = int(request.query_params.get("limit", default))
    if limit < 1:
        raise ValueError("the limit must be at least 1")
    cursor = request.query_params.get("after")
    return Asked(_read_cursor(cursor) if cursor else "", min(limit, most))


def page(
    request: Request,
    ids: Sequence[str],
    show: Callable[[str], object],
    wanted: Asked,
    chosen: Callable[[str], bool] = lambda _: True,
) -> Response:
    """One page of the sorted `ids` that are `chosen`, with Link headers."""
    found: list[str] = []
    for index in range(bisect_right(ids, wanted.after), len(ids)):
        if chosen(ids[index]):
            found.append(ids[index])
            if len(found) > wanted.limit:
                break
    rows, cursor = found[: wanted.limit], found[wanted.limit - 1] if len(found) > wanted.limit else None
    if FaultKind.CHANGED_ORDER in request.scope.get(FAULTS_KEY, {}):
        everything = [each for each in ids if chosen(each)]
        rows = in_another_order(everything, bisect_right(everything, wanted.after), wanted.limit)
    rows, cursor = _with_faults(request, rows, cursor, wanted)
    response = answer([show(row) for row in rows])
    response.headers.append("link", f'<{request.url}>; rel="self"')
    if cursor is not None:
        response.headers.append("link", f'<{next_url(request, cursor)}>; rel="next"')
    return response


def next_url(request: Request, cursor: str) -> str:
    if not cursor:
        return str(request.url.remove_query_params("after"))
    return str(request.url.include_query_params(after=write_cursor(cursor)))


def answer(content: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")


def write_cursor(text: str) -> str:
    return base64.urlsafe_b64encode(CURSOR_PREFIX + text.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> str:
    try:
        plain = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except (binascii.Error, ValueError) as error:
        raise BadCursor("after") from error
    if not plain.startswith(CURSOR_PREFIX):
        raise BadCursor("after")
    return plain.removeprefix(CURSOR_PREFIX).decode()


def _with_faults(request: Request, rows: list[str], cursor: str | None, wanted: Asked) -> tuple[list[str], str | None]:
    struck = request.scope.get(FAULTS_KEY, {})
    if FaultKind.EMPTY_PAGE in struck:
        return [], wanted.after
    if FaultKind.REPEATED_PAGE in struck:
        return rows, wanted.after
    if FaultKind.LOST_ROW in struck and rows:
        rows = [*rows[: len(rows) // 2], *rows[len(rows) // 2 + 1 :]]
    if FaultKind.DUPLICATED_ROW in struck and rows:
        rows = [*rows, rows[len(rows) // 2]]
    if FaultKind.EARLY_END in struck:
        cursor = None
    return rows, cursor
