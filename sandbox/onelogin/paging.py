"""OneLogin's pages: `limit` and `page`, or a `cursor` that is nothing but those two, and counts in headers.

developers.onelogin.com, "Using query parameters" and the v2 lists. The cursor is URL-encoded in the header already.
Sent together with `limit` or `page` it is refused. The faults of a page are committed here.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlencode

from starlette.requests import Request
from starlette.responses import Response

from sandbox.control import json_answer
from sandbox.faults import FaultKind, in_another_order
from sandbox.traffic import FAULTS_KEY

XOR = "Requests can only have cursor xor pagination arguments"


class BadPage(ValueError):
    """What was asked for is no page."""


@dataclass(frozen=True)
class Asked:
    limit: int
    page: int
    fields: str | None
    updated_since: str | None
    user_ids: str | None
    username: str | None = None
    email: str | None = None


def asked(request: Request, *, default: int, most: int) -> Asked:
    """Raises BadPage."""
    query = dict(request.query_params)
    if "cursor" in query:
        if "limit" in query or "page" in query:
            raise BadPage(XOR)
        query = {**query, **_read(query["cursor"])}
    try:
        limit, page = int(query.get("limit", default)), int(query.get("page", 1))
    except ValueError as error:
        raise BadPage("limit and page must be numbers") from error
    if limit < 1 or page < 1:
        raise BadPage("limit and page must be at least 1")
    filters = (query.get(name) for name in ("fields", "updated_since", "user_ids", "username", "email"))
    return Asked(min(limit, most), page, *filters)


def moment(text: str) -> datetime:
    """Raises BadPage for what is no ISO 8601 timestamp."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadPage("updated_since must be an ISO8601 timestamp") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def page_of(
    request: Request, rows: Sequence[int], show: Callable[[int], object], wanted: Asked, *, keeps_fields: bool
) -> Response:
    start = (wanted.page - 1) * wanted.limit
    shown = list(rows[start : start + wanted.limit])
    following = wanted.page + 1 if start + wanted.limit < len(rows) else None
    struck = request.scope.get(FAULTS_KEY, {})
    if FaultKind.EMPTY_PAGE in struck:
        shown, following = [], wanted.page
    elif FaultKind.REPEATED_PAGE in struck:
        following = wanted.page
    elif FaultKind.LOST_ROW in struck:
        del shown[len(shown) // 2 : len(shown) // 2 + 1]
    elif FaultKind.DUPLICATED_ROW in struck and shown:
        shown.append(shown[len(shown) // 2])
    elif FaultKind.CHANGED_ORDER in struck:
        shown = in_another_order(rows, start, wanted.limit)
    elif FaultKind.EARLY_END in struck:
        following = None
    response = json_answer([show(row) for row in shown])
    response.headers["Total-Count"] = str(len(rows))
    response.headers["Current-Page"] = str(wanted.page)
    response.headers["Page-Items"] = str(len(shown))
    response.headers["Total-Pages"] = str(-(-len(rows) // wanted.limit))
    if following is not None:
        response.headers["After-Cursor"] = _write(wanted, following, keeps_fields=keeps_fields)
    if wanted.page > 1:
        response.headers["Before-Cursor"] = _write(wanted, wanted.page - 1, keeps_fields=keeps_fields)
    return response


def _write(wanted: Asked, page: int, *, keeps_fields: bool) -> str:
    parts = {"limit": str(wanted.limit), "page": str(page)}
    if keeps_fields:
        asked_for = {
            name: getattr(wanted, name) for name in ("fields", "updated_since", "user_ids", "username", "email")
        }
        parts |= {name: value for name, value in asked_for.items() if value is not None}
    return quote(base64.b64encode(urlencode(parts).encode()).decode(), safe="")


def _read(cursor: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(base64.b64decode(cursor, validate=True).decode(), strict_parsing=True))
    except (binascii.Error, ValueError) as error:
        raise BadPage("Invalid cursor") from error
