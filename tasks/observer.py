"""Who watches a run: a terminal, a Prefect artifact, or nobody."""

from __future__ import annotations

from typing import Protocol

from directory.errors import UsersyncError
from reconcile.plan import Plan

__all__ = ["Observer", "Unobserved"]


class Observer(Protocol):
    """Told what a run is doing. Never asked anything."""

    def waiting(self, reason: UsersyncError) -> None:
        """Another run has the target; called once, before the wait."""

    def reading(self, side: str, what: str, rows: int) -> None:
        """So many rows of `what` came from `side` (`source` or `target`) so far."""

    def planned(self, plan: Plan) -> None:
        """The plan is made and stored."""

    def loading(self, kind: str, settled: int, total: int) -> None:
        """So many of the plan's operations are settled, of so many; `kind` is being carried out."""


class Unobserved:
    """Watches nothing."""

    def waiting(self, reason: UsersyncError) -> None:
        pass

    def reading(self, side: str, what: str, rows: int) -> None:
        pass

    def planned(self, plan: Plan) -> None:
        pass

    def loading(self, kind: str, settled: int, total: int) -> None:
        pass
