"""Both sides as they were last read, to and from the ledger."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from directory.snapshot import Completeness, Licence, SourceSnapshot, TargetSnapshot
from ledger.opening import Ledger
from ledger.snapshots import Side, StoredSnapshot
from reconcile.policy import Policy

__all__ = ["ActedOn", "keep_acted_on", "keep_sides", "last_acted_on", "last_sides", "last_source"]


@dataclass(frozen=True)
class ActedOn:
    """The source that was last acted upon, and the rules that it was acted upon by."""

    source: SourceSnapshot
    policy: Policy


def keep_sides(ledger: Ledger, sync: str, source: SourceSnapshot, target: TargetSnapshot) -> None:
    """Keep what was read for `last_sides`. An incomplete source is not kept: nobody can be judged by it."""
    if not source.completeness.complete:
        return
    _put_source(ledger, sync, "source", source, {})
    about = {
        "principal": target.principal,
        "seats_maximum": target.licence.maximum,
        "seats_used": target.licence.used,
    }
    ledger.snapshots.put(sync, "target", StoredSnapshot(target.frames, target.read_at, about))


def last_source(ledger: Ledger, sync: str) -> SourceSnapshot | None:
    """The source as it was last read whole; None where it was not yet."""
    found = _source(ledger, sync, "source")
    return None if found is None else found[0]


def last_sides(ledger: Ledger, sync: str) -> tuple[SourceSnapshot, TargetSnapshot] | None:
    """Both sides as the last plan was made of them; None where there is none yet."""
    source, target = _source(ledger, sync, "source"), ledger.snapshots.get(sync, "target")
    if source is None or target is None:
        return None
    about = target.about
    there = TargetSnapshot(
        Completeness(),
        target.read_at,
        0,
        **target.frames,
        principal=about["principal"],
        licence=Licence(maximum=about["seats_maximum"], used=about["seats_used"]),
    )
    return source[0], there


def keep_acted_on(ledger: Ledger, sync: str, source: SourceSnapshot, policy: Policy) -> None:
    """Keep the source after the target was made equal to it."""
    if source.completeness.complete:
        _put_source(ledger, sync, "acted_on", source, {"policy": policy.model_dump(mode="json")})


def last_acted_on(ledger: Ledger, sync: str) -> ActedOn | None:
    """None where no run has ended well yet, or one of a program whose rules are not understood any more."""
    found = _source(ledger, sync, "acted_on")
    if found is None:
        return None
    source, about = found
    try:
        return ActedOn(source, Policy.model_validate(about["policy"]))
    except ValidationError:
        return None


def _put_source(ledger: Ledger, sync: str, side: Side, source: SourceSnapshot, about: dict[str, object]) -> None:
    ledger.snapshots.put(sync, side, StoredSnapshot(source.frames, source.read_at, about))


def _source(ledger: Ledger, sync: str, side: Side) -> tuple[SourceSnapshot, dict[str, object]] | None:
    stored = ledger.snapshots.get(sync, side)
    if stored is None:
        return None
    return SourceSnapshot.kept(stored.frames, stored.read_at), dict(stored.about)
