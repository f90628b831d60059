"""A real Keycloak on loopback, with a realm imported at its start, for as long as a `with` block lasts."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from tests.e2e.keycloak_distribution import command, distribution

ADMIN: Final = "admin"
ADMIN_PASSWORD: Final = "only-on-loopback"

START_SECONDS: Final = 480.0
STOP_SECONDS: Final = 30.0

_LISTENING: Final = re.compile(r"Listening on: (http://127\.0\.0\.1:\d+)")


@dataclass(frozen=True)
class KeycloakServer:
    url: str
    process_id: int
    started_in: float
    """Seconds from the start of the process to the realm's first answer."""

    @contextmanager
    def administrator(self) -> Iterator[httpx.Client]:
        """A client of the admin API that may do everything, for the minute that its token lives."""
        form = {"grant_type": "password", "client_id": "admin-cli", "username": ADMIN, "password": ADMIN_PASSWORD}
        token = httpx.post(f"{self.url}/realms/master/protocol/openid-connect/token", data=form).raise_for_status()
        headers = {"Authorization": f"Bearer {token.json()['access_token']}"}
        with httpx.Client(base_url=f"{self.url}/admin/realms", headers=headers, timeout=60) as client:
            yield client


@contextmanager
def keycloak(realm: Mapping[str, Any]) -> Iterator[KeycloakServer]:
    """Serve a realm, given as Keycloak's RealmRepresentation.

    Raises `KeycloakUnavailable` where Java or the distribution cannot be had, RuntimeError where the server does not
    start.
    """
    found = distribution()
    with tempfile.TemporaryDirectory(prefix="usersync-keycloak-") as folder:
        home = _home(Path(folder), found, realm)
        log = home / "log"
        began = time.monotonic()
        with log.open("wb") as output:
            process = subprocess.Popen(
                command(found, home, *_start_options()),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=home,
                env={**os.environ, "KC_BOOTSTRAP_ADMIN_USERNAME": ADMIN, "KC_BOOTSTRAP_ADMIN_PASSWORD": ADMIN_PASSWORD},
            )
        try:
            url = _ready(process, log, realm["realm"])
            yield KeycloakServer(url, process.pid, time.monotonic() - began)
        finally:
            _stop(process)


def _start_options() -> tuple[str, ...]:
    # In-memory data, a cache that finds no other nodes, and nothing that listens beyond loopback.
    return (
        "start",
        "--optimized",
        "--cache=local",
        "--http-enabled=true",
        "--http-host=127.0.0.1",
        "--http-port=0",
        "--hostname-strict=false",
        "--import-realm",
    )


def _home(home: Path, found: Path, realm: Mapping[str, Any]) -> Path:
    """A folder that looks like the distribution and has data of its own, so that servers share nothing that changes."""
    for shared in ("conf", "lib", "providers", "themes"):
        (home / shared).symlink_to(found / shared)
    imports = home / "data" / "import"
    imports.mkdir(parents=True)
    (imports / "realm.json").write_text(json.dumps(realm), encoding="utf-8")
    return home


def _ready(process: subprocess.Popen[bytes], log: Path, realm: str) -> str:
    """The base URL, as soon as the realm answers."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        said = _LISTENING.search(log.read_text(encoding="utf-8", errors="replace"))
        if said and _answers(f"{said[1]}/realms/{realm}"):
            return said[1]
        time.sleep(0.2)
    end = "ended" if process.poll() is not None else f"did not answer within {START_SECONDS:.0f} s"
    tail = log.read_text(encoding="utf-8", errors="replace")[-3000:]
    raise RuntimeError(f"Keycloak {end}; its log ends with:\n{tail}")


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=10).status_code == 200
    except httpx.TransportError:
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
