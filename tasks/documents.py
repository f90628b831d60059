"""Where the JSON documents of runs lie: in a folder, or in any store that fsspec can write to."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from directory.errors import ConfigurationError, Fatal
from ledger.results import Document

__all__ = ["checked_place", "fetch", "forget", "keep", "link"]

_PIECE = 1 << 20
_NOT_DONE = "nothing was read and nothing was written"
_EXTRAS = {"s3": "s3", "s3a": "s3"}
"""Protocols that a dependency of ours speaks, by the extra that brings it."""


def checked_place(named: str) -> str:
    """A folder or a URL that documents can be kept at. The store itself is not asked yet.

    Raises ConfigurationError for a URL whose protocol is not known or not installed here, or that has a password in
    it: places are written down in the ledger and shown.
    """
    scheme = _scheme(named)
    if scheme == "file":
        return unquote(urlsplit(named).path)
    if scheme is None:
        return named
    if urlsplit(named).password is not None:
        raise ConfigurationError(
            f"the place for results has a password in it: {scheme}://…",
            subject="report.results",
            not_done=_NOT_DONE,
            next_step="leave it out; each store has a variable or a file of its own for credentials (docs/results.md)",
        )
    # Only where it is no plain folder; fsspec has no types.
    from fsspec.registry import known_implementations  # type: ignore[import-untyped]  # noqa: PLC0415

    if scheme not in known_implementations:
        raise ConfigurationError(
            f"nothing is known that stores documents at {scheme}://",
            subject="report.results",
            not_done=_NOT_DONE,
            next_step="name a folder, file://… or s3://BUCKET/PREFIX",
        )
    package = known_implementations[scheme]["class"].partition(".")[0]
    if find_spec(package) is None:
        extra = f'pip install "bitbucket-usersync[{_EXTRAS[scheme]}]", or ' if scheme in _EXTRAS else ""
        raise ConfigurationError(
            f"documents at {scheme}:// need the package {package}, which is not installed here",
            subject="report.results",
            not_done=_NOT_DONE,
            next_step=f"{extra}pip install {package}; or name a folder",
        )
    return named


async def keep(place: str, sync: str, run_id: str, pieces: Iterable[bytes]) -> Document:
    """Store a document, of which nobody ever sees a half, and say where it is. Holds one piece in memory at a time.

    Raises OSError, or whatever the store's client raises, where it cannot be stored.
    """
    if _scheme(place) is None:
        return _keep_in_folder(Path(place) / sync / f"{run_id}.json", pieces)
    # In a thread: a slow store must not keep the lease from being renewed.
    return await asyncio.to_thread(_keep_in_store, f"{place.rstrip('/')}/{sync}/{run_id}.json", pieces)


def fetch(document: Document) -> Iterator[bytes]:
    """The stored document, piece by piece. Raises Fatal where it cannot be read or is not what was stored."""
    digest, size = hashlib.sha256(), 0
    try:
        with _opened(document.location) as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
                size += len(piece)
                yield piece
    except Exception as error:
        raise Fatal(
            f"the document cannot be read: {error}",
            subject=document.location,
            not_done="nothing more of it was shown",
            next_step="see that it is there and may be read; `usersync results RUN --json` tells the same",
        ) from error
    if (size, digest.hexdigest()) != (document.size, document.sha256):
        raise Fatal(
            f"the document is not the one that the run wrote: {size:,} bytes instead of {document.size:,}"
            if size != document.size
            else "the document is not the one that the run wrote: its checksum differs",
            subject=document.location,
            not_done="what was shown of it cannot be relied on",
            next_step="`usersync results RUN --json` tells what the ledger knows",
        )


def forget(location: str) -> None:
    """Remove a document; one that is gone already is no matter. Raises whatever the store's client raises."""
    if _scheme(location) is None:
        Path(location).unlink(missing_ok=True)
        return
    files, path = _store(location)
    with suppress(FileNotFoundError):
        files.rm_file(path)


def link(location: str) -> str:
    """The place as a URL."""
    return location if "://" in location else Path(location).absolute().as_uri()


def _keep_in_folder(path: Path, pieces: Iterable[bytes]) -> Document:
    """Written beside its place and moved there whole."""
    path = path.absolute()
    # Names and e-mail addresses: for the user that runs usersync alone.
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    unfinished = path.with_suffix(".part")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        size, digest = _copy(pieces, file)
    unfinished.replace(path)
    return Document(str(path), size, digest)


def _keep_in_store(location: str, pieces: Iterable[bytes]) -> Document:
    # A store shows what was sent to it once it is complete, so it is complete before the first byte is sent.
    with tempfile.NamedTemporaryFile(prefix="usersync-", suffix=".json") as whole:
        size, digest = _copy(pieces, whole)
        whole.flush()
        files, path = _store(location)
        files.put_file(whole.name, path)
    return Document(location, size, digest)


def _copy(pieces: Iterable[bytes], file: IO[bytes]) -> tuple[int, str]:
    """Returns bytes and SHA-256."""
    digest, size = hashlib.sha256(), 0
    for piece in pieces:
        file.write(piece)
        digest.update(piece)
        size += len(piece)
    return size, digest.hexdigest()


def _opened(location: str) -> Any:
    if _scheme(location) is None:
        return Path(location).open("rb")
    files, path = _store(location)
    return files.open(path, "rb")


def _store(location: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs  # type: ignore[import-untyped]  # noqa: PLC0415 - as in `checked_place`

    files, path = url_to_fs(location)
    return files, path


def _scheme(place: str) -> str | None:
    """None for a folder."""
    scheme, found, _ = place.partition("://")
    return scheme.lower() if found else None
