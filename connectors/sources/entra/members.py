"""Reads who is in which group through batches, and follows groups within groups that no list has named yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from connectors.sources.entra.api import PAGE, GraphApi
from connectors.sources.entra.batch import Job
from connectors.sources.entra.wire import DirectoryObject, Group

__all__ = ["Members"]


class Members:
    """Collects `people` and `within` (group id to ids of users, of groups) and `findings`, and adds to `names` the
    groups that were found within others. Devices, contacts and service principals are no people and are left out.
    """

    def __init__(self, api: GraphApi, names: dict[str, str], *, counted: bool, progress: Callable[[int], None]) -> None:
        self._api = api
        self._counted = "&$count=true" if counted else ""
        self._progress = progress
        self._asked: set[str] = set(names)
        self._received = 0
        self.names = names
        self.people: dict[str, set[str]] = {}
        self.within: dict[str, set[str]] = {}
        self.findings: list[str] = []

    def start_from(self, names: dict[str, str]) -> None:
        """The groups that are known by name."""
        self.names.update(names)
        self._asked.update(names)

    async def read(self, group_ids: Iterable[str]) -> None:
        await self._api.batched([self._job(group_id) for group_id in group_ids])
        for group_id, ids in self.within.items():
            self.within[group_id] = {each for each in ids if each in self.names}

    def _job(self, group_id: str) -> Job:
        people = self.people[group_id] = set()
        within = self.within[group_id] = set()
        others: set[str] = set()

        def each(rows: list[DirectoryObject]) -> Iterable[Job]:
            for row in rows:
                (people if row.is_user else within if row.is_group else others).add(row.id)
                if row.is_group and row.id not in self._asked:
                    self._asked.add(row.id)
                    yield self._named(row.id)
            self._received += len(rows)
            self._progress(self._received)

        def end(promised: int | None) -> None:
            if promised == -1:
                self._vanished(group_id)
            elif promised is not None and len(people) + len(within) + len(others) < promised:
                short.append(promised)

        short: list[int] = []
        url = f"/groups/{group_id}/members?$select=id&$top={PAGE}{self._counted}"
        return _followed(self._api.list_of_objects(url, each, end), lambda: self._recount(group_id, short))

    def _recount(self, group_id: str, short: list[int]) -> Iterable[Job]:
        """Graph may count members that it does not list, such as service principals: count users and groups alone."""
        if short:
            short.clear()
            yield self._counted_apart(group_id, "user", self.people[group_id])
            yield self._counted_apart(group_id, "group", self.within[group_id])

    def _counted_apart(self, group_id: str, kind: str, known: set[str]) -> Job:
        def each(rows: list[DirectoryObject]) -> Iterable[Job]:
            again.update(row.id for row in rows)
            for row in rows:
                if row.is_group and row.id not in self._asked:
                    self._asked.add(row.id)
                    yield self._named(row.id)

        def end(promised: int | None) -> None:
            known.update(again)
            if promised is not None and 0 <= len(again) < promised:
                name = self.names.get(group_id, "?")
                self.findings.append(
                    f"the group {name} ({group_id}) has {promised} {kind}s by Graph's count, but only {len(again)} came"
                )

        again: set[str] = set()
        url = f"/groups/{group_id}/members/microsoft.graph.{kind}?$select=id&$top={PAGE}&$count=true"
        return self._api.list_of_objects(url, each, end)

    def _named(self, group_id: str) -> Job:
        def then(group: Group | None) -> Iterable[Job]:
            if group is not None:
                self.names[group_id] = group.name or group_id
                yield self._job(group_id)

        return Job(f"/groups/{group_id}?$select=id,displayName", Group, then)

    def _vanished(self, group_id: str) -> None:
        name = self.names.pop(group_id, "?")
        self.people.pop(group_id, None)
        self.within.pop(group_id, None)
        self.findings.append(f"the group {name} ({group_id}) was deleted while it was read")


def _followed(job: Job, after: Callable[[], Iterable[Job]]) -> Job:
    """The same job; what `after` asks for comes when the list has ended."""
    first = job.then

    def then(page: object) -> Iterable[Job]:
        for more in first(page):
            # A further page of the same list carries the list's own continuation.
            yield _followed(more, after) if more.then is first else more
        yield from after()

    job.then = then
    return job
