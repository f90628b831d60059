"""Profile photos, twenty a request."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Final

from connectors.contract import Picture, Progress
from connectors.sources.entra.api import GraphApi
from connectors.sources.entra.batch import Job
from directory.errors import SourceUnreadable

__all__ = ["photos"]

SIZES: Final = (48, 64, 96, 120, 240, 360, 432, 504, 648)
"""Widths that Graph makes, none wider than the photo that was uploaded (Graph, "Get profilePhoto")."""

CHUNK: Final = 400
"""People whose photos are held in memory at once."""

_NONE: Final = "ImageNotFound"


async def photos(
    api: GraphApi, user_ids: Sequence[str], size: int, progress: Progress | None
) -> AsyncIterator[tuple[str, Picture]]:
    """One small request a person, a second one where the photo is smaller than asked for, or missing."""
    for start in range(0, len(user_ids), CHUNK):
        chunk = user_ids[start : start + CHUNK]
        found: dict[str, Picture] = {}
        await api.batched([_job(user_id, size, found) for user_id in chunk])
        for user_id in chunk:
            yield user_id, found[user_id]
        if progress is not None:
            progress("pictures", start + len(chunk))


def _job(user_id: str, size: int, found: dict[str, Picture]) -> Job:
    wide = next((each for each in SIZES if each >= size), SIZES[-1])

    def whole(text: str | None) -> Iterable[Job]:
        found[user_id] = None if text is None else _decoded(text, user_id)
        return ()

    def scaled(text: str | None) -> Iterable[Job]:
        if text is not None:
            return whole(text)
        # A photo that is narrower than this is not to be had in this size.
        return [job(f"/users/{user_id}/photo/$value", whole)]

    def job(url: str, then: Callable[[str | None], Iterable[Job]]) -> Job:
        return Job(url, str, then, absent=_NONE, failed=lambda error: found.update({user_id: error}))

    return job(f"/users/{user_id}/photos/{wide}x{wide}/$value", scaled)


def _decoded(text: str, user_id: str) -> bytes:
    """Images come as base64 in a batch (Graph, "Combine multiple HTTP requests using JSON batching")."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise SourceUnreadable(
            f"Microsoft Graph answered, but not as its documents promise: a photo is no base64 ({error})",
            subject=f"GET /users/{user_id}/photo",
        ) from None
