"""Which address shows what, to whom: the routes below `/v1.0`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from sandbox.graph import documents
from sandbox.graph.asking import Ask, Reply
from sandbox.graph.delta import Deltas
from sandbox.graph.documents import Document
from sandbox.graph.filters import Predicate, parse
from sandbox.graph.paging import page
from sandbox.graph.refusals import bad, denied, needs_advanced, no_photo, not_found, unknown_segment, unsupported
from sandbox.graph.state import GraphState

Handler = Callable[[Ask, str], Reply]

USER_ROLES = frozenset({"User.Read.All", "User.ReadWrite.All", "Directory.Read.All"})
PHOTO_ROLES = frozenset({"ProfilePhoto.Read.All", "User.Read.All", "User.ReadWrite.All"})
GROUP_ROLES = frozenset({"GroupMember.Read.All", "Group.Read.All", "Directory.Read.All"})
MOST_EXPANDED = 20
MANAGER = re.compile(r"^manager(?:\(\$select=([^)]*)\))?$")


class Resources:
    def __init__(self, state: GraphState, deltas: Deltas) -> None:
        self._state = state
        self._routes: list[tuple[re.Pattern[str], frozenset[str], Handler]] = [
            (re.compile(pattern), roles, handler)
            for pattern, roles, handler in (
                (r"^/users$", USER_ROLES, self._users),
                (r"^/users/(\$count)$", USER_ROLES, self._count_users),
                (r"^/users/delta$", USER_ROLES, lambda ask, _: deltas.page(ask, "users")),
                (r"^/users/([^/$]+)$", USER_ROLES, self._user),
                (r"^/users/([^/]+)/photo/\$value$", PHOTO_ROLES, self._photo),
                (r"^/users/([^/]+)/photos/\d+x\d+/\$value$", PHOTO_ROLES, self._photo),
                (r"^/users/([^/]+)/memberOf$", GROUP_ROLES, self._member_of),
                (r"^/groups$", GROUP_ROLES, self._groups),
                (r"^/groups/(\$count)$", GROUP_ROLES, self._count_groups),
                (r"^/groups/delta$", GROUP_ROLES, lambda ask, _: deltas.page(ask, "groups")),
                (r"^/groups/([^/$]+)$", GROUP_ROLES, self._group),
                (r"^/groups/([^/]+)/members$", GROUP_ROLES, self._members),
                (r"^/groups/([^/]+)/members/microsoft.graph.user$", GROUP_ROLES, self._member_users),
                (r"^/groups/([^/]+)/members/microsoft.graph.group$", GROUP_ROLES, self._member_groups),
                (r"^/groups/([^/]+)/memberOf$", GROUP_ROLES, self._groups_above),
                (r"^/groups/([^/]+)/transitiveMembers$", GROUP_ROLES, self._transitive_members),
            )
        ]

    def answer(self, ask: Ask, roles: frozenset[str]) -> Reply:
        """Raises `Refusal`."""
        for pattern, needed, handler in self._routes:
            found = pattern.match(ask.path)
            if found:
                return handler(ask, found.group(1) if found.groups() else "") if roles & needed else denied()
        return unknown_segment(ask.path.rpartition("/")[2])

    # Users.

    def _users(self, ask: Ask, _: str) -> Reply:
        keys, ids = self._state.ordered("users")
        return self._list(ask, keys, ids, "user")

    def _user(self, ask: Ask, user_id: str) -> Reply:
        return Reply(200, self._user_document(ask, self._known_user(user_id)))

    def _photo(self, ask: Ask, user_id: str) -> Reply:
        """A size wider than what was uploaded is not there (Graph, "Get profilePhoto")."""
        photo = self._state.photos.get(self._known_user(user_id))
        if photo is None:
            raise no_photo()
        width = int.from_bytes(photo[16:20])
        wanted = re.search(r"/photos/(\d+)x", ask.path)
        if wanted and int(wanted.group(1)) > width:
            raise no_photo()
        return Reply(200, photo)

    def _member_of(self, ask: Ask, user_id: str) -> Reply:
        groups = self._state.groups_of(self._known_user(user_id))
        return page(ask, groups, lambda each: self._directory_object(ask, each, "group"), "directoryObjects")

    def _count_users(self, ask: Ask, _: str) -> Reply:
        return self._count(ask, "user")

    def _known_user(self, key: str) -> str:
        users = self._state.users()
        if key in users:
            return key
        for user_id, person in users.items():
            if person.login.casefold() == key.casefold():
                return user_id
        raise not_found(key)

    # Groups.

    def _groups(self, ask: Ask, _: str) -> Reply:
        keys, ids = self._state.ordered("groups")
        return self._list(ask, keys, ids, "group")

    def _group(self, ask: Ask, group_id: str) -> Reply:
        return Reply(200, self._group_document(ask, self._known_group(group_id)))

    def _count_groups(self, ask: Ask, _: str) -> Reply:
        return self._count(ask, "group")

    def _groups_above(self, ask: Ask, group_id: str) -> Reply:
        known = self._known_group(group_id)
        groups = [each for each in self._state.groups() if known in self._state.members(each)]
        return page(ask, groups, lambda each: self._directory_object(ask, each, "group"), "directoryObjects")

    def _members(self, ask: Ask, group_id: str) -> Reply:
        return self._member_page(ask, self._state.members(self._known_group(group_id)))

    def _member_users(self, ask: Ask, group_id: str) -> Reply:
        return self._members_of_kind(ask, group_id, "user")

    def _member_groups(self, ask: Ask, group_id: str) -> Reply:
        return self._members_of_kind(ask, group_id, "group")

    def _members_of_kind(self, ask: Ask, group_id: str, wanted: str) -> Reply:
        members = self._state.members(self._known_group(group_id))
        return self._member_page(ask, {each: kind for each, kind in members.items() if kind == wanted})

    def _transitive_members(self, ask: Ask, group_id: str) -> Reply:
        return self._member_page(ask, self._state.transitive_members(self._known_group(group_id)))

    def _member_page(self, ask: Ask, members: dict[str, str]) -> Reply:
        counted = self._counted(ask, len(members))
        if not self._state.switches.members_list_service_principals:
            # Counted or not: the documents only say that v1.0 does not list them.
            members = {each: kind for each, kind in members.items() if kind != "servicePrincipal"}
        keys = list(members)
        return page(
            ask, keys, lambda each: self._directory_object(ask, each, members[each]), "directoryObjects", counted
        )

    def _known_group(self, group_id: str) -> str:
        if group_id not in self._state.groups():
            raise not_found(group_id)
        return group_id

    # Both.

    def _list(self, ask: Ask, keys: list[str], ids: dict[str, str], kind: str) -> Reply:
        document = self._user_document if kind == "user" else self._group_document
        chosen = self._chosen(ask, kind)
        if "$orderby" in ask.query or "$search" in ask.query:
            raise unsupported("The simulator neither sorts nor searches.")
        if chosen is not None:
            keys = [key for key in keys if chosen(self._whole(ids[key], kind))]
        if "$expand" in ask.query and ask.is_eventual and ask.query.get("$count") == "true":
            raise unsupported("$expand is not supported in advanced queries.")
        counted = self._counted(ask, len(keys))
        if not keys:
            document(ask, None)  # so that a wrong `$select` is refused although there is nothing to show
        return page(ask, keys, lambda key: document(ask, ids[key]), f"{kind}s", counted)

    def _count(self, ask: Ask, kind: str) -> Reply:
        if not ask.is_eventual:
            raise bad("$count is not currently supported.", "Request_BadRequest")
        chosen = self._chosen(ask, kind)
        known = self._state.users() if kind == "user" else self._state.groups()
        return Reply(200, str(sum(chosen is None or chosen(self._whole(each, kind)) for each in known)))

    def _counted(self, ask: Ask, count: int) -> int | None:
        if ask.query.get("$count") != "true":
            return None
        if not ask.is_eventual:
            raise needs_advanced("$count")
        return count

    def _chosen(self, ask: Ask, kind: str) -> Predicate | None:
        text = ask.query.get("$filter")
        if text is None:
            return None
        advanced = ask.is_advanced or (ask.is_eventual and ask.path.endswith("$count"))
        return parse(text, self._names(kind), kind, advanced=advanced)

    def _names(self, kind: str) -> Document:
        """Every property there is, with a value where anybody is there to have one."""
        known = self._state.users() if kind == "user" else self._state.groups()
        return next((self._whole(each, kind) for each in known), _PROPERTIES[kind])

    def _whole(self, object_id: str, kind: str) -> Document:
        if kind == "user":
            return documents.user(object_id, self._state.users()[object_id], self._state)
        return documents.group(object_id, self._state.groups()[object_id])

    def _user_document(self, ask: Ask, user_id: str | None) -> Document:
        known = self._names("user") if user_id is None else self._whole(user_id, "user")
        names = documents.selected(ask.query.get("$select"), documents.USER_DEFAULTS, known, "user")
        shown = documents.only(known, names)
        expand = ask.query.get("$expand")
        if expand is not None and user_id is not None:
            shown |= self._manager(expand, user_id)
        return shown

    def _manager(self, expand: str, user_id: str) -> Document:
        wanted = MANAGER.match(expand)
        if wanted is None:
            raise unsupported(f"The simulator does not expand {expand}.")
        manager = self._state.manager_of(self._state.users()[user_id])
        if manager is None:
            return {}
        whole = self._whole(manager, "user")
        names = documents.selected(wanted.group(1), documents.USER_DEFAULTS, whole, "user")
        return {"manager": {"@odata.type": "#microsoft.graph.user", **documents.only(whole, names)}}

    def _group_document(self, ask: Ask, group_id: str | None) -> Document:
        known = self._names("group") if group_id is None else self._whole(group_id, "group")
        names = documents.selected(ask.query.get("$select"), known, known, "group")
        shown = documents.only(known, names)
        if ask.query.get("$expand") == "members" and group_id is not None:
            first = list(self._state.members(group_id).items())[:MOST_EXPANDED]
            shown["members"] = [{"@odata.type": f"#microsoft.graph.{kind}", "id": each} for each, kind in first]
        return shown

    def _directory_object(self, ask: Ask, object_id: str, kind: str) -> Document:
        shown: Document = {"@odata.type": f"#microsoft.graph.{kind}", "id": object_id}
        if kind not in {"user", "group"}:
            return shown
        select = ask.query.get("$select")
        whole = self._whole(object_id, kind)
        # On a list of directory objects a name that only some of them have is no mistake.
        names = [name for name in select.split(",") if name in whole] if select else list(documents.USER_DEFAULTS)
        return shown | documents.only(whole, [name for name in names if name in whole])


_PROPERTIES: Mapping[str, Document] = {
    "user": dict.fromkeys([*documents.USER_DEFAULTS, *documents.NEVER_SET, *documents.ALWAYS_KNOWN]),
    "group": dict.fromkeys(documents.GROUP_PROPERTIES),
}
