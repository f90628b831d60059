"""A run's progress: a bar on a terminal, a line a phase anywhere else. It goes to stderr; answers go to stdout."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from cli.output import say
from directory.errors import UsersyncError
from reconcile.explain import kind_title
from reconcile.plan import Plan

__all__ = ["Watcher", "watching"]


class Watcher:
    """Fulfils `tasks.observer.Observer`, and remembers how far the run came."""

    def __init__(self) -> None:
        self.plan: Plan | None = None
        self.load: tuple[str, int, int] | None = None
        """Kind, settled, total; None until something was sent."""

    def waiting(self, reason: UsersyncError) -> None:
        pass

    def reading(self, side: str, what: str, rows: int) -> None:
        pass

    def planned(self, plan: Plan) -> None:
        self.plan = plan

    def loading(self, kind: str, settled: int, total: int) -> None:
        self.load = (kind, settled, total)


class _Bar(Watcher):
    def __init__(self, progress: Progress, reads: Progress) -> None:
        super().__init__()
        self._bars = progress
        self._reads = reads
        self._sides: dict[str, tuple[TaskID, dict[str, int]]] = {}
        self._load: TaskID | None = None

    def reading(self, side: str, what: str, rows: int) -> None:
        if side not in self._sides:
            self._sides[side] = (self._reads.add_task(f"read {side}", total=None, rows=""), {})
        task, seen = self._sides[side]
        seen[what] = rows
        self._reads.update(task, rows=_counted(seen))

    def loading(self, kind: str, settled: int, total: int) -> None:
        super().loading(kind, settled, total)
        if self._load is None:
            self._load = self._bars.add_task("", total=total)
        self._bars.update(
            self._load, description="applied" if settled == total else kind_title(kind), completed=settled
        )


class _Lines(Watcher):
    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self._side: str | None = None
        self._seen: dict[str, int] = {}
        self._kind: str | None = None

    def reading(self, side: str, what: str, rows: int) -> None:
        if side != self._side:
            self.finish()
            self._side = side
        self._seen[what] = rows

    def planned(self, plan: Plan) -> None:
        super().planned(plan)
        self.finish()

    def loading(self, kind: str, settled: int, total: int) -> None:
        if kind != self._kind:
            self.finish()
            self._kind = kind
        super().loading(kind, settled, total)

    def finish(self) -> None:
        """Say the line of the phase that is over."""
        if self._side is not None:
            say(self._console, [Text(f"  {f'read {self._side}':<19}{_counted(self._seen)}")])
        if self._kind is not None and self.load is not None:
            _, settled, total = self.load
            say(self._console, [Text(f"  {kind_title(self._kind):<19}{settled:,} of {total:,} operations")])
        self._side = self._kind = None
        self._seen = {}


@contextmanager
def watching(console: Console, *, silent: bool = False) -> Iterator[Watcher]:
    """Somebody to tell about a run, for as long as the block lasts."""
    if silent:
        yield Watcher()
        return
    if not console.is_terminal:
        lines = _Lines(console)
        yield lines
        lines.finish()
        return
    reads = Progress(
        TextColumn("  {task.description:<17}"), TextColumn("{task.fields[rows]}", style="dim"), console=console
    )
    bars = Progress(
        TextColumn("  {task.description:<17}"),
        BarColumn(bar_width=40, complete_style="green", finished_style="green"),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )
    with _shown(console, reads, bars):
        yield _Bar(bars, reads)


@contextmanager
def _shown(console: Console, *parts: Progress) -> Iterator[None]:
    from rich.console import Group  # noqa: PLC0415 -- with Live, for a terminal alone
    from rich.live import Live  # noqa: PLC0415

    with Live(Group(*parts), console=console, refresh_per_second=10):
        yield


def _counted(seen: dict[str, int]) -> str:
    return ", ".join(f"{what} {rows:,}" for what, rows in seen.items())
