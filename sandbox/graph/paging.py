"""Pages as Graph gives them: `value`, and an opaque `@odata.nextLink` while more follows.

The faults of a page are committed here, because only here is it known what the next page would have been.
"""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import TypeVar
from urllib.parse import quote

import msgspec

from sandbox.faults import FaultKind, in_another_order
from sandbox.graph.asking import Ask, Reply
from sandbox.graph.refusals import bad, page_size

Row = TypeVar("Row")
DEFAULT_PAGE = 100
LARGEST_PAGE = 999


def size_of(ask: Ask) -> int:
    """`$top`. Raises `Refusal` for what Graph does not allow, `$skip` among it."""
    if "$skip" in ask.query:
        raise bad("'$skip' is not supported by the service.", "Request_BadRequest")
    asked = ask.query.get("$top", str(DEFAULT_PAGE))
    if not asked.isdecimal() or not 1 <= int(asked) <= LARGEST_PAGE:
        raise page_size(asked)
    return int(asked)


def sealed(content: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(b"RFNwdAIA" + msgspec.json.encode(content)).decode().rstrip("=")


def opened(token: str) -> dict[str, object]:
    """Raises `Refusal` where the token was not made here."""
    try:
        plain = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        return msgspec.json.decode(plain.removeprefix(b"RFNwdAIA"), type=dict[str, object])
    except (binascii.Error, ValueError):
        raise bad("Skip token is not valid.", "Directory_ExpiredPageToken") from None


def link(ask: Ask, path: str, **changed: str | None) -> str:
    """The address of this request with other query parameters; keys are given without their dollar."""
    query = {**ask.query, **{f"${name}": value for name, value in changed.items()}}
    pairs = [f"{name}={quote(value, safe='(),')}" for name, value in query.items() if value is not None]
    return f"{ask.base}{path}" + (f"?{'&'.join(pairs)}" if pairs else "")


def page(
    ask: Ask,
    keys: Sequence[str],
    show: Callable[[str], object],
    context: str,
    count: int | None = None,
) -> Reply:
    """One page of sorted `keys`, each shown as a row."""
    size = size_of(ask)
    token = ask.query.get("$skiptoken")
    after = str(opened(token)["k"]) if token else ""
    start = bisect_right(keys, after) if token else 0
    found = list(keys[start : start + size])
    cursor = found[-1] if start + size < len(keys) else None
    if FaultKind.CHANGED_ORDER in ask.struck:
        found = in_another_order(keys, start, size)
    found, cursor = with_faults(ask, found, cursor, after)
    body: dict[str, object] = {"@odata.context": f"{ask.base}/$metadata#{context}"}
    if count is not None and token is None:
        body["@odata.count"] = count
    if cursor is not None:
        body["@odata.nextLink"] = link(ask, ask.path, skiptoken=sealed({"k": cursor}))
    body["value"] = [show(key) for key in found]
    return Reply(200, body)


def with_faults(ask: Ask, rows: list[Row], cursor: str | None, here: str) -> tuple[list[Row], str | None]:
    if FaultKind.EMPTY_PAGE in ask.struck:
        return [], here
    if FaultKind.REPEATED_PAGE in ask.struck:
        return rows, here
    if FaultKind.LOST_ROW in ask.struck and rows:
        rows = [*rows[: len(rows) // 2], *rows[len(rows) // 2 + 1 :]]
    if FaultKind.DUPLICATED_ROW in ask.struck and rows:
        rows = [*rows, rows[len(rows) // 2]]
    if FaultKind.EARLY_END in ask.struck:
        cursor = None
    return rows, cursor
