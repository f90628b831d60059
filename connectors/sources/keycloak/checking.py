"""What `usersync check` says of a realm besides its counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from connectors.contract import CheckFinding
from connectors.sources.keycloak.events import Recording
from connectors.sources.keycloak.token import READING_ROLES, Claims

__all__ = ["BY_ITSELF", "BY_THEMSELVES", "on_events", "on_token"]

BY_ITSELF: Final = (
    "Keycloak keeps no event of what it changes by itself, such as by an identity provider's mapper at a login or by a "
    "workflow"
)
BY_THEMSELVES: Final = (
    "the realm does not keep the events of its users, so what people change of their own accounts is not reported"
)


def on_token(claims: Claims) -> Iterator[CheckFinding]:
    if claims.lifespan is not None:
        yield CheckFinding("ok", f"access tokens live for {claims.lifespan} s and are renewed while reading")
    if claims.roles is None:
        yield CheckFinding("note", "the access token does not show its roles, so they cannot be judged")
        return
    yield CheckFinding("ok", f"roles of the service account: {', '.join(sorted(claims.roles))}")
    if further := claims.roles - READING_ROLES:
        yield CheckFinding(
            "note",
            f"the service account has more rights than reading needs: {', '.join(sorted(further))}",
            "take them away; view-users is enough, with view-events for reading changes alone",
        )


def on_events(kept: Recording | None, *, has_event: bool) -> Iterator[CheckFinding]:
    """Whether changes alone can be read, and what would have to be done for it. `kept`: None where it may not be seen.

    `has_event`: whether there is an admin event.
    """
    if kept is None:
        yield CheckFinding(
            "note",
            "each run reads everything: the service account lacks the role view-events, without which it cannot see "
            "what changed",
            "to read changes alone, assign realm-management view-events to the service account",
        )
    elif not kept.of_administrators:
        yield CheckFinding(
            "note",
            "each run reads everything: the realm does not save admin events",
            "to read changes alone, turn on Realm settings > Events > Admin events settings > Save events",
        )
    elif not has_event:
        yield CheckFinding("note", "each run reads everything until there is a first admin event")
    else:
        yield CheckFinding("ok", "the realm saves admin events, so that changes alone can be read")
        if not kept.of_users:
            yield CheckFinding(
                "note",
                f"{BY_THEMSELVES}; a full read finds it",
                "to have it with the next run, turn on Realm settings > Events > User events settings > Save events",
            )
