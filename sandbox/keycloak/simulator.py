"""A Keycloak realm on loopback: the part of the admin REST API that reads users, groups and their members.

Keycloak admin REST API 26.7. The real server runs from its distribution; this one exists for what the real one does not
do on command: a page that is lost, a token that ends in the middle of a read, JSON that stops half-way.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.company import Company, Group, Person
from sandbox.control import Control, json_answer
from sandbox.faults import Fault, FaultKind, Faults, in_another_order
from sandbox.forms import form_fields
from sandbox.keycloak import documents
from sandbox.keycloak.audit import Audit
from sandbox.keycloak.rights import (
    LIST_GROUPS,
    LIST_USERS,
    VIEW_EVENTS,
    VIEW_USERS,
    over_a_listed_person,
    over_a_person,
)
from sandbox.keycloak.selection import group_matcher, selected
from sandbox.keycloak.state import RealmState, User
from sandbox.keycloak.switches import Switches
from sandbox.keycloak.tokens import IssuedToken, TokenEndpoint
from sandbox.serving import served
from sandbox.traffic import FAULTS_KEY, Requests, Traffic

Handler = Callable[[Request, IssuedToken], Response]
Endpoint = Callable[[Request], Awaitable[Response]]
Row = TypeVar("Row")

NOT_FOUND = "HTTP 404 Not Found"
BY_ID = "id:"
SEE_LOG = "For more on this error consult the server log."


class KeycloakSimulator:
    """`app` is an ASGI application; `requests` what it was asked; `faults` what it shall do wrong next.

    A page of offsets has no link, so EARLY_END is a page with half its rows, EMPTY_PAGE one with none, and
    REPEATED_PAGE the rows of the page before.
    """

    def __init__(self, company: Company, switches: Switches | None = None) -> None:
        self.switches = switches or Switches()
        self.company = company
        self.state = RealmState(company, self.switches)
        self.faults = Faults()
        self.audit = Audit(self.state, self.switches)
        self.token_endpoint = TokenEndpoint(self.switches, self.audit.logged_in)
        self.clock: Callable[[], float] = time.time
        control = Control(company, self.faults, lambda: self.app)
        self.app = Traffic(
            Starlette(routes=[*self._routes(), *control.routes()], exception_handlers={404: _unknown, 405: _unknown}),
            self.faults,
            _fail,
        )

    @property
    def requests(self) -> Requests:
        return self.app.requests

    def expire_tokens(self) -> None:
        """End every access token now; as the `change` of a fault, in the middle of a read."""
        self.token_endpoint.tokens.clear()

    @contextmanager
    def served(self) -> Iterator[str]:
        """Yield the base URL."""
        with served(self.app) as url:
            yield url

    def _routes(self) -> list[Route]:
        admin = "/admin/realms/{realm}"
        any_role: frozenset[str] = frozenset()
        table: list[tuple[str, frozenset[str], Handler]] = [
            ("", any_role, self._realm),
            ("/users", LIST_USERS, self._users),
            ("/users/count", LIST_USERS, self._count_users),
            ("/users/profile", any_role, self._user_profile),
            ("/users/{id}", VIEW_USERS, self._user),
            ("/users/{id}/groups", VIEW_USERS, self._groups_of_user),
            ("/users/{id}/groups/count", VIEW_USERS, self._count_groups_of_user),
            ("/groups", LIST_GROUPS, self._groups),
            ("/groups/count", LIST_GROUPS, self._count_groups),
            ("/groups/{id}", VIEW_USERS, self._group),
            ("/groups/{id}/children", VIEW_USERS, self._children),
            ("/groups/{id}/members", VIEW_USERS, self._members),
            ("/admin-events", VIEW_EVENTS, self._admin_events),
            ("/events", VIEW_EVENTS, self._user_events),
            ("/events/config", VIEW_EVENTS, self._events_config),
        ]
        routes = [Route(admin + path, self._guarded(roles, handler), methods=["GET"]) for path, roles, handler in table]
        return [*routes, Route("/realms/{realm}/protocol/openid-connect/token", self._token, methods=["POST"])]

    def _guarded(self, roles: frozenset[str], handler: Handler) -> Endpoint:
        """Any role will do where `roles` is empty."""

        async def endpoint(request: Request) -> Response:
            token = self.token_endpoint.valid(request.headers.get("authorization", ""), self.clock())
            if token is None:
                return json_answer({"error": "HTTP 401 Unauthorized"}, 401)
            if request.path_params["realm"] != self.switches.realm:
                return json_answer({"error": "Realm not found."}, 404)
            if not (token.roles & roles if roles else token.roles):
                return json_answer({"error": "HTTP 403 Forbidden"}, 403)
            try:
                with self.company.lock:
                    return handler(request, token)
            except LookupError as missing:
                return json_answer({"error": str(missing.args[0])}, 404)
            except ValueError as error:
                return json_answer({"error": str(error)}, 400)

        return endpoint

    async def _token(self, request: Request) -> Response:
        if request.path_params["realm"] != self.switches.realm:
            return json_answer({"error": "Realm does not exist"}, 404)
        form = await form_fields(request)
        issuer = f"{request.base_url}realms/{self.switches.realm}"
        return self.token_endpoint.grant(form, request.headers.get("authorization", ""), issuer, self.clock())

    # Users.

    def _users(self, request: Request, token: IssuedToken) -> Response:
        """With `query-users` alone one may ask, and is told how many there are, but is shown nobody.

        A search for ids, which begins with `id:`, finds service accounts as well.
        """
        people = self._found(request) if token.roles & VIEW_USERS else []
        shower = self._user_shower(request, over_a_listed_person(token.roles))
        return self._page(request, people, shower, most=100)

    def _count_users(self, request: Request, _: IssuedToken) -> Response:
        return json_answer(len(self._selected(request)))

    def _found(self, request: Request) -> Sequence[User]:
        search = request.query_params.get("search", "")
        if not search.startswith(BY_ID):
            return self._selected(request)
        asked = (self.state.user(user_id) for user_id in search.removeprefix(BY_ID).split())
        return [user for user in asked if user is not None]

    def _selected(self, request: Request) -> Sequence[Person]:
        return selected(self.state.users(), request.query_params, self.switches)

    def _user(self, request: Request, token: IssuedToken) -> Response:
        access, asked = over_a_person(token.roles), self._asked_user(request)
        return json_answer(documents.user(asked, self.state, self.switches, brief=False, access=access))

    def _groups_of_user(self, request: Request, token: IssuedToken) -> Response:
        matches = group_matcher(request.query_params)
        groups = [group for group in self.state.groups_of(self._asked_user(request)) if matches(group)]
        return self._page(request, groups, self._group_shower(request, token, brief=True))

    def _count_groups_of_user(self, request: Request, _: IssuedToken) -> Response:
        return json_answer({"count": len(self.state.groups_of(self._asked_user(request)))})

    def _user_profile(self, _: Request, __: IssuedToken) -> Response:
        return json_answer(documents.user_profile(self.switches))

    def _asked_user(self, request: Request) -> User:
        user = self.state.user(request.path_params["id"])
        if user is None:
            raise LookupError("User not found")
        return user

    def _user_shower(self, request: Request, access: dict[str, bool] | None) -> Callable[[User], object]:
        brief = request.query_params.get("briefRepresentation") == "true"
        return lambda user: documents.user(user, self.state, self.switches, brief=brief, access=access)

    # Groups.

    def _groups(self, request: Request, token: IssuedToken) -> Response:
        """With `query-groups` alone one may ask, and is told how many there are, but is shown none."""
        query, roles = request.query_params, token.roles
        top = self.state.top_groups() if roles & VIEW_USERS else []
        if "search" not in query:
            return self._page(request, top, self._group_shower(request, token, brief=True))
        brief = query.get("briefRepresentation", "true") == "true"
        found = documents.found_groups(top, self.state, roles, group_matcher(query), brief=brief)
        return self._page(request, found, lambda document: document)

    def _count_groups(self, request: Request, _: IssuedToken) -> Response:
        matches = group_matcher(request.query_params)
        only_top = request.query_params.get("top") == "true"
        groups = [group for group in self.state.groups() if matches(group)]
        return json_answer({"count": sum(1 for group in groups if not only_top or group.parent is None)})

    def _group(self, request: Request, token: IssuedToken) -> Response:
        return json_answer(documents.group(self._asked_group(request), self.state, token.roles, brief=False))

    def _children(self, request: Request, token: IssuedToken) -> Response:
        matches = group_matcher(request.query_params)
        children = [group for group in self.state.children(self._asked_group(request)) if matches(group)]
        return self._page(request, children, self._group_shower(request, token, brief=False), most=10)

    def _members(self, request: Request, _: IssuedToken) -> Response:
        members = self.state.members(self._asked_group(request))
        return self._page(request, members, self._user_shower(request, None), most=100)

    def _asked_group(self, request: Request) -> Group:
        group = self.state.group(request.path_params["id"])
        if group is None:
            raise LookupError("Could not find group by id")
        return group

    def _group_shower(self, request: Request, token: IssuedToken, *, brief: bool) -> Callable[[Group], object]:
        """`brief` is what the endpoint does without being asked."""
        wanted = request.query_params.get("briefRepresentation", str(brief).lower()) == "true"
        counted = request.query_params.get("subGroupsCount", "true") == "true"
        return lambda group: documents.group(group, self.state, token.roles, brief=wanted, counted=counted)

    # Everything else.

    def _realm(self, _: Request, token: IssuedToken) -> Response:
        return json_answer(documents.realm(self.switches, token.roles))

    def _admin_events(self, request: Request, _: IssuedToken) -> Response:
        return self._page(request, self.audit.chosen_admin(request.query_params), lambda event: event, most=100)

    def _user_events(self, request: Request, _: IssuedToken) -> Response:
        return self._page(request, self.audit.chosen_user(request.query_params), lambda event: event, most=100)

    def _events_config(self, _: Request, __: IssuedToken) -> Response:
        return json_answer(self.audit.config())

    def _page(
        self, request: Request, rows: Sequence[Row], show: Callable[[Row], object], *, most: int | None = None
    ) -> Response:
        """`most` rows when the request names no `max`; a negative `max` means all."""
        first = max(0, _whole_number(request, "first", 0))
        size = _whole_number(request, "max", -1 if most is None else most)
        struck = request.scope.get(FAULTS_KEY, {})
        if FaultKind.REPEATED_PAGE in struck:
            first = max(0, first - max(0, size))
        chosen = list(rows[first:] if size < 0 else rows[first : first + size])
        if FaultKind.CHANGED_ORDER in struck and size > 0:
            chosen = in_another_order(rows, min(first, len(rows)), size)
        response = json_answer([show(row) for row in _with_faults(chosen, struck)])
        ceiling = self.switches.truncate_pages_above
        if ceiling is not None and (size < 0 or size > ceiling):
            half = bytes(response.body[: len(response.body) // 2])
            return Response(half, media_type="application/json")
        return response


def _whole_number(request: Request, name: str, otherwise: int) -> int:
    """Raises LookupError for anything else: to Keycloak an address with such a parameter is one that does not exist."""
    try:
        return int(request.query_params.get(name, otherwise))
    except ValueError:
        raise LookupError(NOT_FOUND) from None


def _with_faults(rows: list[Row], struck: dict[FaultKind, Fault]) -> list[Row]:
    middle = len(rows) // 2
    if FaultKind.EMPTY_PAGE in struck:
        return []
    if FaultKind.EARLY_END in struck:
        rows = rows[:middle]
    if FaultKind.LOST_ROW in struck:
        rows = rows[:middle] + rows[middle + 1 :]
    if FaultKind.DUPLICATED_ROW in struck and rows:
        rows = [*rows, rows[middle]]
    return rows


def _fail(fault: Fault) -> Response:
    if fault.body is not None:
        response = Response(fault.body, fault.status)
    else:
        told = {"error_description": SEE_LOG} if fault.status >= 500 else {}
        response = json_answer({"error": "unknown_error", **told}, fault.status)
    response.headers.update(fault.headers)
    return response


async def _unknown(request: Request, _: Exception) -> Response:
    """A realm that has no such thing is told from an address that Keycloak does not serve."""
    within = request.url.path.startswith("/admin/realms/")
    return json_answer({"error": NOT_FOUND if within else "Unable to find matching target resource method"}, 404)
