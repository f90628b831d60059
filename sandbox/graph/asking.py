"""One request to Graph, whether it came by itself or inside a batch, and the answer to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
from starlette.responses import PlainTextResponse, Response

from sandbox.faults import Fault, FaultKind


@dataclass(frozen=True)
class Ask:
    """`path` begins behind `/v1.0`; `base` is the address that ends with it; names of headers are in lower case."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    base: str
    struck: Mapping[FaultKind, Fault]

    @property
    def is_advanced(self) -> bool:
        """Whether both marks of an advanced query are there (Graph, "Advanced query capabilities")."""
        return self.is_eventual and self.query.get("$count") == "true"

    @property
    def is_eventual(self) -> bool:
        return self.headers.get("consistencylevel", "").lower() == "eventual"


@dataclass
class Reply:
    status: int = 200
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        if isinstance(self.body, bytes):
            return Response(self.body, self.status, headers=self.headers, media_type="image/png")
        if isinstance(self.body, str):
            return PlainTextResponse(self.body, self.status, headers=self.headers)
        media = "application/json; odata.metadata=minimal"
        return Response(msgspec.json.encode(self.body), self.status, headers=self.headers, media_type=media)


class Refusal(Exception):
    """An answer of the protocol, not a failure of the simulator."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply.body))
        self.reply = reply
