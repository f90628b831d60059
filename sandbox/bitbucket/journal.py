"""What was asked, and what took effect."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

Effect = tuple[str, ...]


class RequestRecord(NamedTuple):
    """`status` is None where the connection was dropped; `user` is who the credentials belonged to."""

    method: str
    path: str
    query: str
    status: int | None
    user: str | None


class RequestLog:
    """Every request but those to `/sandbox`, in order of their end."""

    def __init__(self) -> None:
        self._records: list[RequestRecord] = []
        self.reads = 0
        self.writes = 0

    def append(self, record: RequestRecord) -> None:
        self._records.append(record)
        if record.method in {"GET", "HEAD"}:
            self.reads += 1
        else:
            self.writes += 1

    def clear(self) -> None:
        self._records.clear()
        self.reads = self.writes = 0

    def count(self, method: str | None = None, path_end: str = "") -> int:
        return sum(r.path.endswith(path_end) and method in {None, r.method} for r in self._records)

    def by_status(self) -> Counter[int | None]:
        return Counter(record.status for record in self._records)

    def by_call(self) -> Counter[str]:
        return Counter(f"{record.method} {record.path}" for record in self._records)

    def __iter__(self) -> Iterator[RequestRecord]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> RequestRecord:
        return self._records[index]


class EffectLog(list[Effect]):
    """Every state change that took effect, such as `("join", "dev", "jane")`: a call that changed nothing adds none."""

    def repeated(self) -> list[Effect]:
        """The effects that happened more than once."""
        return [effect for effect, times in Counter(self).items() if times > 1]

    def by_kind(self) -> Counter[str]:
        return Counter(effect[0] for effect in self)
