"""How large a company a simulator shows that runs as a process of its own: options of its command line."""

from __future__ import annotations

import argparse
import itertools
import re
from collections.abc import Sequence
from dataclasses import replace

from sandbox.company import Company, Group, GroupKind
from sandbox.population import FEWEST_GROUPS, FOUNDED, company

__all__ = ["company_of_sizes", "company_options", "founded", "group_sizes"]


def company_options(parser: argparse.ArgumentParser) -> None:
    """Add those that `founded` reads."""
    parser.add_argument("--people", type=int, default=500)
    parser.add_argument("--groups", type=int, default=40)
    parser.add_argument(
        "--sizes", type=group_sizes, help="4980x200,20x5000: so many groups with so many members each, instead"
    )
    parser.add_argument("--seed", type=int, default=1)


def founded(chosen: argparse.Namespace) -> Company:
    """The company that the options ask for."""
    if chosen.sizes:
        return company_of_sizes(chosen.people, chosen.sizes, chosen.seed)
    return company(chosen.people, chosen.groups, chosen.seed)


def group_sizes(text: str) -> list[int]:
    """`2x200,1x50` is [200, 200, 50]. Raises ArgumentTypeError, which argparse shows."""
    found = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)x(\d+)", part)
        if match is None:
            raise argparse.ArgumentTypeError(f"{part!r} is not like 4980x200, groups by members")
        found += [int(match[2])] * int(match[1])
    return found


def company_of_sizes(people: int, sizes: Sequence[int], seed: int = 1) -> Company:
    """Groups of exactly these sizes, none within another, each with people who follow one another.

    The people are those of `company` with the same seed. Raises ValueError for a group larger than the company.
    """
    if max(sizes, default=0) > people:
        raise ValueError(f"a group of {max(sizes)} does not fit into a company of {people}")
    firm = company(people, FEWEST_GROUPS, seed)
    # The department's name stays in the description, by which a newcomer's titles are found.
    department = next(iter(firm.groups.values())).description
    groups = [
        Group(f"g{number:06d}", f"bb-group-{number}", department, GroupKind.TEAM, None, FOUNDED, FOUNDED, FOUNDED)
        for number in range(1, len(sizes) + 1)
    ]
    direct: dict[str, dict[str, None]] = {}
    memberships: dict[str, dict[str, None]] = {person: {} for person in firm.people}
    endless = itertools.cycle(firm.people)
    for group, size in zip(groups, sizes, strict=True):
        direct[group.id] = dict.fromkeys(itertools.islice(endless, size))
        for person in direct[group.id]:
            memberships[person][group.id] = None
    return replace(firm, groups={group.id: group for group in groups}, direct=direct, memberships=memberships)
