"""The SCIM receiver beside scim2-server alone, over the same SQLite ledger, in the same run, one process each.

    scim_receiver.py [PEOPLE] [MEMBERS] [SECONDS]

Seeds a ledger with people and one large group, serves it twice (the receiver, and scim2-server's own ASGI application
over the same storage), and asks both the same by eight connections, by turns. Prints a line of JSON for each kind of
request. Exit code 1 where a bar is missed.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_CONNECTIONS = 8
_TURNS = 4
_BARS = {"GET by id": 2.0, "filter by userName": 2.0, "list of 100": 6.0, "POST": 1.0, "PATCH": 1.0}
_ADD_MEMBER_MS = 10.0
_PREFIX = "/scim/bench/v2"


def main() -> int:
    arguments = sys.argv[1:]
    if arguments[:1] == ["serve"]:
        return _serve(arguments[1], Path(arguments[2]), int(arguments[3]))
    people, members, seconds = (int(each) for each in [*arguments, *("100000", "50000", "8")[len(arguments) :]])
    with tempfile.TemporaryDirectory(prefix="usersync-scim-") as folder:
        token, ids, group = _seed(Path(folder) / "ledger.db", people, members)
        found = asyncio.run(_measured(Path(folder) / "ledger.db", token, ids, group, seconds))
    return _told(found)


def _told(found: dict[str, dict[str, Any]]) -> int:
    missed = 0
    for name, bar in _BARS.items():
        ours, bare = found["receiver"][name], found["bare"][name]
        times = ours["per_second"] / bare["per_second"]
        cpu = bare["cpu_ms"] / ours["cpu_ms"]
        missed += times < bar
        line = {
            "request": name,
            "receiver": ours,
            "bare": bare,
            "times": round(times, 2),
            "times_in_cpu": round(cpu, 2),
        }
        print(json.dumps({**line, "bar": bar, "met": times >= bar}))
    ours, bare = found["receiver"]["add one member"], found["bare"]["add one member"]
    met = ours["p50_ms"] < _ADD_MEMBER_MS
    print(
        json.dumps({"request": "add one member", "receiver": ours, "bare": bare, "bar_ms": _ADD_MEMBER_MS, "met": met})
    )
    print(json.dumps({"peak_mib": {kind: each["peak_mib"] for kind, each in found.items()}}))
    return 1 if missed or not met else 0


def _seed(path: Path, people: int, members: int) -> tuple[str, list[str], str]:
    import uuid

    from sqlalchemy import text

    import ledger
    from service.scim import Limits
    from service.scim.drafts import draft_of
    from service.scim.shape import shape_of

    with ledger.open(path) as book:
        connector = book.scim.connectors.add("bench")
        token = book.scim.connectors.add_token("bench").secret
        shape = shape_of(connector, Limits())
        with shape.provider:
            draft = draft_of(shape, "User", shape.models["User"].model_validate(_person("@@")))
        ids = [str(uuid.UUID(int=random.getrandbits(128), version=4)) for _ in range(people)]
        group = str(uuid.uuid4())
        with book._database.write() as connection:  # noqa: SLF001 -- rows in bulk, past the writers
            rows = [
                {
                    "c": connector.id,
                    "id": each,
                    "n": draft.name_key.replace("@@", str(number)),
                    "x": f"ext-{number}",
                    "at": number + 1,
                    "d": draft.document.replace("@@", str(number)),
                    "k": draft.keys.replace("@@", str(number)),
                    "v": f"person{number}@example.com",
                }
                for number, each in enumerate(ids)
            ]
            connection.execute(
                text("INSERT INTO scim_resources VALUES (:c, :id, 'User', :n, :x, 1, :at, :at, :d, :k)"), rows
            )
            connection.execute(text("INSERT INTO scim_values VALUES (:c, 'emails.value', :v, :id)"), rows)
            document = json.dumps({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "All"})
            row = {"c": connector.id, "id": group, "d": document}
            connection.execute(
                text("INSERT INTO scim_resources VALUES (:c, :id, 'Group', 'all', NULL, 1, 1, 1, :d, '{}')"), row
            )
            connection.execute(
                text("INSERT INTO scim_members VALUES (:c, :g, :id, 'User', NULL)"),
                [{"c": connector.id, "g": group, "id": each} for each in sorted(ids[:members])],
            )
            connection.execute(
                text("INSERT INTO scim_counts VALUES (:c, 'User', :n), (:c, 'Group', 1)"),
                {"c": connector.id, "n": people},
            )
            connection.execute(text("ANALYZE"))
    return token, ids, group


def _person(number: str) -> dict[str, Any]:
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": f"person{number}@example.com",
        "externalId": f"ext-{number}",
        "name": {"givenName": "Given", "familyName": f"Family{number}", "formatted": f"Given Family{number}"},
        "displayName": f"Given Family{number}",
        "title": "Engineer",
        "active": True,
        "emails": [{"value": f"person{number}@example.com", "type": "work", "primary": True}],
        "phoneNumbers": [{"value": "+1 555 0100", "type": "mobile"}],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Tools", "employeeNumber": number},
    }


def _serve(kind: str, path: Path, port: int) -> int:
    import uvicorn

    import ledger
    from service.scim import Limits, ScimSettings, application

    with ledger.open(path) as book:
        address = f"http://127.0.0.1:{port}"
        if kind == "receiver":
            limits = Limits(requests_per_second=1e6, burst=1_000_000)
            served: Any = application(book, ScimSettings(public_url=address, limits=limits))
        else:
            served = _bare(book)
        uvicorn.run(served, host="127.0.0.1", port=port, log_level="error", access_log=False)
    return 0


def _bare(book: Any) -> Any:
    """scim2-server's own application, which checks no token and logs no write but what the storage does."""
    from scim2_server.applications.asgi import ASGIApplication
    from scim2_server.storage import AsyncScimStorage

    from ledger.scim.writing import Actor
    from service.scim import Limits
    from service.scim.shape import shape_of
    from service.scim.storage import LedgerStorage

    connector = book.scim.connectors.get("bench")
    shape = shape_of(connector, Limits(page=1000))

    def read(call: Callable[[LedgerStorage], Any]) -> Any:
        with book.scim.read() as transaction:
            return call(LedgerStorage(shape, transaction.reader(connector.id)))

    def write(call: Callable[[LedgerStorage], Any]) -> Any:
        with book.scim.write() as transaction:
            writer = transaction.writer(connector.id, Actor("none", None, "none", "bench"))
            return call(LedgerStorage(shape, writer, transaction))

    class Storage(AsyncScimStorage):
        supports_cursors = True

        async def get(self, resource_type: Any, resource_id: str, *, response_parameters: Any = None) -> Any:
            return read(lambda s: s.get(resource_type, resource_id, response_parameters=response_parameters))

        async def search(self, resource_types: Any, search_request: Any, *, position: Any = None) -> Any:
            return read(lambda s: s.search(resource_types, search_request, position=position))

        async def create(self, resource_type: Any, resource: Any) -> Any:
            return write(lambda s: s.create(resource_type, resource))

        async def update(self, resource_type: Any, resource: Any, *, expected_version: str | None = None) -> Any:
            return write(lambda s: s.update(resource_type, resource, expected_version=expected_version))

        async def delete(self, resource_type: Any, resource_id: str, *, expected_version: str | None = None) -> None:
            write(lambda s: s.delete(resource_type, resource_id, expected_version=expected_version))

    from scim2_server.service import ScimService

    application = ASGIApplication(Storage(), shape.provider, ScimService(shape.provider, secret=shape.secret))

    async def below(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope = {**scope, "root_path": _PREFIX.removesuffix("/v2")}
        await application(scope, receive, send)

    return below


async def _measured(path: Path, token: str, ids: list[str], group: str, seconds: int) -> dict[str, dict[str, Any]]:
    """By turns, so that what else the machine does falls on both alike."""
    servers = {kind: await _started(kind, path) for kind in ("bare", "receiver")}
    found: dict[str, dict[str, Any]] = {kind: {} for kind in servers}
    try:
        for name in _BARS:
            loads: dict[str, list[dict[str, Any]]] = {kind: [] for kind in servers}
            for _ in range(_TURNS):
                for kind, (port, process) in servers.items():
                    make = _requests(ids, kind)[name]
                    loads[kind].append(await _load(port, token, process.pid, make, seconds / _TURNS))
            for kind, of_kind in loads.items():
                found[kind][name] = _together(of_kind)
        for kind, (port, process) in servers.items():
            found[kind]["add one member"] = await _one_by_one(port, token, group, ids, 40 if kind == "receiver" else 2)
            found[kind]["peak_mib"] = _peak_mib(process.pid)
    finally:
        for _, process in servers.values():
            process.terminate()
            await process.wait()
    return found


async def _started(kind: str, path: Path) -> tuple[int, asyncio.subprocess.Process]:
    port = random.randint(20000, 50000)
    process = await asyncio.create_subprocess_exec(sys.executable, __file__, "serve", kind, str(path), str(port))
    await _up(port)
    return port, process


def _together(loads: list[dict[str, Any]]) -> dict[str, Any]:
    count = sum(each["count"] for each in loads)
    found: dict[str, Any] = {
        "per_second": round(sum(each["good"] for each in loads) / sum(each["seconds"] for each in loads), 1),
        "cpu_ms": round(sum(each["cpu_seconds"] for each in loads) / count * 1000, 3),
    }
    times = sorted(time for each in loads for time in each["times"])
    found["p50_ms"] = round(times[len(times) // 2] * 1000, 2)
    found["p99_ms"] = round(times[int(len(times) * 0.99)] * 1000, 2)
    wrong = [each["wrong"] for each in loads if each["wrong"]]
    return {**found, "wrong": wrong} if wrong else found


def _requests(ids: list[str], kind: str) -> dict[str, Callable[[random.Random], tuple[str, str, Any, int]]]:
    count = len(ids)

    def patch(chance: random.Random) -> tuple[str, str, Any, int]:
        operations = [
            {"op": "replace", "path": "title", "value": f"Engineer {chance.random()}"},
            {"op": "replace", "path": 'emails[type eq "work"].value', "value": f"e{chance.random()}@example.com"},
        ]
        body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations}
        # Far apart, because scim2-server alone answers 412 where two change one person at once.
        return "PATCH", f"/Users/{chance.choice(ids)}", body, 200 if kind == "receiver" else 204

    def filtered(chance: random.Random) -> tuple[str, str, Any, int]:
        name = f"person{chance.randrange(count)}%40example.com"
        return "GET", f"/Users?filter=userName%20eq%20%22{name}%22", None, 200

    def listed(chance: random.Random) -> tuple[str, str, Any, int]:
        return "GET", f"/Users?startIndex={chance.randrange(1, max(2, count - 100))}&count=100", None, 200

    return {
        "GET by id": lambda chance: ("GET", f"/Users/{chance.choice(ids)}", None, 200),
        "filter by userName": filtered,
        "list of 100": listed,
        "POST": lambda chance: ("POST", "/Users", _person(f"-new-{chance.getrandbits(64)}"), 201),
        "PATCH": patch,
    }


async def _load(port: int, token: str, pid: int, make: Any, seconds: float) -> dict[str, Any]:
    times: list[float] = []
    wrong: dict[int, int] = {}
    chance = random.Random()
    stop = time.perf_counter() + seconds

    async def one() -> None:
        connection = await _Connection.to(port, token)
        while time.perf_counter() < stop:
            method, path, body, wanted = make(chance)
            begun = time.perf_counter()
            status = await connection.ask(method, path, body)
            times.append(time.perf_counter() - begun)
            if status != wanted:
                wrong[status] = wrong.get(status, 0) + 1
        connection.close()

    before = _processor_seconds(pid)
    begun = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(_CONNECTIONS)))
    spent = time.perf_counter() - begun
    return {
        "seconds": spent,
        "cpu_seconds": _processor_seconds(pid) - before,
        "count": len(times),
        "good": len(times) - sum(wrong.values()),
        "times": times,
        "wrong": wrong,
    }


