"""Signing in with a token, and signing out."""

from __future__ import annotations

import secrets
from http import HTTPStatus

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from service.access.gate import SIGN_IN
from service.access.sessions import same_text
from service.access.visit import visit_of
from service.api.asking import AtDesk
from service.pages.drawing import page
from service.pages.forms import own_form, read_form

__all__ = ["routes"]

routes = APIRouter()
_LONGEST_TOKEN = 200


@routes.get(SIGN_IN)
def form(request: Request, desk: AtDesk) -> Response:
    return _form(request, desk, status=HTTPStatus.OK, wrong=False)


@routes.post(SIGN_IN)
async def sign_in(request: Request, desk: AtDesk) -> Response:
    """The token is exchanged for a cookie that means nothing anywhere else."""
    fields = await read_form(request)
    visit = visit_of(request)
    name = _before_cookie(desk.sessions.cookie)
    # There is no session yet that a form could belong to; this cookie stands in for it.
    if not same_text(fields.get("csrf", ""), request.cookies.get(name, "") or secrets.token_urlsafe()):
        raise HTTPException(HTTPStatus.FORBIDDEN, "the form does not belong to this browser: open its page anew")
    token = await run_sync(desk.ledger.tokens.known, fields.get("token", "").strip()[:_LONGEST_TOKEN])
    visit.token = token
    if token is None:
        return _form(request, desk, status=HTTPStatus.UNAUTHORIZED, wrong=True)
    answer = RedirectResponse("/", HTTPStatus.SEE_OTHER)
    answer.delete_cookie(name, path="/", secure=desk.sessions.secure, httponly=True, samesite="strict")
    _set(answer, desk, desk.sessions.cookie, desk.sessions.begin(token.id))
    return answer


@routes.post("/logout")
async def sign_out(request: Request, desk: AtDesk) -> Response:
    await own_form(request)
    desk.sessions.end(request.cookies.get(desk.sessions.cookie, ""))
    answer = RedirectResponse(SIGN_IN, HTTPStatus.SEE_OTHER)
    answer.delete_cookie(desk.sessions.cookie, path="/", secure=desk.sessions.secure, httponly=True, samesite="strict")
    return answer


def _form(request: Request, desk: AtDesk, *, status: int, wrong: bool) -> Response:
    secret = secrets.token_urlsafe(32)
    answer = page(request, "login.html", status=status, wrong=wrong, csrf=secret)
    _set(answer, desk, _before_cookie(desk.sessions.cookie), secret)
    return answer


def _set(answer: Response, desk: AtDesk, name: str, value: str) -> None:
    answer.set_cookie(name, value, path="/", secure=desk.sessions.secure, httponly=True, samesite="strict")


def _before_cookie(cookie: str) -> str:
    return f"{cookie}-before"
