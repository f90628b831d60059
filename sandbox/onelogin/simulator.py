"""A OneLogin account on loopback: tokens, users, roles, groups and what is left of the hour's calls.

OneLogin API v2 (and v1 for groups), developers.onelogin.com. What the documents leave open is a switch, or decided here
and said so: a limit above the maximum is cut to it; lists are in the order of the ids; calls to both versions count.
"""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.company import Company
from sandbox.control import Control, json_answer
from sandbox.faults import Fault, Faults
from sandbox.forms import form_fields
from sandbox.onelogin.paging import Asked, BadPage, asked, moment, page_of
from sandbox.onelogin.state import SHOWN_BY_DEFAULT, AccountState
from sandbox.onelogin.switches import Switches
from sandbox.serving import served
from sandbox.traffic import Requests, Traffic

Handler = Callable[[Request], Response]

HOUR = 3600
USERS_PAGE = 50
GROUPS_PAGE = 50
SUCCESS = {"error": False, "code": 200, "type": "success", "message": "Success"}


class OneLoginSimulator:
    """`app` is an ASGI application; `requests` what it was asked; `faults` what it shall do wrong next.

    with simulator.served() as url: ...
    """

    def __init__(self, company: Company, switches: Switches | None = None) -> None:
        self.switches = switches or Switches()
        self.company = company
        self.state = AccountState(company, self.switches)
        self.faults = Faults()
        self.tokens: dict[str, tuple[str, float]] = {}
        """Client id to its token and when that was made; it stays the same until it expires."""
        self._hour = -1
        self._calls = 0
        control = Control(company, self.faults, lambda: self.app)
        self.app = Traffic(Starlette(routes=[*self._routes(), *control.routes()]), self.faults, self._fail)

    @property
    def requests(self) -> Requests:
        return self.app.requests

    def expire_tokens(self) -> None:
        """End every access token now; as the `change` of a fault, in the middle of a read."""
        self.tokens.clear()

    @contextmanager
    def served(self) -> Iterator[str]:
        with served(self.app, date_header=False) as url:
            yield url

    def now(self) -> float:
        return time.time() + self.switches.clock_skew_seconds

    def _routes(self) -> list[Route]:
        table: list[tuple[str, Handler]] = [
            ("/api/2/users", self._users),
            ("/api/2/users/{id:int}", self._user),
            ("/api/2/roles", self._roles),
            ("/api/2/roles/{id:int}", self._role),
            ("/api/2/roles/{id:int}/users", self._role_users),
            ("/api/1/groups", self._groups),
            ("/auth/rate_limit", self._rate_limit),
        ]
        routes = [Route(path, self._guarded(handler), methods=["GET"]) for path, handler in table]
        return [*routes, Route("/auth/oauth2/v2/token", self._token, methods=["POST"])]

    def _guarded(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not self._is_valid(token):
                return refusal(request, 401, "Unauthorized", "Authentication Failure")
            if request.url.path != "/auth/rate_limit" and not self._may_call():
                return self._counted(refusal(request, 429, "Too Many Requests", "rate limit exceeded"))
            if self.switches.scopes_missing and request.url.path.startswith("/api/"):
                return refusal(request, 403, "Forbidden", "Insufficient Permissions")
            try:
                with self.company.lock:
                    response = self._counted(handler(request))
            except BadPage as error:
                return refusal(request, 400, "Bad Request", str(error))
            response.headers["date"] = format_datetime(datetime.fromtimestamp(self.now(), UTC), usegmt=True)
            return response

        return endpoint

    def _is_valid(self, token: str) -> bool:
        oldest = self.now() - self.switches.token_seconds
        return any(token == known and made > oldest for known, made in self.tokens.values())

    def _may_call(self) -> bool:
        self._turn_hour()
        self._calls += 1
        return self._calls <= self.switches.calls_an_hour

    def _turn_hour(self) -> None:
        hour = int(self.now() // HOUR)
        if hour != self._hour:
            self._hour, self._calls = hour, 0

    def _limits(self) -> dict[str, int]:
        self._turn_hour()
        limit = self.switches.calls_an_hour
        return {
            "X-RateLimit-Limit": limit,
            "X-RateLimit-Remaining": max(0, limit - self._calls),
            "X-RateLimit-Reset": HOUR - int(self.now() % HOUR),
        }

    def _counted(self, response: Response) -> Response:
        response.headers.update({name: str(value) for name, value in self._limits().items()})
        return response

    def _fail(self, fault: Fault) -> Response:
        response = Response(fault.body, fault.status) if fault.body is not None else failure(fault.status)
        response.headers.update(fault.headers)
        return response

    # Tokens.

    async def _token(self, request: Request) -> Response:
        client_id, secret, grant = await _credentials(request)
        if grant != "client_credentials":
            return refusal(request, 400, "Bad Request", "grant_type is not supported")
        if not client_id or self.switches.clients.get(client_id) != secret:
            return refusal(request, 401, "Unauthorized", "Authentication Failure")
        token, made = self.tokens.get(client_id, ("", 0.0))
        if not self._is_valid(token):
            token, made = secrets.token_hex(32), self.now()
            self.tokens[client_id] = token, made
        return json_answer(
            {
                "access_token": token,
                "created_at": datetime.fromtimestamp(made, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
                "expires_in": self.switches.token_seconds,
                "refresh_token": secrets.token_hex(32),
                "token_type": "bearer",
                "account_id": 99999,
            }
        )

    def _rate_limit(self, _: Request) -> Response:
        return json_answer({"status": SUCCESS, "data": self._limits()})

    # Users, roles, groups.

    def _users(self, request: Request) -> Response:
        wanted = asked(request, default=USERS_PAGE, most=self.switches.most_users)
        names = wanted.fields.split(",") if wanted.fields else SHOWN_BY_DEFAULT

        def show(user_id: int) -> object:
            document = self.state.user(user_id)
            return {name: document[name] for name in dict.fromkeys(["id", *names]) if name in document}

        keeps = self.switches.cursor_keeps_fields
        return page_of(request, self._chosen(wanted), show, wanted, keeps_fields=keeps)

    def _chosen(self, wanted: Asked) -> list[int]:
        """Those whom the filters leave; of the documented ones, those that a sync has a use for."""
        people = self.state.people()
        for name in ("username", "email"):
            asked_for = getattr(wanted, name)
            if asked_for is not None:
                shown = {key: str(self.state.user(key)[name]) for key in people}
                return [key for key, value in shown.items() if value.casefold() == asked_for.casefold()]
        if wanted.user_ids is not None:
            return [key for key in people if str(key) in wanted.user_ids.split(",")]
        if wanted.updated_since is not None:
            since = moment(wanted.updated_since)
            return [key for key, person in people.items() if self.state.updated(person) > since]
        return list(people)

    def _user(self, request: Request) -> Response:
        user_id = request.path_params["id"]
        if user_id not in self.state.people():
            return refusal(request, 404, "Not Found", "The resource with the given id could not be found")
        return json_answer(self.state.user(user_id))

    def _roles(self, request: Request) -> Response:
        wanted = asked(request, default=USERS_PAGE, most=self.switches.most_roles)
        roles = self.state.roles()
        names = [name for name in (wanted.fields or "").split(",") if name in {"apps", "users", "admins"}]
        most = self.switches.most_users_of_a_role

        def show(role_id: int) -> object:
            members = self.state.members(roles[role_id])[:most] if names else []
            further = {"apps": [], "admins": [], "users": members}
            is_named = not names or self.switches.role_names_with_fields
            shown = {"id": role_id, "name": roles[role_id].name} if is_named else {"id": role_id}
            return {**shown, **{name: further[name] for name in names}}

        return page_of(request, list(roles), show, wanted, keeps_fields=self.switches.cursor_keeps_fields)

    def _role(self, request: Request) -> Response:
        role = self.state.roles().get(request.path_params["id"])
        if role is None:
            return refusal(request, 404, "Not Found", "Role not found")
        members = self.state.members(role)
        return json_answer(
            {"id": request.path_params["id"], "name": role.name, "apps": [], "admins": [], "users": members}
        )

    def _role_users(self, request: Request) -> Response:
        role = self.state.roles().get(request.path_params["id"])
        if role is None:
            return refusal(request, 404, "Not Found", "Role not found")
        wanted = asked(request, default=USERS_PAGE, most=self.switches.most_users)

        def show(user_id: int) -> object:
            document = self.state.user(user_id)
            return {name: document[name] for name in ("id", "username", "email", "firstname", "lastname")}

        keeps = self.switches.cursor_keeps_fields
        return page_of(request, self.state.members(role), show, wanted, keeps_fields=keeps)

    def _groups(self, request: Request) -> Response:
        """Version 1: an envelope, and its own cursor."""
        rows = [
            {"id": self.state.role_id(group.id), "name": group.name, "reference": None} for group in self.state.groups()
        ]
        start = int(request.query_params.get("after_cursor", 0))
        end = start + GROUPS_PAGE
        cursor = str(end) if end < len(rows) else None
        pagination = {"before_cursor": None, "after_cursor": cursor, "previous_link": None, "next_link": None}
        return json_answer({"status": SUCCESS, "pagination": pagination, "data": rows[start:end]})


def refusal(request: Request, status: int, name: str, message: str) -> Response:
    """Roles have a shape of their own."""
    if request.url.path.startswith("/api/2/roles"):
        return json_answer({"statusCode": status, "name": name, "message": message}, status)
    return json_answer({"error": True, "code": status, "type": name, "message": message}, status)


def failure(status: int) -> Response:
    """For a status that a test asks for; both shapes in one, since the path is not known."""
    shown = {
        "error": True,
        "code": status,
        "type": "failure",
        "message": "failure",
        "statusCode": status,
        "name": "failure",
    }
    return json_answer(shown, status)


async def _credentials(request: Request) -> tuple[str, str, str]:
    """Client id, secret and grant type, in any of the three ways that OneLogin takes."""
    header = request.headers.get("authorization", "")
    form = await form_fields(request)
    grant = form.get("grant_type", "")
    if not form and (body := await request.body()):
        try:
            grant = msgspec.json.decode(body, type=dict[str, str]).get("grant_type", "")
        except (msgspec.DecodeError, msgspec.ValidationError):
            grant = ""
    if header.startswith("Basic "):
        client_id, _, secret = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
        return client_id, secret, grant
    if header.startswith("client_id:"):
        pairs = dict(part.strip().split(":", 1) for part in header.split(","))
        return pairs.get("client_id", ""), pairs.get("client_secret", ""), grant
    return form.get("client_id", ""), form.get("client_secret", ""), grant
