"""A PostgreSQL server for the tests alone: in a folder of its own, on a free port of the loopback address."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__all__ = ["emptied", "missing", "server"]

_PROGRAMS = ("initdb", "pg_ctl", "psql")


def missing() -> str | None:
    """Why no server can be started or talked to here."""
    if not any(find_spec(driver) for driver in ("psycopg", "psycopg2")):
        return "no PostgreSQL driver is installed (psycopg or psycopg2)"
    absent = [program for program in _PROGRAMS if _program(program) is None]
    return f"PostgreSQL is not installed ({', '.join(absent)} not found)" if absent else None


@contextmanager
def server() -> Iterator[str]:
    """The URL of a database on a server that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="usersync-postgresql-"))
    secret = secrets.token_hex(8)
    password_file = folder / "password"
    password_file.write_text(secret)
    if os.geteuid() == 0:  # the server refuses to run as root
        for path in (folder, password_file):
            shutil.chown(path, "postgres", "postgres")
    data = str(folder / "data")
    try:
        _run("initdb", "-D", data, "-U", "usersync", "--auth=scram-sha-256", f"--pwfile={password_file}", "-E", "UTF8")
        port = _free_port()
        options = f"-p {port} -h 127.0.0.1 -k {folder} -F"
        _run("pg_ctl", "-D", data, "-l", str(folder / "log"), "-o", options, "-w", "start")
        try:
            yield f"postgresql://usersync:{secret}@127.0.0.1:{port}/postgres"
        finally:
            _run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder)


def emptied(url: str) -> str:
    """The same URL, nothing in its database any more."""
    _run("psql", url, "-q", "-c", "DROP SCHEMA public CASCADE", "-c", "CREATE SCHEMA public")
    return url


def _run(program: str, *arguments: str) -> None:
    path = _program(program)
    assert path is not None
    unprivileged: dict[str, Any] = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
    subprocess.run(
        [path, *arguments], check=True, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **unprivileged
    )


def _program(name: str) -> str | None:
    found = shutil.which(name)
    if found is None:  # Debian keeps the server's programs out of the path
        found = next((str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None)
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
