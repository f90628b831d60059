"""What hooks know callers by: secrets that sync files refer to, and public keys."""

from __future__ import annotations

import time
from collections.abc import Callable

from anyio.to_thread import run_sync

from connectors.secret import resolve_secret
from service.hooks.signed import Keys
from tasks.secrets import use_blocks

__all__ = ["Trust"]

_KEPT_SECONDS = 60.0


class Trust:
    """For one event loop. A secret that is changed is known within a minute."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        use_blocks()
        self.keys = Keys()
        self._clock = clock
        self._secrets: dict[str, tuple[str, float]] = {}

    async def secret(self, reference: str) -> str:
        """Raises ConfigurationError where it is missing or empty."""
        known = self._secrets.get(reference)
        if known is not None and self._clock() - known[1] < _KEPT_SECONDS:
            return known[0]
        # A block is asked for over the network.
        found = (await run_sync(resolve_secret, reference)).get_secret_value()
        self._secrets[reference] = (found, self._clock())
        return found
