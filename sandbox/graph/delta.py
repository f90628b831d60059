"""What changed since a token: users/delta and groups/delta.

Graph, "Use delta query to track changes in Microsoft Graph data", "user: delta" and "group: delta". A group's members
come in `members@delta`, a large group over several rows and pages; every page may repeat rows that came before.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Literal

from sandbox.company import Happening
from sandbox.graph import documents
from sandbox.graph.asking import Ask, Reply
from sandbox.graph.documents import Document
from sandbox.graph.paging import link, opened, sealed, with_faults
from sandbox.graph.refusals import bad, resync, sync_state_not_found
from sandbox.graph.state import GraphState

Forgotten = Literal["410", "syncStateNotFound"]
Rows = dict[str, Document]


@dataclass(frozen=True)
class Since:
    """How much had happened to the company and to the links; None for nothing told yet."""

    changes: int
    links: int


@dataclass
class Deltas:
    state: GraphState
    forgotten: Forgotten = "syncStateNotFound"
    _epoch: int = field(default=0)

    def forget(self, answer: Forgotten) -> None:
        """Every token that was given out is refused from now on."""
        self.forgotten = answer
        self._epoch += 1

    def page(self, ask: Ask, kind: Literal["users", "groups"]) -> Reply:
        for name in ("$expand", "$top", "$orderby", "$filter"):
            if name in ask.query:
                raise bad(f"'{name}' is not supported on a delta query.", "Request_BadRequest")
        path = f"/{kind}/delta"
        now = Since(self.state.company.version, len(self.state.link_changes))
        if ask.query.get("$deltatoken") == "latest":
            return self._reply(ask, path, kind, [], delta=self._token(ask.query.get("$select"), None, now, None))
        select, since, started, after = self._read(ask, kind, now)
        rows = self._users(since, select) if kind == "users" else self._groups(since, select)
        keys = sorted(rows)
        start = bisect_right(keys, after) if after is not None else 0
        size = self.state.switches.delta_page
        found = keys[start : start + size]
        cursor = found[-1] if start + size < len(keys) else None
        if after is not None:
            found = keys[max(0, start - self.state.switches.delta_replays) : start] + found
        found, cursor = with_faults(ask, found, cursor, after or "")
        shown = [rows[key] for key in found]
        if cursor is not None:
            return self._reply(ask, path, kind, shown, skip=self._token(select, since, started, cursor))
        return self._reply(ask, path, kind, shown, delta=self._token(select, None, started, None))

    def _reply(
        self, ask: Ask, path: str, kind: str, rows: list[Document], *, skip: str | None = None, delta: str | None = None
    ) -> Reply:
        bare = Ask(path, {}, ask.headers, ask.base, ask.struck)
        body: dict[str, object] = {"@odata.context": f"{ask.base}/$metadata#{kind}"}
        if skip is not None:
            body["@odata.nextLink"] = link(bare, path, skiptoken=skip)
        if delta is not None:
            body["@odata.deltaLink"] = link(bare, path, deltatoken=delta)
        body["value"] = rows
        return Reply(200, body)

    def _token(self, select: str | None, since: Since | None, started: Since, after: str | None) -> str:
        told = None if since is None else [since.changes, since.links]
        return sealed(
            {"e": self._epoch, "q": select, "v": told, "s": [started.changes, started.links], "k": after},
        )

    def _read(self, ask: Ask, kind: str, now: Since) -> tuple[str | None, Since | None, Since, str | None]:
        given = ask.query.get("$skiptoken") or ask.query.get("$deltatoken")
        if given is None:
            return ask.query.get("$select"), None, now, None
        token = opened(given)
        if token.get("e") != self._epoch:
            raise resync(f"{ask.base}/{kind}/delta") if self.forgotten == "410" else sync_state_not_found()
        select = token["q"] if isinstance(token["q"], str) else None
        started = _since(token["s"]) or now
        if "$skiptoken" in ask.query:
            return select, _since(token["v"]), started, str(token["k"])
        return select, started, now, None

    # Rows by a key that sorts them.

    def _users(self, since: Since | None, select: str | None) -> Rows:
        state, known = self.state, self.state.users()
        names = self._selected(select)
        if since is None:
            wanted = set(known)
        else:
            moves = {Happening.HIRED, Happening.UPDATED, Happening.STANDING, Happening.ERASED}
            changes = state.company.changes[since.changes :]
            wanted = {state.user_id(str(each.person_id)) for each in changes if each.what in moves}
        return {
            user_id: {**documents.only(documents.user(user_id, known[user_id], state), names), "id": user_id}
            if user_id in known
            else {"id": user_id, "@removed": {"reason": state.switches.erased_as}}
            for user_id in wanted
        }

    def _selected(self, select: str | None) -> tuple[str, ...]:
        if select is None:
            return documents.USER_DEFAULTS
        known = next((documents.user(key, each, self.state) for key, each in self.state.users().items()), None)
        if known is None:
            return tuple(select.split(","))
        return documents.selected(select, documents.USER_DEFAULTS, known, "user")

    def _groups(self, since: Since | None, select: str | None) -> Rows:
        state, known = self.state, self.state.groups()
        names = (select or "displayName,description,members").split(",")
        if since is None:
            touched, members = set(known), {each: set(state.members(each)) for each in known}
        else:
            touched, members = self._moved(since)
        rows: Rows = {}
        for group_id in sorted(touched | members.keys()):
            if group_id not in known:
                rows[f"{group_id} 000000"] = {"id": group_id, "@removed": {"reason": "changed"}}
                continue
            plain = documents.only(documents.group(group_id, known[group_id]), [n for n in names if n != "members"])
            shown = self._members_shown(group_id, members.get(group_id, set())) if "members" in names else []
            size = state.switches.delta_members_page
            for number, begin in enumerate(range(0, max(1, len(shown)), size)):
                row: Document = {**plain, "id": group_id}
                if shown:
                    row["members@delta"] = shown[begin : begin + size]
                rows[f"{group_id} {number:06d}"] = row
        return rows

    def _moved(self, since: Since) -> tuple[set[str], dict[str, set[str]]]:
        """Groups that were renamed or closed, and per group the members who came or went."""
        state = self.state
        touched: set[str] = set()
        members: dict[str, set[str]] = {}
        for each in state.company.changes[since.changes :]:
            group_id = state.group_id(each.group_id) if each.group_id is not None else ""
            if each.what in (Happening.JOINED, Happening.QUIT):
                members.setdefault(group_id, set()).add(state.user_id(str(each.person_id)))
            elif each.what in (Happening.GROUP_RENAMED, Happening.GROUP_CLOSED):
                touched.add(group_id)
                above = each.group_before.parent if each.group_before else None
                if each.what is Happening.GROUP_CLOSED and above is not None:
                    members.setdefault(state.group_id(above), set()).add(group_id)
        for moved in state.link_changes[since.links :]:
            members.setdefault(moved.link.group_id, set()).add(moved.link.member_id)
        return touched, members

    def _members_shown(self, group_id: str, moved: set[str]) -> list[Document]:
        now = self.state.members(group_id)
        shown: list[Document] = []
        for member in sorted(moved):
            row: Document = {"@odata.type": f"#microsoft.graph.{now.get(member, self._kind_of(member))}", "id": member}
            if member not in now:
                row["@removed"] = {"reason": "deleted"}
            shown.append(row)
        return shown

    def _kind_of(self, member: str) -> str:
        kinds = {each.link.member_id: each.link.kind for each in self.state.link_changes}
        closed = {self.state.group_id(str(each.group_id)) for each in self.state.company.changes if each.group_before}
        return kinds.get(member, "group" if member in closed or member in self.state.groups() else "user")


def _since(told: object) -> Since | None:
    return Since(int(told[0]), int(told[1])) if isinstance(told, list) else None
