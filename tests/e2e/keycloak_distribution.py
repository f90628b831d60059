"""Keycloak's distribution, fetched from Maven Central once and kept built outside of the checkout.

Nothing is downloaded where the cache has it already. The cache is `$USERSYNC_CACHE`, or `usersync` in
`$XDG_CACHE_HOME` or in `~/.cache`.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

VERSION: Final = "26.7.3"
ARCHIVE: Final = f"keycloak-quarkus-dist-{VERSION}.zip"
OLDEST_JAVA: Final = 17

DOWNLOAD_SECONDS: Final = 900
BUILD_SECONDS: Final = 300

_THREAD_FACTORY: Final = "io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory"

JVM_OPTIONS: Final = (
    "-Xms64m",
    "-Xmx768m",
    "-XX:MaxMetaspaceSize=256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dfile.encoding=UTF-8",
    "-Duser.language=en",
    "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
    "-Dpicocli.disable.closures=true",
    f"-Djava.util.concurrent.ForkJoinPool.common.threadFactory={_THREAD_FACTORY}",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
    "--add-opens=java.base/java.security=ALL-UNNAMED",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
)
"""What bin/kc.sh passes and the server needs. The heap is small, and the slower compiler starts a server sooner."""


class KeycloakUnavailable(Exception):
    """Java or the distribution cannot be had here; the text says which, and what would help."""


def cache_folder() -> Path:
    if own := os.environ.get("USERSYNC_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "usersync"


def java() -> str:
    """The path of a Java that is new enough."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=str(Path(home) / "bin")) if home else shutil.which("java")
    if found is None:
        raise KeycloakUnavailable(f"there is no java; Keycloak needs version {OLDEST_JAVA} or newer")
    told = subprocess.run([found, "-version"], capture_output=True, text=True, check=False, timeout=60).stderr
    version = re.search(r'version "(\d+)', told)
    if version is None or int(version[1]) < OLDEST_JAVA:
        raise KeycloakUnavailable(f"{found} is too old for Keycloak, which needs Java {OLDEST_JAVA}: {told.strip()}")
    return found


def command(distribution: Path, home: Path, *arguments: str) -> list[str]:
    """What bin/kc.sh runs in the end, so that the process started is the server itself."""
    return [
        java(),
        *JVM_OPTIONS,
        f"-Dkc.home.dir={home}",
        f"-Djboss.server.config.dir={home / 'conf'}",
        "-cp",
        str(distribution / "lib" / "quarkus-run.jar"),
        "io.quarkus.bootstrap.runner.QuarkusEntryPoint",
        *arguments,
    ]


def distribution() -> Path:
    """The folder of an unpacked Keycloak that is built to keep its data in memory.

    Building takes most of a minute, so it is done once, in a folder that gets its name when it is whole.
    """
    cache = cache_folder()
    built = cache / f"keycloak-{VERSION}-in-memory"
    if built.is_dir():
        return built
    java()  # without it the download would be in vain
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / f"keycloak-{VERSION}.lock"):
        if not built.is_dir():
            _build(_archive(cache), built)
    return built


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _archive(cache: Path) -> Path:
    archive = cache / ARCHIVE
    if archive.is_file():
        return archive
    maven = shutil.which("mvn")
    if maven is None:
        raise KeycloakUnavailable(f"{archive} is not there, and there is no mvn to fetch it")
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        artifact = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
        arguments = [maven, "-q", "-B", "dependency:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={folder}"]
        try:
            done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=DOWNLOAD_SECONDS)
        except subprocess.TimeoutExpired:
            raise KeycloakUnavailable(f"mvn did not fetch {artifact} within {DOWNLOAD_SECONDS} s") from None
        if done.returncode != 0:
            raise KeycloakUnavailable(f"mvn could not fetch {artifact}: {(done.stdout or done.stderr).strip()[:500]}")
        (Path(folder) / ARCHIVE).rename(archive)
    return archive


def _build(archive: Path, built: Path) -> None:
    with tempfile.TemporaryDirectory(dir=built.parent) as folder:
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(folder)
        unpacked = Path(folder) / f"keycloak-{VERSION}"
        arguments = command(unpacked, unpacked, "build", "--db=dev-mem")
        done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=BUILD_SECONDS)
        if done.returncode != 0:
            raise RuntimeError(f"Keycloak could not be built: {(done.stdout + done.stderr)[-2000:]}")
        unpacked.rename(built)