async def _one_by_one(port: int, token: str, group: str, ids: list[str], count: int) -> dict[str, float]:
    connection = await _Connection.to(port, token)
    times = []
    for each in ids[-count:]:
        operation = {"op": "Add", "path": "members", "value": [{"value": each}]}
        body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]}
        begun = time.perf_counter()
        status = await connection.ask("PATCH", f"/Groups/{group}", body)
        times.append(time.perf_counter() - begun)
        if status != 204:
            raise SystemExit(f"adding a member was answered with {status}")
    connection.close()
    times.sort()
    return {"p50_ms": round(times[len(times) // 2] * 1000, 2), "max_ms": round(times[-1] * 1000, 2), "of": count}


class _Connection:
    """HTTP/1.1 without a library: the processor is for the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str) -> None:
        self._reader = reader
        self._writer = writer
        self._always = f"Host: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"

    @classmethod
    async def to(cls, port: int, token: str) -> _Connection:
        return cls(*await asyncio.open_connection("127.0.0.1", port), token)

    async def ask(self, method: str, path: str, body: Any) -> int:
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {_PREFIX}{path} HTTP/1.1\r\n{self._always}"
        if content:
            head += f"Content-Type: application/scim+json\r\nContent-Length: {len(content)}\r\n"
        self._writer.write(f"{head}\r\n".encode() + content)
        answer = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        status = int(answer[9:12])
        if b"transfer-encoding: chunked" in answer:
            while size := int(await self._reader.readline(), 16):
                await self._reader.readexactly(size + 2)
            await self._reader.readline()
        elif b"content-length: " in answer:
            length = int(answer.partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await self._reader.readexactly(length)
        return status

    def close(self) -> None:
        self._writer.close()


async def _up(port: int) -> None:
    for _ in range(300):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return
    raise SystemExit("the server did not come up")


def _peak_mib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) // 1024


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


if __name__ == "__main__":
    sys.exit(main())
