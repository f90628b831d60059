"""The guard: over a limit nothing of the plan is applied. It never gets laxer as a plan gets worse."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.measure import Measures
from reconcile.plan import Finding
from reconcile.policy import Guard, Limit

__all__ = ["judge", "judge_pictures"]

_NAMED = 5


def judge(measures: Measures, policy: Guard) -> tuple[Finding, ...]:
    """Every limit that the plan exceeds; none means clear."""
    return tuple(_exceeded(measures, policy))


def judge_pictures(reset: int, had: int, policy: Guard) -> tuple[Finding, ...]:
    """The limit on pictures that are reset, of so many accounts that have one from this sync."""
    return tuple(_over("pictures_reset", reset, policy.pictures_reset, had))


def _exceeded(measures: Measures, policy: Guard) -> Iterator[Finding]:
    accounts = measures.population
    shut_out = measures.counts.get("remove_access", 0) + measures.stripped_of_access
    yield from _over("deactivations", shut_out, policy.deactivations, accounts)
    yield from _over("deletions", measures.counts.get("delete", 0), policy.deletions, accounts)
    yield from _over("erasures", measures.counts.get("erase", 0), policy.erasures, accounts)
    yield from _over("anonymisations", measures.counts.get("anonymise", 0), policy.anonymisations, accounts)
    yield from _over("renames", measures.counts.get("rename", 0), policy.renames, accounts)
    yield from _over("adoptions", measures.counts.get("adopt", 0), policy.adoptions, accounts)
    cleared = measures.clearings
    yield from _over("clearings", len(cleared), policy.clearings, accounts, cleared)
    yield from _over(
        "memberships_removed", measures.memberships_removed, policy.memberships_removed, measures.managed_memberships
    )
    yield from _shrinking(measures, policy)
    yield from _emptied(measures, policy)
    touched = measures.administrators
    yield from _over("administrators_touched", len(touched), policy.administrators_touched, accounts, touched)
    made = measures.administrators_made
    yield from _over("administrators_made", len(made), policy.administrators_made, accounts, made)
    yield from _seats(measures, policy)


def _over(kind: str, measured: int, limit: Limit, population: int, samples: tuple[str, ...] = ()) -> Iterator[Finding]:
    allowed = limit.allowed(population)
    if allowed is not None and measured > allowed:
        what = kind.replace("_", " ")
        yield Finding(
            kind=kind,
            measured=measured,
            allowed=allowed,
            message=f"{measured:,} {what}, at most {allowed:,} allowed ({_spelled(limit, population)})",
            samples=samples[:_NAMED],
        )


def _shrinking(measures: Measures, policy: Guard) -> Iterator[Finding]:
    limit = policy.memberships_removed_per_group
    for group in measures.shrinking:
        allowed = limit.allowed(group.before)
        if group.before >= policy.small_group and allowed is not None and group.removed > allowed:
            yield Finding(
                kind="memberships_removed_per_group",
                measured=group.removed,
                allowed=allowed,
                message=f"the group {group.group} loses {group.removed:,} of {group.before:,} members, "
                f"at most {allowed:,} allowed ({_spelled(limit, group.before)})",
                samples=(group.group,),
            )


def _emptied(measures: Measures, policy: Guard) -> Iterator[Finding]:
    emptied = [group.group for group in measures.shrinking if group.after <= 0 and group.before >= policy.small_group]
    yield from _over("groups_emptied", len(emptied), policy.groups_emptied, measures.managed_groups, tuple(emptied))


def _seats(measures: Measures, policy: Guard) -> Iterator[Finding]:
    maximum = measures.seats_maximum
    if policy.seats and maximum is not None and measures.seats_after > max(maximum, measures.seats_before):
        yield Finding(
            kind="seats",
            measured=measures.seats_after,
            allowed=maximum,
            message=f"the plan needs {measures.seats_after:,} seats, the licence has {maximum:,} "
            f"({measures.seats_before:,} are taken now)",
        )


def _spelled(limit: Limit, population: int) -> str:
    parts = []
    if limit.count is not None:
        parts.append(f"limit {limit.count:,}")
    if limit.percent is not None:
        parts.append(f"limit {limit.percent:g} % of {population:,}")
    return " and ".join(parts)
