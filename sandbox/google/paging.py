"""Pages with a token in the body. The key of the list is left out where there are no rows, as Google does.

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

from sandbox.faults import FaultKind, in_another_order
from sandbox.traffic import FAULTS_KEY


class BadToken(ValueError):
    """A page token that was not made for this list, or a while ago."""


class Token(msgspec.Struct):
    path: str
    after: str
    made: float


@dataclass(frozen=True)
class Listing:
    """`kind` and `name` of the list; `default` and `most` rows a page; more than `most` is an error where `strict`."""

    kind: str
    name: str
    default: int
    most: int
    strict: bool = False


def page(
    request: Request,
    listing: Listing,
    ids: Sequence[str],
    show: Callable[[str], object],
    *,
    now: float,
    token_seconds: float,
) -> dict[str, object]:
    """One page of the sorted `ids`. Raises ValueError for a wrong maxResults, BadToken."""
    limit = int(request.query_params.get("maxResults", listing.default))
    if limit < 1 or (listing.strict and limit > listing.most):
        raise ValueError("maxResults")
    limit = min(limit, listing.most)
    after = _read(request, now - token_seconds)
    start = bisect_right(ids, after)
    rows = list(ids[start : start + limit])
    following = rows[-1] if start + limit < len(ids) else None
    if FaultKind.CHANGED_ORDER in request.scope.get(FAULTS_KEY, {}):
        rows = in_another_order(ids, start, limit)
    rows, following = _with_faults(request, rows, following, after)
    body: dict[str, object] = {"kind": f"admin#directory#{listing.kind}", "etag": f'"{len(ids)}"'}
    if rows:
        body[listing.name] = [show(row) for row in rows]
    if following is not None:
        token = msgspec.json.encode(Token(request.url.path, following, now))
        body["nextPageToken"] = base64.urlsafe_b64encode(token).decode()
    return body


def _read(request: Request, oldest: float) -> str:
    text = request.query_params.get("pageToken")
    if not text:
        return ""
    try:
        token = msgspec.json.decode(base64.urlsafe_b64decode(text), type=Token)
    except (binascii.Error, msgspec.DecodeError, ValueError) as error:
        raise BadToken("pageToken") from error
    if token.path != request.url.path or token.made < oldest:
        raise BadToken("pageToken")
    return token.after


def _with_faults(request: Request, rows: list[str], following: str | None, after: str) -> tuple[list[str], str | None]:
    struck = request.scope.get(FAULTS_KEY, {})
    if FaultKind.EMPTY_PAGE in struck:
        return [], after
    if FaultKind.REPEATED_PAGE in struck:
        return rows, after
    if FaultKind.LOST_ROW in struck and rows:
        rows = [*rows[: len(rows) // 2], *rows[len(rows) // 2 + 1 :]]
    if FaultKind.DUPLICATED_ROW in struck and rows:
        rows = [*rows, rows[len(rows) // 2]]
    if FaultKind.EARLY_END in struck:
        following = None
    return rows, following
