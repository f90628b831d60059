"""The fewest calls that give a set of memberships, found in another way than the planner finds them."""

from __future__ import annotations

from collections.abc import Collection, Mapping


def greatest_matching(edges: Mapping[str, Collection[str]]) -> int:
    """The size of a maximum matching by augmenting paths, which by König's theorem is that of a minimum cover."""
    partner: dict[str, str] = {}

    def augment(account: str, seen: set[str]) -> bool:
        for group in edges[account]:
            if group not in seen:
                seen.add(group)
                if group not in partner or augment(partner[group], seen):
                    partner[group] = account
                    return True
        return False

    return sum(augment(account, set()) for account in edges)
