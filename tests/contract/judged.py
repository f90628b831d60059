"""Stands between any client and a simulator, and judges both by the vendor's description.

The client's requests and the simulator's answers pass unchanged; what contradicts the description is collected, because
an assertion raised in the server's thread would reach no test.

    judged = Judged(simulator.app, api)
    with served(judged) as base_url: ...
    judged.verdict()
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.contract.api_description import ApiDescription


class Judged:
    """`operations` holds each `METHOD /template` seen with its statuses, `objections` what contradicted.

    `ignored` names path prefixes that the description does not cover, such as a simulator's own control resources.
    """

    def __init__(
        self, app: ASGIApp, api: ApiDescription, *, requests: bool = True, ignored: tuple[str, ...] = ("/sandbox/",)
    ) -> None:
        self._app = app
        self._api = api
        self._judges_requests = requests
        self._ignored = ignored
        self.operations: dict[str, set[int]] = {}
        self.objections: list[str] = []

    def verdict(self) -> None:
        assert not self.objections, "\n".join(self.objections)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(self._ignored):
            await self._app(scope, receive, send)
            return
        sent, answered = bytearray(), bytearray()
        start: Message = {}

        async def hear() -> Message:
            message = await receive()
            sent.extend(message.get("body", b""))
            return message

        async def say(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            answered.extend(message.get("body", b""))
            if message["type"] == "http.response.body" and not message.get("more_body"):
                self._judge(scope, bytes(sent), start, bytes(answered))
            await send(message)

        await self._app(scope, hear, say)

    def _judge(self, scope: Scope, sent: bytes, start: Message, answered: bytes) -> None:
        method, path, status = scope["method"], scope["path"], start["status"]
        query = scope["query_string"].decode("latin-1")
        if self._judges_requests:
            headers = _headers(scope["headers"])
            self._collect(lambda: self._api.check_request(method, path, query, headers, sent))
        headers_back = _headers(start["headers"])
        self._collect(lambda: self._api.check_response(method, path, status, answered, headers_back))
        self._collect(lambda: self._count(method, path, status))

    def _count(self, method: str, path: str, status: int) -> None:
        self.operations.setdefault(str(self._api.operation(method, path)), set()).add(status)

    def _collect(self, check: Callable[[], None]) -> None:
        try:
            check()
        except AssertionError as objection:
            if str(objection) not in self.objections:
                self.objections.append(str(objection))


def _headers(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in raw}
