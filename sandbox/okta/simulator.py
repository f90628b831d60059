"""An Okta organisation on loopback: the part of the management API that reads users, groups and their members.

Okta management API 2026.06 and the guides named in the modules beside this one. What the documents leave open is a
switch, or decided here and said so: a limit above the maximum is cut to it; sorting is refused unless it is by id.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import formatdate

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.company import Company, Person
from sandbox.control import Control
from sandbox.faults import Fault, Faults
from sandbox.forms import form_fields
from sandbox.okta import documents, refusals
from sandbox.okta.filters import (
    GROUP_FILTER,
    GROUP_SEARCH,
    USER_FILTER,
    USER_SEARCH,
    FilterError,
    Predicate,
    parse,
)
from sandbox.okta.limits import Grant, RateLimits
from sandbox.okta.oauth import AuthorizationServer, ServiceApp
from sandbox.okta.paging import BadCursor, answer, asked, page
from sandbox.okta.projection import without
from sandbox.okta.state import OktaGroup, OktaState, PeopleView
from sandbox.okta.switches import Switches
from sandbox.okta.system_log import log_page
from sandbox.serving import served
from sandbox.traffic import IN_FLIGHT_KEY, Requests, Traffic

Handler = Callable[[Request], Response]
Endpoint = Callable[[Request], Awaitable[Response]]

USERS_PAGE = 200
GROUPS_PAGE = 10_000
GROUPS_FOR_QUERY = 300
USERS_FOR_QUERY = 10
MEMBERS_PAGE = 1000


class OktaSimulator:
    """`app` is an ASGI application; `requests` what it was asked; `faults` what it shall do wrong next.

    with simulator.served() as url: ...
    """

    def __init__(self, company: Company, switches: Switches | None = None) -> None:
        self.switches = switches or Switches()
        self.company = company
        self.state = OktaState(company, self.switches)
        self.faults = Faults()
        self.authorization = AuthorizationServer(self.switches)
        self.limits = RateLimits(self.switches)
        self._sends_date = False
        control = Control(company, self.faults, lambda: self.app)
        self.app = Traffic(
            Starlette(
                routes=[*self._routes(), *control.routes()],
                exception_handlers={404: _unknown_path, 405: _wrong_method},
            ),
            self.faults,
            self._fail,
        )

    @property
    def requests(self) -> Requests:
        return self.app.requests

    def register(self, app: ServiceApp) -> None:
        """Make a service app known to the token endpoint."""
        self.authorization.apps[app.client_id] = app

    def expire_tokens(self) -> None:
        """End every access token now; as the `change` of a fault, in the middle of a read."""
        self.authorization.tokens.clear()

    @contextmanager
    def served(self) -> Iterator[str]:
        """Yield the base URL. The Date header is the organisation's, which may be skewed."""
        self._sends_date = True
        with served(self.app, date_header=False) as url:
            yield url

    def now(self) -> float:
        """Seconds since 1970 by the organisation's clock."""
        return time.time() + self.switches.clock_skew_seconds

    def _routes(self) -> list[Route]:
        table: list[tuple[str, str, Handler]] = [
            ("/api/v1/users", "okta.users.read", self._users),
            ("/api/v1/users/{id}", "okta.users.read", self._user),
            ("/api/v1/users/{id}/groups", "okta.users.read", self._groups_of_user),
            ("/api/v1/groups", "okta.groups.read", self._groups),
            ("/api/v1/groups/{id}", "okta.groups.read", self._group),
            ("/api/v1/groups/{id}/users", "okta.groups.read", self._members),
            ("/api/v1/meta/schemas/user/{id}", "okta.schemas.read", self._user_schema),
            ("/api/v1/logs", "okta.logs.read", self._logs),
        ]
        routes = [Route(path, self._guarded(scope, handler), methods=["GET"]) for path, scope, handler in table]
        return [*routes, Route("/oauth2/v1/token", self._token, methods=["POST"])]

    # Every request passes here: who asks, may they ask now, may they ask this.

    def _guarded(self, scope: str, handler: Handler) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            now = self.now()
            if request.scope[IN_FLIGHT_KEY] > self.switches.concurrency:
                return self._stamped(refusals.too_many_requests(), self.limits.too_concurrent(now))
            principal, refused = self._authenticate(request, scope, now)
            grant = self.limits.take(request.url.path, principal, now)
            if not grant.allowed:
                return self._stamped(refusals.too_many_requests(), grant)
            return self._stamped(refused or self._handle(handler, request), grant)

        return endpoint

    def _handle(self, handler: Handler, request: Request) -> Response:
        try:
            with self.company.lock:
                return handler(request)
        except FilterError as error:
            return refusals.invalid_search(str(error))
        except BadCursor:
            return refusals.invalid("after", "The cursor is not valid.")
        except ValueError as error:
            return refusals.invalid("query", str(error))

    def _authenticate(self, request: Request, scope: str, now: float) -> tuple[str, Response | None]:
        scheme, _, credential = request.headers.get("authorization", "").partition(" ")
        if scheme == "SSWS":
            if credential in self.switches.ssws_tokens:
                return credential, None
            if credential in self.switches.ssws_tokens_without_role:
                return credential, refusals.forbidden()
        elif scheme == "Bearer":
            token = self.authorization.valid(credential, now)
            if token is not None:
                if scope not in token.scopes:
                    return token.client_id, refusals.forbidden(scope)
                return token.client_id, None if token.has_admin_role else refusals.forbidden()
        return "nobody", refusals.invalid_token()

    def _stamped(self, response: Response, grant: Grant) -> Response:
        response.headers.update(grant.headers())
        if self._sends_date:
            response.headers["date"] = formatdate(self.now(), usegmt=True)
        response.headers["x-okta-request-id"] = "sandbox"
        return response

    def _fail(self, fault: Fault) -> Response:
        now = self.now()
        response = refusals.too_many_requests() if fault.status == 429 else refusals.internal_error(fault.status)
        if fault.body is not None:
            response = Response(fault.body, fault.status)
        grant = self.limits.take("/sandbox", None, now)
        remaining = 0 if fault.status == 429 else grant.remaining
        response = self._stamped(response, Grant(grant.allowed, grant.limit, remaining, grant.reset))
        response.headers.update(fault.headers)
        return response

    async def _token(self, request: Request) -> Response:
        now = self.now()
        grant = self.limits.take(request.url.path, None, now)
        if not grant.allowed:
            return self._stamped(refusals.too_many_requests(), grant)
        endpoint = str(request.url.replace(query=""))
        response = self.authorization.grant(await form_fields(request), request.headers.get("dpop"), endpoint, now)
        return self._stamped(response, grant)

    # Users.

    def _users(self, request: Request) -> Response:
        query = request.query_params
        _refuse_sorting(request)
        view, predicate = self._selected_users(query)
        wanted = asked(request, default=USERS_FOR_QUERY if "q" in query else USERS_PAGE, most=USERS_PAGE)

        def chosen(user_id: str) -> bool:
            return predicate(documents.user_attributes(user_id, view.person(user_id), self.switches))

        def show(user_id: str) -> object:
            return self._user_document(request, user_id, view.person(user_id))

        response = page(request, view.ids, show, wanted, chosen)
        if "q" in query:
            _drop_next(response)
        return response

    def _selected_users(self, query: Mapping[str, str]) -> tuple[PeopleView, Predicate]:
        """Only `search` and `filter` show deactivated users; `search` reads the index, the others the database."""
        if "search" in query:
            return self.state.searched_people(), parse(query["search"], USER_SEARCH)
        if "filter" in query:
            return self.state.people(), parse(query["filter"], USER_FILTER)
        start = query.get("q", "").casefold()
        names = ("profile.firstName", "profile.lastName", "profile.email")

        def present(row: Callable[[str], object]) -> bool:
            fits = any(str(row(name)).casefold().startswith(start) for name in names)
            return fits and row("status") != "DEPROVISIONED"

        return self.state.people(), present

    def _user(self, request: Request) -> Response:
        found = self.state.find_person(request.path_params["id"])
        if found is None:
            return refusals.not_found(request.path_params["id"], "User")
        return answer(self._user_document(request, *found))

    def _groups_of_user(self, request: Request) -> Response:
        found = self.state.find_person(request.path_params["id"])
        if found is None:
            return refusals.not_found(request.path_params["id"], "User")
        groups = {group.id: group for group in self.state.groups_of(found[1].id)}
        wanted = asked(request, default=USERS_PAGE, most=USERS_PAGE)
        base = _base_url(request)
        return page(request, sorted(groups), lambda group_id: documents.group(groups[group_id], base), wanted)

    def _user_document(self, request: Request, user_id: str, person: Person) -> object:
        document = documents.user(user_id, person, _base_url(request), self.switches)
        return without(document, request)

    # Groups.

    def _groups(self, request: Request) -> Response:
        query = request.query_params
        _refuse_sorting(request)
        groups = self.state.searched_groups() if "search" in query else self.state.groups()
        wanted = asked(request, default=GROUPS_FOR_QUERY if "q" in query else GROUPS_PAGE, most=GROUPS_PAGE)
        predicate = _group_predicate(query)
        response = page(
            request,
            list(groups),
            lambda group_id: self._group_document(request, groups[group_id]),
            wanted,
            lambda group_id: predicate(documents.group_attributes(groups[group_id])),
        )
        if "q" in query:
            _drop_next(response)
        return response

    def _group(self, request: Request) -> Response:
        group = self.state.groups().get(request.path_params["id"])
        if group is None:
            return refusals.not_found(request.path_params["id"], "UserGroup")
        return answer(self._group_document(request, group))

    def _members(self, request: Request) -> Response:
        group = self.state.groups().get(request.path_params["id"])
        if group is None:
            return refusals.not_found(request.path_params["id"], "UserGroup")
        wanted = asked(request, default=self.switches.default_group_members_page, most=MEMBERS_PAGE)
        person = self.state.people().person
        return page(
            request,
            self.state.members(group),
            lambda user_id: self._user_document(request, user_id, person(user_id)),
            wanted,
        )

    def _group_document(self, request: Request, group: OktaGroup) -> object:
        counted = "stats" in request.query_params.get("expand", "").split(",")
        count = len(self.state.members(group)) if counted else None
        return documents.group(group, _base_url(request), count)

    # Everything else.

    def _user_schema(self, request: Request) -> Response:
        if request.path_params["id"] != "default":
            return refusals.not_found(request.path_params["id"], "Schema")
        return answer(documents.user_schema(_base_url(request), self.switches))

    def _logs(self, request: Request) -> Response:
        if not self.switches.log_readable:
            return refusals.forbidden()
        return log_page(request, self.state)


def _group_predicate(query: Mapping[str, str]) -> Predicate:
    if "search" in query:
        return parse(query["search"], GROUP_SEARCH)
    if "filter" in query:
        return parse(query["filter"], GROUP_FILTER)
    start = query.get("q", "").casefold()
    return lambda row: str(row("profile.name")).casefold().startswith(start)


def _refuse_sorting(request: Request) -> None:
    if request.query_params.get("sortBy", "id") != "id" or request.query_params.get("sortOrder", "asc") != "asc":
        raise ValueError("the simulator sorts by id only, ascending")


def _drop_next(response: Response) -> None:
    """`q` cannot be paged."""
    links = [line for line in response.headers.getlist("link") if 'rel="next"' not in line]
    del response.headers["link"]
    for line in links:
        response.headers.append("link", line)


def _base_url(request: Request) -> str:
    return str(request.base_url).rstrip("/")


async def _unknown_path(request: Request, _: Exception) -> Response:
    return refusals.not_found(request.url.path, "Endpoint")


async def _wrong_method(_: Request, __: Exception) -> Response:
    return refusals.wrong_method()
