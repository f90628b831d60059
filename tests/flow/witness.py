"""Which process sent a request, told by the operating system and not by what the process says of itself."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import anyio.to_thread
from starlette.types import ASGIApp, Receive, Scope, Send


@dataclass(frozen=True)
class Sent:
    process: int
    """0 where the process had ended before it could be looked up."""
    begun: float
    ended: float


@dataclass
class Witness:
    """Stands before a target and notes every request that writes."""

    writes: list[Sent] = field(default_factory=list)
    _owners: dict[str, int] = field(default_factory=dict)

    def wrap(self, app: ASGIApp) -> ASGIApp:
        async def between(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or scope["method"] == "GET":
                await app(scope, receive, send)
                return
            begun = time.monotonic()
            owner = await anyio.to_thread.run_sync(self._owner, scope["client"][1])
            try:
                await app(scope, receive, send)
            finally:
                self.writes.append(Sent(owner, begun, time.monotonic()))

        return between

    def holders(self) -> list[int]:
        """The processes that wrote, in order, each as often as it began anew after another."""
        known = [sent.process for sent in sorted(self.writes, key=lambda sent: sent.begun) if sent.process]
        return [process for number, process in enumerate(known) if number == 0 or known[number - 1] != process]

    def side_by_side(self) -> list[tuple[Sent, Sent]]:
        """Writes of different processes that were under way at the same time."""
        known = sorted((sent for sent in self.writes if sent.process), key=lambda sent: sent.begun)
        return [
            (one, other)
            for number, one in enumerate(known)
            for other in known[number + 1 :]
            if other.begun < one.ended and other.process != one.process
        ]

    def _owner(self, port: int) -> int:
        inode = _socket_at(port)
        if inode is None:
            return 0
        if inode not in self._owners:
            self._owners[inode] = _process_with(f"socket:[{inode}]")
        return self._owners[inode]


def _socket_at(port: int) -> str | None:
    """The inode of the client's end, by its local port (proc(5), /proc/net/tcp)."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].rpartition(":")[2], 16) == port and fields[9] != "0":
            return fields[9]
    return None


def _process_with(socket: str) -> int:
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if any(str(file.readlink()) == socket for file in (folder / "fd").iterdir()):
                return int(folder.name)
    return 0
