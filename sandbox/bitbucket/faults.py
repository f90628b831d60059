"""What goes wrong on command: wrong statuses, lost connections, cut answers, slow answers."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

READS = frozenset({"GET", "HEAD"})
HTML = b"<html><head><title>Error</title></head><body><h1>Something is not right</h1></body></html>"


class Fault(BaseModel):
    """One thing that goes wrong, for the requests that match.

    `method` is a method, `READ`, `WRITE` or `*`; `path` a pattern (`*` spans slashes) for what follows
    `/rest/api/<version>`, such as `/admin/users`. The first `skip` matching requests are spared, then every `every`-th
    one is hit, `times` times in all (None: for ever). `when` is `after` for a request that takes effect nevertheless.

    Kinds: `status` answers `status`; `drop` closes the connection without an answer; `truncate` sends the first half of
    the answer as if it were whole; `cut` closes the connection in the middle of the answer; `slow` waits `seconds`.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Literal["status", "drop", "truncate", "cut", "slow"]
    method: str = "*"
    path: str = "*"
    when: Literal["before", "after"] = "before"
    times: int | None = Field(1, gt=0)
    every: int = Field(1, gt=0)
    skip: int = Field(0, ge=0)
    status: int = 503
    retry_after: str | None = None
    body: Literal["json", "html", "empty"] = "json"
    seconds: float = 0.0
    seen: int = 0
    hits: int = 0

    def matches(self, method: str, path: str) -> bool:
        kinds = {"*", method, "READ" if method in READS else "WRITE"}
        return self.method in kinds and fnmatchcase(path, self.path)

    def strikes(self) -> bool:
        """Count a matching request; whether it is one that goes wrong."""
        self.seen += 1
        beyond = self.seen - self.skip
        if self.spent or beyond < 1 or beyond % self.every:
            return False
        self.hits += 1
        return True

    @property
    def spent(self) -> bool:
        return self.times is not None and self.hits >= self.times


class Faults:
    """The faults in force; the first one that strikes a request is the only one it meets."""

    def __init__(self) -> None:
        self._active: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        self._active.append(fault)
        return fault

    def clear(self) -> None:
        self._active.clear()

    def __len__(self) -> int:
        return sum(not fault.spent for fault in self._active)

    def active(self) -> list[Fault]:
        return [fault for fault in self._active if not fault.spent]

    def strike(self, method: str, path: str) -> Fault | None:
        for fault in self._active:
            if fault.matches(method, path) and fault.strikes():
                return fault
        return None

    def answer(
        self,
        status: int,
        *,
        method: str = "*",
        path: str = "*",
        times: int | None = 1,
        retry_after: str | None = None,
        body: Literal["json", "html", "empty"] = "json",
    ) -> Fault:
        """The next matching requests are answered with a status, and change nothing."""
        return self.add(
            Fault(
                kind="status",
                status=status,
                method=method,
                path=path,
                times=times,
                retry_after=retry_after,
                body=body,
            )
        )

    def every_kth_read(self, k: int, status: int = 503) -> Fault:
        return self.add(Fault(kind="status", status=status, method="READ", every=k, times=None))

    def fail_writes(self, status: int = 500) -> Fault:
        return self.add(Fault(kind="status", status=status, method="WRITE", times=None))

    def lose_answer(self, *, method: str = "WRITE", path: str = "*", times: int | None = 1, skip: int = 0) -> Fault:
        """The change is made, then the connection closes: the client cannot know."""
        return self.add(Fault(kind="drop", when="after", method=method, path=path, times=times, skip=skip))

    def drop(self, *, method: str = "*", path: str = "*", times: int | None = 1, skip: int = 0) -> Fault:
        """The connection closes before anything happened."""
        return self.add(Fault(kind="drop", when="before", method=method, path=path, times=times, skip=skip))

    def truncate(self, *, method: str = "READ", path: str = "*", times: int | None = 1) -> Fault:
        return self.add(Fault(kind="truncate", method=method, path=path, times=times))

    def cut(self, *, method: str = "READ", path: str = "*", times: int | None = 1) -> Fault:
        return self.add(Fault(kind="cut", method=method, path=path, times=times))

    def slow(self, seconds: float, *, method: str = "*", path: str = "*", times: int | None = 1) -> Fault:
        return self.add(Fault(kind="slow", seconds=seconds, method=method, path=path, times=times))
