"""A Google Workspace account on loopback: the part of the Directory API that reads users, groups and members.

Admin SDK Directory v1, discovery revision 20261104, and the guides named in the modules beside this one. What the
documents leave open is a switch, or decided here and said so: a `maxResults` of users above 500 is refused, one of
groups or members above 200 is cut to it; lists are in the order of the ids; deleted users are not kept, so
`showDeleted` finds none; `query` and `orderBy` are refused.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.company import DOMAIN, Company
from sandbox.control import Control
from sandbox.faults import Fault, Faults
from sandbox.forms import form_fields
from sandbox.google import documents, refusals
from sandbox.google.paging import BadToken, Listing, page
from sandbox.google.partial import project, selection
from sandbox.google.state import WorkspaceState
from sandbox.google.switches import (
    CUSTOMER_ID,
    GROUPS_SCOPE,
    MEMBERS_SCOPE,
    SCHEMAS_SCOPE,
    USERS_SCOPE,
    ServiceAccount,
    Switches,
)
from sandbox.google.tokens import TokenEndpoint
from sandbox.serving import served
from sandbox.traffic import IN_FLIGHT_KEY, Requests, Traffic

Handler = Callable[[Request], object]
"""Gives the document, or a refusal."""

ROOT = "/admin/directory/v1"
USERS = Listing("users", "users", 100, 500, strict=True)
GROUPS = Listing("groups", "groups", 200, 200)
MEMBERS = Listing("members", "members", 200, 200)
UNSUPPORTED = ("query", "orderBy", "event", "userKey")


class GoogleSimulator:
    """`app` is an ASGI application; `requests` what it was asked; `faults` what it shall do wrong next.

    with simulator.served() as url: ...
    """

    def __init__(self, company: Company, switches: Switches | None = None) -> None:
        self.switches = switches or Switches()
        self.company = company
        self.state = WorkspaceState(company, self.switches)
        self.faults = Faults()
        self.tokens = TokenEndpoint(self.switches, self.state.is_user)
        self._minute = -1
        self._asked: dict[str, int] = {}
        control = Control(company, self.faults, lambda: self.app)
        self.app = Traffic(
            Starlette(routes=[*self._routes(), *control.routes()], exception_handlers={404: _unknown_path}),
            self.faults,
            self._fail,
        )

    @property
    def requests(self) -> Requests:
        return self.app.requests

    def register(self, account: ServiceAccount) -> None:
        """Make a service account known to the token endpoint."""
        self.tokens.accounts[account.email] = account

    def expire_tokens(self) -> None:
        """End every access token now; as the `change` of a fault, in the middle of a read."""
        self.tokens.tokens.clear()

    @contextmanager
    def served(self) -> Iterator[str]:
        """Yield the base URL; the token endpoint is `/token` below it."""
        with served(self.app) as url:
            yield url

    def now(self) -> float:
        """Seconds since 1970 by Google's clock."""
        return time.time() + self.switches.clock_skew_seconds

    def _routes(self) -> list[Route]:
        groups = frozenset({GROUPS_SCOPE})
        table: list[tuple[str, frozenset[str], Handler]] = [
            ("/users", frozenset({USERS_SCOPE}), self._users),
            ("/users/{key}", frozenset({USERS_SCOPE}), self._user),
            ("/users/{key}/photos/thumbnail", frozenset({USERS_SCOPE}), self._thumbnail),
            ("/groups", groups, self._groups),
            ("/groups/{key}", groups, self._group),
            ("/groups/{key}/members", groups | {MEMBERS_SCOPE}, self._members),
            ("/customer/{key}/schemas", frozenset({SCHEMAS_SCOPE}), self._schemas),
        ]
        routes = [
            Route(ROOT + path, self._guarded(scopes, handler), methods=["GET"]) for path, scopes, handler in table
        ]
        return [*routes, Route("/token", self._token, methods=["POST"])]

    # Every request passes here: who asks, may they ask now, may they ask this.

    def _guarded(self, scopes: frozenset[str], handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            return self._refused(request, scopes) or self._handled(handler, request)

        return endpoint

    def _refused(self, request: Request, scopes: frozenset[str]) -> Response | None:
        """None where the request may be answered; any one of the scopes is enough."""
        scheme, _, credential = request.headers.get("authorization", "").partition(" ")
        token = self.tokens.valid(credential, self.now()) if scheme == "Bearer" else None
        if token is None:
            return refusals.invalid_credentials()
        if not self.switches.api_enabled:
            return refusals.api_disabled()
        if request.scope[IN_FLIGHT_KEY] > self.switches.concurrency:
            return refusals.too_many_at_once()
        if not self._within_quota(token.subject):
            return refusals.too_fast()
        if not scopes & token.scopes:
            return refusals.insufficient_scope()
        return None if token.subject in self.switches.admins else refusals.forbidden()

    def _within_quota(self, subject: str) -> bool:
        """Queries are counted a minute for the user whom the token acts for."""
        minute = int(self.now() // 60)
        if minute != self._minute:
            self._minute = minute
            self._asked.clear()
        self._asked[subject] = self._asked.get(subject, 0) + 1
        return self._asked[subject] <= self.switches.queries_a_minute

    def _handled(self, handler: Handler, request: Request) -> Response:
        try:
            _refuse_unsupported(request.query_params)
            with self.company.lock:
                found = handler(request)
            if isinstance(found, Response):
                return found
            fields = request.query_params.get("fields")
            return refusals.json_answer(project(found, selection(fields)) if fields else found)
        except BadToken:
            return refusals.invalid("pageToken")
        except ValueError as error:
            return refusals.invalid(str(error))

    def _fail(self, fault: Fault) -> Response:
        response = refusals.failed(fault.status)
        if fault.body is not None:
            response = Response(fault.body, fault.status)
        response.headers.update(fault.headers)
        return response

    async def _token(self, request: Request) -> Response:
        endpoint = str(request.url.replace(query=""))
        with self.company.lock:
            return self.tokens.grant(await form_fields(request), endpoint, self.now())

    # Users.

    def _users(self, request: Request) -> object:
        query = request.query_params
        if "customer" not in query and "domain" not in query:
            return refusals.bad_request()
        schemas = self._schemas_shown(query)
        ids = self.state.user_ids() if _is_ours(query) and query.get("showDeleted") != "true" else []
        return self._page(request, USERS, ids, lambda user_id: self._document(user_id, schemas))

    def _user(self, request: Request) -> object:
        user_id = self.state.find_user(request.path_params["key"])
        if user_id is None:
            return refusals.not_found("userKey")
        return self._document(user_id, self._schemas_shown(request.query_params))

    def _thumbnail(self, request: Request) -> object:
        user_id = self.state.find_user(request.path_params["key"])
        if user_id is None:
            return refusals.not_found("userKey")
        photo = self.state.photos.get(user_id)
        if photo is None:
            return refusals.not_found("photo")
        return documents.photo(user_id, self.state.person(user_id), photo)

    def _document(self, user_id: str, schemas: frozenset[str]) -> object:
        return documents.user(user_id, self.state.person(user_id), self.switches, schemas)

    def _schemas_shown(self, query: Mapping[str, str]) -> frozenset[str]:
        projection, mask = query.get("projection", "basic"), query.get("customFieldMask")
        if projection not in {"basic", "full", "custom"} or (projection == "custom") != (mask is not None):
            raise ValueError("projection")
        if projection == "full":
            return frozenset(field.schema for field in self.switches.custom_fields)
        return frozenset(mask.split(",")) if mask else frozenset()

    # Groups.

    def _groups(self, request: Request) -> object:
        query = request.query_params
        if "customer" not in query and "domain" not in query:
            return refusals.bad_request()
        ids = self.state.group_ids() if _is_ours(query) else []
        return self._page(request, GROUPS, ids, self._group_document)

    def _group(self, request: Request) -> object:
        group_id = self.state.find_group(request.path_params["key"])
        return refusals.not_found("groupKey") if group_id is None else self._group_document(group_id)

    def _group_document(self, group_id: str) -> object:
        group = self.state.group(group_id)
        count = self.state.counted_members(group_id)
        return documents.group(group_id, group, self.state.group_address(group), count)

    def _members(self, request: Request) -> object:
        group_id = self.state.find_group(request.path_params["key"])
        if group_id is None:
            return refusals.not_found("groupKey")
        if request.query_params.get("includeDerivedMembership", "false") != "false":
            raise ValueError("the simulator lists direct members only")
        members = self.state.members(group_id)

        def show(member_id: str) -> object:
            person = self.state.person(member_id) if self.state.has_user(member_id) else None
            return documents.member(members[member_id], person)

        return self._page(request, MEMBERS, sorted(members), show)

    def _schemas(self, request: Request) -> object:
        if request.path_params["key"] not in {CUSTOMER_ID, "my_customer"}:
            return refusals.not_found("customerId")
        return documents.schemas(self.switches.custom_fields)

    def _page(self, request: Request, listing: Listing, ids: Sequence[str], show: Callable[[str], object]) -> object:
        seconds = self.switches.page_token_seconds
        return page(request, listing, ids, show, now=self.now(), token_seconds=seconds)


def _is_ours(query: Mapping[str, str]) -> bool:
    """Whether the list asked for is this account's. Raises ValueError for a customer that is none."""
    customer = query.get("customer", "my_customer")
    if customer not in {CUSTOMER_ID, "my_customer"}:
        raise ValueError("customer")
    return query.get("domain", DOMAIN) == DOMAIN


def _refuse_unsupported(query: Mapping[str, str]) -> None:
    for name in UNSUPPORTED:
        if name in query:
            raise ValueError(f"the simulator does not know {name}")


async def _unknown_path(_: Request, __: Exception) -> Response:
    return refusals.not_found("path")
