"""Documents in a folder and in stores: whole or not there, and read back as they were written."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

import fsspec  # type: ignore[import-untyped]
import pytest

import tasks.documents
from directory.errors import ConfigurationError, Fatal
from ledger.results import Document
from tasks.documents import checked_place, fetch, keep, link

PIECES = [b'{"people":[\n', b'{"username":"jane.doe"}\n', b"]}\n"]


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    files = fsspec.filesystem("memory")
    yield files
    files.store.clear()


def kept_in(place: str, pieces: Iterable[bytes] = PIECES) -> Document:
    return asyncio.run(keep(place, "staff", "RUN", pieces))


def broken() -> Iterator[bytes]:
    yield PIECES[0]
    raise RuntimeError("the frame is broken")


@pytest.mark.parametrize("place", ["folder", "url", "store"])
def test_a_document_is_read_back_as_it_was_written(
    place: str, tmp_path: Path, memory: fsspec.AbstractFileSystem
) -> None:
    named = {"folder": f"{tmp_path}/out", "url": f"{tmp_path.as_uri()}/out%20of/", "store": "memory://results"}[place]
    kept = kept_in(checked_place(named))
    assert kept.size == len(b"".join(PIECES))
    assert b"".join(fetch(kept)) == b"".join(PIECES)
    end = {"folder": f"{tmp_path}/out", "url": f"{tmp_path}/out of", "store": "memory://results"}[place]
    assert kept.location == f"{end}/staff/RUN.json"
    assert link(kept.location).startswith("memory://" if place == "store" else "file:///")


def test_of_a_document_that_could_not_be_finished_nothing_is_to_be_seen(
    tmp_path: Path, memory: fsspec.AbstractFileSystem
) -> None:
    for place in (str(tmp_path), "memory://results"):
        with pytest.raises(RuntimeError, match="broken"):
            kept_in(place, broken())
    assert list(tmp_path.rglob("*.json")) == []
    assert memory.find("/") == []


def test_a_document_in_a_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    kept = Path(kept_in(str(tmp_path / "out")).location)
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700


def test_a_document_that_was_changed_or_is_gone_is_not_taken_for_the_one_that_was_written(
    tmp_path: Path,
) -> None:
    kept = kept_in(str(tmp_path))
    path = Path(kept.location)
    path.write_bytes(b"".join(PIECES).replace(b"jane", b"john"))
    with pytest.raises(Fatal, match="checksum differs"):
        list(fetch(kept))
    path.write_bytes(PIECES[0])
    with pytest.raises(Fatal, match="12 bytes instead of"):
        list(fetch(kept))
    path.unlink()
    with pytest.raises(Fatal, match="cannot be read"):
        list(fetch(kept))


def test_a_place_that_is_known_to_nobody_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="nothing is known that stores documents at ftps3://"):
        checked_place("ftps3://bucket/prefix")


def test_a_password_in_a_place_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigurationError) as refused:
        checked_place("sftp://ada:battery-staple@files.example/results")
    assert "battery" not in str(refused.value)


def test_a_store_whose_package_is_missing_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_s3fs(name: str) -> ModuleSpec | None:
        return None if name == "s3fs" else find_spec(name)

    monkeypatch.setattr(tasks.documents, "find_spec", without_s3fs)
    with pytest.raises(ConfigurationError) as refused:
        checked_place("s3://bucket/usersync")
    assert refused.value.next_step is not None
    assert "bitbucket-usersync[s3]" in refused.value.next_step
