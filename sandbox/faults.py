"""Faults that a simulator commits on command, so that a test can watch what a client does about them.

    simulator.faults.add(Fault(FaultKind.STATUS, "/api/v1/users$", status=503, times=2))
    simulator.faults.add(Fault(FaultKind.EARLY_END, "/members", skip=3))

A path is a regular expression that is searched for in the request's path.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

Row = TypeVar("Row")


class FaultKind(StrEnum):
    """The first six happen to any answer, the others to a page of a list, where the endpoint has pages."""

    STATUS = "status"
    DROP = "drop"  # the connection closes without an answer
    CUT = "cut"  # the connection closes in the middle of the body
    TRUNCATED = "truncated"  # a whole answer by its Content-Length, but the JSON stops half-way
    SLOW = "slow"
    CHANGE = "change"  # something happens to the company just before the answer
    EARLY_END = "early-end"  # the page says it is the last although rows are missing
    LOST_ROW = "lost-row"
    DUPLICATED_ROW = "duplicated-row"
    REPEATED_PAGE = "repeated-page"  # the way to the next page leads to this one
    EMPTY_PAGE = "empty-page"  # no rows, though more follow
    CHANGED_ORDER = "changed-order"  # the list is in another order than when the page before was read


@dataclass
class Fault:
    """`skip` matching requests pass unharmed first, then `times` are hit. `change` is what a CHANGE does.

    Raises re.error for a path that is no regular expression.
    """

    kind: FaultKind
    path: str = ""
    times: int = 1
    skip: int = 0
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    seconds: float = 0.0
    change: Callable[[], object] | None = None

    def __post_init__(self) -> None:
        self._pattern = re.compile(self.path)

    def strikes(self, path: str) -> bool:
        """Whether this request is hit; counts the ones that are skipped."""
        if self.times < 1 or not self._pattern.search(path):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        return True


class Faults:
    def __init__(self) -> None:
        self._pending: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._pending.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._pending.clear()

    def pending(self) -> list[Fault]:
        with self._lock:
            return list(self._pending)

    def take(self, path: str) -> dict[FaultKind, Fault]:
        """What goes wrong with this request: of each kind the fault that was asked for first."""
        struck: dict[FaultKind, Fault] = {}
        with self._lock:
            for fault in self._pending:
                if fault.kind not in struck and fault.strikes(path):
                    struck[fault.kind] = fault
            self._pending = [fault for fault in self._pending if fault.times > 0]
        return struck


def in_another_order(everything: Sequence[Row], start: int, size: int) -> list[Row]:
    """The page from `start` on, of a list into which half a page of rows has moved from elsewhere to its beginning.

    Rows of the page before come again in place of as many that do not come at all. A first page stays as it is.
    """
    page = everything[start : start + size]
    shift = min(start, max(1, size // 2))
    return list(everything[start - shift : start - shift + len(page)])
