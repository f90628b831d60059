"""Refusals in one form, for programs: what happened, to which object, what was not done, what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from pydantic import BaseModel, ConfigDict
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Scope

from directory.errors import (
    ConfigurationError,
    Held,
    LeaseTaken,
    Retryable,
    StalePlan,
    UnknownRecord,
    UsersyncError,
)

__all__ = ["API", "Refusal", "for_programs", "refusal", "refused", "status_of"]

API = "/api/"


class Refusal(BaseModel):
    """Why a request was not carried out."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    what: str
    """What happened."""
    subject: str | None = None
    """To which object."""
    not_done: str | None = None
    next: str | None = None
    """What to do about it."""


def status_of(error: UsersyncError) -> int:
    """The HTTP status that an error is answered with; 502 and 503 are about systems behind us, not about the client."""
    if isinstance(error, UnknownRecord):
        return HTTPStatus.NOT_FOUND
    if isinstance(error, ConfigurationError):
        return HTTPStatus.UNPROCESSABLE_ENTITY
    if isinstance(error, (Held, StalePlan, LeaseTaken)):
        return HTTPStatus.CONFLICT
    return HTTPStatus.SERVICE_UNAVAILABLE if isinstance(error, Retryable) else HTTPStatus.BAD_GATEWAY


def refusal(error: UsersyncError) -> Refusal:
    return Refusal(what=error.what, subject=error.subject, not_done=error.not_done, next=error.next_step)


def for_programs(scope: Scope) -> bool:
    return str(scope["path"]).startswith(API)


def refused(scope: Scope, status: int, said: Refusal, headers: Mapping[str, str] | None = None) -> Response:
    """JSON for programs, a line of text for anybody else."""
    if for_programs(scope):
        return JSONResponse(said.model_dump(), status, headers=headers)
    return PlainTextResponse(" ".join(filter(None, (f"{said.what}.", said.next))) + "\n", status, headers=headers)
