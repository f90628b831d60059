"""The SCIM receiver, asked whatever hypothesis thinks of: each answer is one of SCIM, and what is stored is whole."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import quote, unquote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, rule, run_state_machine_as_test
from scim2_models import Context

import ledger
from service.scim import Limits, ScimSettings, application
from service.scim.application import Receiver
from service.scim.shape import shape_of
from tests import postgresql
from tests.contract import scim_garbage as garbage
from tests.scim_service import BASE

EXAMPLES = 50
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "get"]
PLENTY = Limits(requests_per_second=1e9, burst=10**9)
FUZZED = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body, parse_constant=_refuse)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


class Stage:
    """A receiver with one connector, which is asked without a socket, as a server would ask it."""

    def __init__(self, book: ledger.Ledger, slug: str, *, strict: bool = False) -> None:
        self.book = book
        self.connector = book.scim.connectors.add(slug, schemas=[garbage.BADGE], strict=strict)
        self.token = book.scim.connectors.add_token(slug).secret
        self.receiver: Receiver = application(book, ScimSettings(public_url=BASE, limits=PLENTY, token_memory=60))
        self.runner = asyncio.Runner()
        self.user, self.group = "nobody", "none"

    def close(self) -> None:
        self.receiver.close()
        self.runner.close()

    def set(self) -> None:
        """See to it that there is a user and a group."""
        name = secrets.token_hex(4)
        self.user = self.made("/Users", {"userName": name, "emails": [{"value": "a@b", "type": "work"}]})
        self.group = self.made("/Groups", {"displayName": name, "members": [{"value": self.user}]})

    def made(self, path: str, content: Mapping[str, Any]) -> str:
        answer = self.ask("POST", path, body=json.dumps(content).encode())
        assert answer.status == 201, answer
        return str(answer.json["id"])

    def ask(
        self,
        method: str,
        path: str,
        query: list[tuple[str, str]] | bytes = b"",
        headers: list[tuple[str, str]] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """`$USER` and `$GROUP` stand for those that there are, `$NEW` for a name that nobody has."""
        asked = self._filled(path.encode("utf-8", "surrogatepass"))
        raw = query if isinstance(query, bytes) else urlencode(query, errors="surrogatepass").encode()
        raw = raw.replace(b"%24USER", self.user.encode()).replace(b"%24GROUP", self.group.encode())
        given = [("authorization", f"Bearer {self.token}"), *(headers or [])]
        scope = {
            "type": "http",
            "method": method,
            "path": f"/scim/{self.connector.slug}/v2" + unquote(quote(asked)),
            "query_string": raw,
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in given],
            "client": ("192.0.2.7", 40000),
        }
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": self._filled(body)}

        async def send(message: Any) -> None:
            sent.append(message)

        self.runner.run(self.receiver(scope, receive, send))
        told = {name.decode(): value.decode("latin-1") for name, value in sent[0]["headers"]}
        answer = Answer(sent[0]["status"], told, sent[1]["body"])
        self.assert_well_formed(answer)
        return answer

    def _filled(self, text: bytes) -> bytes:
        for name, value in (("$USER", self.user), ("$GROUP", self.group), ("$NEW", secrets.token_hex(4))):
            text = text.replace(name.encode(), value.encode())
        return text

    def assert_well_formed(self, answer: Answer) -> None:
        assert answer.status < 500 or answer.status == 501, answer
        assert (answer.headers["content-type"], answer.headers["cache-control"]) == (
            "application/scim+json",
            "no-store",
        )
        if answer.status in {204, 304}:
            assert answer.body == b""
            return
        assert int(answer.headers["content-length"]) == len(answer.body)
        said = answer.json
        if answer.status >= 400:
            assert (said["schemas"], said["status"]) == ([ERROR], str(answer.status))
            assert not CONTROL.search(said["detail"]), said
            assert "pydantic" not in said["detail"]
        else:
            assert isinstance(said["schemas"], list)
            for each in said.get("Operations", []):
                assert int(each["status"]) < 500, each

    def assert_whole(self) -> None:
        """Everybody is listed and found, fits the schema, and is counted; the source of a sync can read it."""
        shape = shape_of(self.connector, PLENTY)
        for kind, path in (("User", "/Users"), ("Group", "/Groups")):
            listed = self.ask("GET", path, b"count=1000").json
            assert listed["totalResults"] == len(listed["Resources"])
            walked = self.ask("GET", path, b"count=1000&cursor&sortBy=displayName&attributes=id").json
            assert {each["id"] for each in walked["Resources"]} == {each["id"] for each in listed["Resources"]}
            for each in listed["Resources"]:
                assert self.ask("GET", f"{path}/{each['id']}").json == each
                with shape.provider:
                    model = shape.models["User" if kind == "User" else "Group"]
                    model.model_validate(each, scim_ctx=Context.RESOURCE_QUERY_RESPONSE)
        pushed = self.book.scim.pushed(self.connector.id)
        assert pushed.promised.get("User", 0) == len(pushed.people)
        assert pushed.promised.get("Group", 0) == len(pushed.groups)
        known = {each for each, _ in (*pushed.people, *pushed.groups)}
        assert {each for group, member, _ in pushed.memberships for each in (group, member)} <= known
        for _, document in (*pushed.people, *pushed.groups):
            assert isinstance(json.loads(document, parse_constant=_refuse), dict)


@contextmanager
def staged(url: str, slug: str = "entra", *, strict: bool = False) -> Iterator[Stage]:
    with ledger.open(url) as book:
        stage = Stage(book, slug, strict=strict)
        try:
            yield stage
        finally:
            stage.close()


@pytest.fixture(params=["sqlite", "postgresql", "strict"], scope="module")
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    url = ledger.default_url(tmp_path_factory.mktemp("fuzz"))
    if request.param == "postgresql":
        url = postgresql.emptied(request.getfixturevalue("postgresql_server"))
    with staged(url, strict=request.param == "strict") as made:
        yield made


def as_bytes(text: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    return text.map(lambda one: one.encode("utf-8", "surrogatepass"))


def requests(
    methods: list[str], places: list[str], queries: st.SearchStrategy[Any], bodies: st.SearchStrategy[bytes]
) -> st.SearchStrategy[tuple[str, str, Any, bytes]]:
    return st.tuples(st.sampled_from(methods), st.sampled_from(places), queries, bodies)


FEW = garbage.mostly([], garbage.queries())
NOTHING: st.SearchStrategy[Any] = st.just(b"")
KINDS: dict[str, st.SearchStrategy[tuple[str, str, Any, bytes]]] = {
    "anything": st.tuples(
        st.sampled_from(METHODS),
        garbage.paths(),
        garbage.mostly([], garbage.queries() | st.binary(max_size=20)),
        garbage.bodies(),
    ),
    "lists": requests(
        ["GET"], ["/Users", "/Groups", "/Users/$USER", "/Groups/$GROUP", "/", "/Schemas"], garbage.queries(), NOTHING
    ),
    "filters": requests(["GET"], ["/Users", "/Groups"], garbage.filters().map(lambda one: [("filter", one)]), NOTHING),
    "attributes of every type": requests(["POST"], ["/Users"], NOTHING, as_bytes(garbage.badges())),
    "searches": requests(
        ["POST"], ["/.search", "/Users/.search", "/Groups/.search"], NOTHING, as_bytes(garbage.searches())
    ),
    "new users": requests(["POST"], ["/Users"], FEW, as_bytes(garbage.users())),
    "new groups": requests(["POST"], ["/Groups"], FEW, as_bytes(garbage.groups())),
    "replaced users": requests(["PUT"], ["/Users/$USER"], FEW, as_bytes(garbage.users())),
    "replaced groups": requests(["PUT"], ["/Groups/$GROUP"], FEW, as_bytes(garbage.groups())),
    "patches": requests(["PATCH"], ["/Users/$USER", "/Groups/$GROUP"], FEW, as_bytes(garbage.patches())),
    "bulks": requests(["POST"], ["/Bulk"], NOTHING, as_bytes(garbage.bulks())),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_answer_is_one_of_scim_and_what_is_stored_stays_whole(stage: Stage, kind: str):
    stage.set()

    @FUZZED
    @given(KINDS[kind], garbage.headers())
    def ask(asked: tuple[str, str, Any, bytes], headers: list[tuple[str, str]]) -> None:
        method, path, query, body = asked
        stage.ask(method, path, query, headers, body)

    ask()
    stage.assert_whole()


class Histories(RuleBasedStateMachine):
    """Resources come, change and go as clients mean it, with garbage in between. Nothing is lost or invented by it."""

    users = Bundle("users")
    groups = Bundle("groups")

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage
        self.titles: dict[str, str] = {}
        self.members: dict[str, set[str]] = {}

    @rule(target=users)
    def create(self) -> str:
        made = self.stage.made("/Users", {"userName": "$NEW", "title": "new"})
        self.titles[made] = "new"
        return made

    @rule(target=groups, users=st.lists(users, max_size=3))
    def create_group(self, users: list[str]) -> str:
        there = {each for each in users if each in self.titles}
        made = self.stage.made("/Groups", {"displayName": "$NEW", "members": [{"value": each} for each in there]})
        self.members[made] = there
        return made

    @rule(user=users, title=st.text("abc", min_size=1, max_size=3))
    def retitle(self, user: str, title: str) -> None:
        answer = self.patch(f"/Users/{user}", {"op": "replace", "path": "title", "value": title})
        assert answer.status == (200 if user in self.titles else 404)
        if user in self.titles:
            self.titles[user] = title

    @rule(group=groups, user=users, op=st.sampled_from(["add", "remove"]))
    def change_members(self, group: str, user: str, op: str) -> None:
        answer = self.patch(f"/Groups/{group}", {"op": op, "path": "members", "value": [{"value": user}]})
        if group not in self.members:
            assert answer.status == 404
        elif op == "remove":
            assert answer.status == 204
            self.members[group].discard(user)
        else:
            assert answer.status == (204 if user in self.titles else 400)
            self.members[group] |= {user} & self.titles.keys()

    @rule(user=users)
    def delete(self, user: str) -> None:
        answer = self.stage.ask("DELETE", f"/Users/{user}")
        assert answer.status == (204 if self.titles.pop(user, None) else 404)
        for members in self.members.values():
            members.discard(user)

    @rule(group=groups)
    def delete_group(self, group: str) -> None:
        answer = self.stage.ask("DELETE", f"/Groups/{group}")
        assert answer.status == (404 if self.members.pop(group, None) is None else 204)

    @rule(kind=st.sampled_from(["new users", "new groups", "patches", "bulks", "searches", "lists"]), data=st.data())
    def garbage(self, kind: str, data: st.DataObject) -> None:
        """About others: those of the stage, and those that it makes."""
        method, path, query, body = data.draw(KINDS[kind])
        self.stage.ask(method, path, query, [], body)

    def patch(self, path: str, operation: Mapping[str, Any]) -> Answer:
        return self.stage.ask("PATCH", path, body=json.dumps({"Operations": [operation]}).encode())

    def teardown(self) -> None:
        for user, title in self.titles.items():
            assert self.stage.ask("GET", f"/Users/{user}").json["title"] == title
        for group, members in self.members.items():
            found = self.stage.ask("GET", f"/Groups/{group}").json.get("members", [])
            assert {each["value"] for each in found} == members


def test_what_clients_mean_is_done_whatever_comes_in_between(stage: Stage):
    if stage.connector.strict:
        pytest.skip("does not apply: these requests are not strict")
    stage.set()
    steps = settings(FUZZED, max_examples=EXAMPLES // 2, stateful_step_count=15)

    class Here(Histories):
        def __init__(self) -> None:
            super().__init__(stage)

    run_state_machine_as_test(Here, settings=steps)
    stage.assert_whole()
