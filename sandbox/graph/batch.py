"""`POST /$batch`: up to twenty requests in one (Graph, "Combine multiple HTTP requests using JSON batching")."""

from __future__ import annotations

import base64
import random
from collections.abc import Mapping

import msgspec

from sandbox.graph.asking import Reply
from sandbox.graph.refusals import bad

MOST = 20


class Inner(msgspec.Struct, rename={"depends_on": "dependsOn"}):
    id: str
    method: str
    url: str
    headers: dict[str, str] = {}
    depends_on: list[str] = []

    def fails_because_of(self, replies: Mapping[str, Reply]) -> bool:
        return any(each not in replies or replies[each].status >= 400 for each in self.depends_on)


class _Batch(msgspec.Struct):
    requests: list[Inner]


def read(body: bytes) -> list[Inner]:
    """Raises `Refusal` for what Graph does not take."""
    try:
        inner = msgspec.json.decode(body, type=_Batch).requests
    except msgspec.DecodeError as error:
        raise bad(f"Invalid batch payload format: {error}") from None
    if len(inner) > MOST:
        raise bad(f"Number of batch request steps exceeds the maximum value of {MOST}.", "MaximumValueExceeded")
    if len({each.id for each in inner}) < len(inner):
        raise bad("Request Id has to be unique in a batch.")
    for each in inner:
        if each.method != "GET":
            raise bad("The simulator's batches take GET only.")
        if not each.url.startswith("/"):
            raise bad(f"Request url must be relative: {each.url}")
    return inner


def written(replies: Mapping[str, Reply], *, shuffled: bool) -> Reply:
    """The answers in any order, as Graph gives them. What is no JSON comes as base64 text."""
    ids = list(replies)
    if shuffled:
        random.Random(len(ids) + len("".join(ids))).shuffle(ids)  # noqa: S311 the same on every run
    responses = []
    for each in ids:
        reply = replies[each]
        media, body = _shown(reply.body)
        headers = {**{_titled(name): value for name, value in reply.headers.items()}, "Content-Type": media}
        responses.append({"id": each, "status": reply.status, "headers": headers, "body": body})
    return Reply(200, {"responses": responses})


def _shown(body: object) -> tuple[str, object]:
    if isinstance(body, bytes):
        return "image/png", base64.b64encode(body).decode()
    if isinstance(body, str):
        return "text/plain", base64.b64encode(body.encode()).decode()
    return "application/json; odata.metadata=minimal", body


def _titled(name: str) -> str:
    return "-".join(part.capitalize() for part in name.split("-"))
