"""Forms of the pages: read, and proved to come from a page of ours."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

from service.access.sessions import same_origin, same_text
from service.access.visit import visit_of

__all__ = ["own_form", "read_form"]

_MOST_FIELDS = 20
_FORM = "application/x-www-form-urlencoded"


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form that a page of ours sent, as far as the browser tells; of one that is there twice the last.

    Raises HTTPException for anything else.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "this takes a form")
    if not same_origin(request.headers):
        raise HTTPException(HTTPStatus.FORBIDDEN, "the form was not sent from a page of this service")
    try:
        fields = parse_qsl((await request.body()).decode("ascii"), max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "the form cannot be read") from None
    return dict(fields)


async def own_form(request: Request) -> dict[str, str]:
    """As `read_form`, of a form that this session was given."""
    fields = await read_form(request)
    session = visit_of(request).session
    if session is None or not same_text(fields.get("csrf", ""), session.csrf):
        raise HTTPException(HTTPStatus.FORBIDDEN, "the form does not belong to this session: open its page anew")
    return fields
