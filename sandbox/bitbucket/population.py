"""Fills a Bitbucket with people who do not exist."""

from __future__ import annotations

import random
from typing import NamedTuple

from sandbox.bitbucket.installation import Installation

FIRST_NAMES = ("Ada", "Ben", "Chiara", "Dmitri", "Elif", "Fatou", "Goran", "Hana", "Ida", "Jonas", "Keiko", "Luis")
LAST_NAMES = ("Andersen", "Bauer", "Costa", "Diallo", "Eriksen", "Fischer", "Garcia", "Horvat", "Ito", "Jansen")


class Population(NamedTuple):
    people: int
    groups: int
    memberships: int
    seed: int = 0


def populate(installation: Installation, population: Population) -> None:
    """Add `people` accounts person000001..., `groups` groups group0001..., and `memberships` memberships between them.

    The same seed gives the same installation. Raises ValueError when there are more memberships than pairs.
    """
    people, groups, memberships, seed = population
    if memberships > people * groups:
        raise ValueError(f"{people} people and {groups} groups have no room for {memberships} memberships")
    chance = random.Random(seed)  # noqa: S311 - made-up people need no secrecy
    names = [f"person{number:06}" for number in range(1, people + 1)]
    group_names = [f"group{number:04}" for number in range(1, groups + 1)]
    for name in names:
        full_name = f"{chance.choice(FIRST_NAMES)} {chance.choice(LAST_NAMES)}"
        installation.add_user(name, display_name=full_name, email=f"{name}@example.test")
    for name in group_names:
        installation.add_group(name)
    pairs: set[tuple[int, int]] = set()
    while len(pairs) < memberships:
        pairs.add((chance.randrange(groups), chance.randrange(people)))
    for group, person in sorted(pairs):
        installation.join(group_names[group], names[person])
