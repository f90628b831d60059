"""Okta's System Log, as far as a directory reader needs it (Okta developer documentation, "System Log query").

Without `until` a request polls: events in the order in which they were stored, and a `next` link on every answer, even
an empty one. With `until` it is bounded, and `next` ends with the rows.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from sandbox.company import Change, Happening, Standing
from sandbox.okta.documents import Document, timestamp
from sandbox.okta.filters import LOG_FILTER, Attributes, parse
from sandbox.okta.paging import answer, asked, next_url
from sandbox.okta.state import OktaState

EVENT_TYPE: Mapping[Happening, tuple[str, str]] = {
    Happening.HIRED: ("user.lifecycle.create", "Create Okta user"),
    Happening.UPDATED: ("user.account.update_profile", "Update user profile for Okta"),
    Happening.ERASED: ("user.lifecycle.delete.completed", "Delete Okta user completed"),
    Happening.JOINED: ("group.user_membership.add", "Add user to group membership"),
    Happening.QUIT: ("group.user_membership.remove", "Remove user from group membership"),
    Happening.GROUP_RENAMED: ("group.profile.update", "Update Okta group"),
    Happening.GROUP_CLOSED: ("group.lifecycle.delete", "Delete Okta group"),
}
STANDING_EVENTS: Mapping[Standing, tuple[str, str]] = {
    Standing.LEFT: ("user.lifecycle.deactivate", "Deactivate Okta user"),
    Standing.SUSPENDED: ("user.lifecycle.suspend", "Suspend Okta user"),
    Standing.LOCKED: ("user.account.lock", "Max sign in attempts exceeded"),
}
ADMINISTRATOR: Document = {
    "id": "00u0000000000administr",
    "type": "User",
    "alternateId": "administrator@fjordlight.example",
    "displayName": "Administrator",
}
DAYS_BACK = 7


def log_page(request: Request, state: OktaState) -> Response:
    """Raises ValueError for a timestamp, limit or cursor that cannot be read, FilterError for the filter."""
    wanted = asked(request, default=100, most=1000)
    matches = _matcher(request, state)
    changes = state.company.changes
    order = range(len(changes))
    if request.query_params.get("sortOrder") == "DESCENDING":
        order = order[::-1]
    rest = order[order.index(int(wanted.after)) + 1 :] if wanted.after else order
    rows: list[Document] = []
    cursor, exhausted = wanted.after, True
    for position in rest:
        if len(rows) == wanted.limit:
            exhausted = False
            break
        cursor = str(position)
        shown = _event(position, changes[position], state)
        if matches(shown, changes[position]):
            rows.append(shown)
    response = answer(rows)
    response.headers.append("link", f'<{request.url}>; rel="self"')
    if "until" not in request.query_params or not exhausted:
        response.headers.append("link", f'<{next_url(request, cursor)}>; rel="next"')
    return response


def _matcher(request: Request, state: OktaState) -> Callable[[Document, Change], bool]:
    chosen = parse(request.query_params.get("filter", "published pr"), LOG_FILTER)
    until = _moment(request.query_params.get("until"))
    since = _moment(request.query_params.get("since")) or (until or state.company.clock()) - timedelta(days=DAYS_BACK)

    def matches(shown: Document, change: Change) -> bool:
        in_time = change.at >= since and (until is None or change.at < until)
        return in_time and chosen(_attributes(shown, change, state))

    return matches


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _event(position: int, change: Change, state: OktaState) -> Document:
    event_type, message = _type_of(change)
    return {
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{position} {change.at.isoformat()}")),
        "published": timestamp(change.at),
        "eventType": event_type,
        "displayMessage": message,
        "version": "0",
        "severity": "INFO",
        "actor": ADMINISTRATOR,
        "outcome": {"result": "SUCCESS"},
        "target": _targets(change, state),
    }


def _type_of(change: Change) -> tuple[str, str]:
    if change.what is not Happening.STANDING or change.after is None:
        return EVENT_TYPE[change.what]
    standing = change.after.standing
    if standing is Standing.ACTIVE and change.before is not None and change.before.standing is Standing.SUSPENDED:
        return "user.lifecycle.unsuspend", "Unsuspend Okta user"
    return STANDING_EVENTS.get(standing, ("user.lifecycle.activate", "Activate Okta user"))


def _targets(change: Change, state: OktaState) -> list[Document]:
    targets: list[Document] = []
    if change.person_id is not None:
        person = change.after or change.before
        targets.append(
            {
                "id": state.user_id(change.person_id),
                "type": "User",
                "alternateId": person.login if person else "unknown",
                "displayName": person.display_name if person else "unknown",
            }
        )
    if change.group_id is not None:
        group = state.company.groups.get(change.group_id) or change.group_before
        targets.append(
            {
                "id": state.group_id(change.group_id),
                "type": "UserGroup",
                "alternateId": "unknown",
                "displayName": group.name if group else "unknown",
            }
        )
    return targets


def _attributes(shown: Document, change: Change, state: OktaState) -> Attributes:
    targets = (
        state.user_id(change.person_id) if change.person_id else None,
        state.group_id(change.group_id) if change.group_id else None,
    )
    values: dict[str, object] = {
        "published": change.at,
        "target.id": [target for target in targets if target],
        "actor.id": ADMINISTRATOR["id"],
        **{name: shown[name] for name in ("eventType", "uuid", "severity")},
    }
    return values.get
