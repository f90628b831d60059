"""A set that is read in pages, in an order chosen once."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from hashlib import blake2b
from typing import Literal

FEW = 32


class Ranking:
    """Gives every object the place it has in lists: by its name, by its id, or shuffled by a seed."""

    def __init__(self, order: Literal["name", "id", "shuffled"], seed: int) -> None:
        self._order = order
        self._key = str(seed).encode()

    def __call__(self, key: str, number: int) -> str:
        if self._order == "name":
            return key
        if self._order == "id":
            return f"{number:012d}"
        return blake2b(key.encode(), key=self._key, digest_size=8).hexdigest()


class OrderedKeys:
    """Keys in order of their rank. Adding is O(1), a slice after few changes costs no sort of the whole."""

    __slots__ = ("_pending", "_ranks", "_sorted")

    def __init__(self) -> None:
        self._ranks: dict[str, str] = {}
        self._sorted: list[tuple[str, str]] = []
        self._pending: list[tuple[str, str]] = []

    def add(self, key: str, rank: str) -> bool:
        """Whether the key is new."""
        if key in self._ranks:
            return False
        self._ranks[key] = rank
        self._pending.append((rank, key))
        return True

    def discard(self, key: str) -> bool:
        """Whether the key was there."""
        rank = self._ranks.get(key)
        if rank is None:
            return False
        self._settle()
        del self._ranks[key]
        del self._sorted[bisect_left(self._sorted, (rank, key))]
        return True

    def _settle(self) -> None:
        if len(self._pending) > FEW:
            self._sorted.extend(self._pending)
            self._sorted.sort()
        else:
            for entry in self._pending:
                insort(self._sorted, entry)
        self._pending.clear()

    def __contains__(self, key: object) -> bool:
        return key in self._ranks

    def __len__(self) -> int:
        return len(self._ranks)

    def __iter__(self) -> Iterator[str]:
        self._settle()
        return (key for _, key in list(self._sorted))

    def __getitem__(self, wanted: slice) -> list[str]:
        self._settle()
        return [key for _, key in self._sorted[wanted]]
