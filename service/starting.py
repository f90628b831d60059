"""Runs that are started over HTTP: by Prefect where there is one, else in a process that outlives the request."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from anyio import from_thread

from directory.errors import ConfigurationError, Fatal
from flows.orders import Order
from ledger.instant import now
from ledger.opening import Ledger
from ledger.runs import Run
from service.person_runs import PersonRuns
from service.settings import ServiceSettings
from tasks.ending import Ending

__all__ = ["Started", "Starter"]

_LOOK_SECONDS = 0.05
_PREFIX = "usersync: "
_LABEL = re.compile(r"^ *(not done|next) {2,}(.*)$")


class Started(NamedTuple):
    run_id: str | None = None
    """None where it has not said its id in time, and under Prefect, where it may wait for a worker."""
    flow_run_id: str | None = None


class Starter:
    def __init__(self, ledger: Ledger, settings: ServiceSettings) -> None:
        self._ledger = ledger
        self._settings = settings
        self._people = PersonRuns(settings.ledger_url, wait_seconds=settings.person_seconds)

    def start(self, order: Order, sync: str) -> Started:
        """Begin a run; blocks until its id is known. For threads that the server handed the request to.

        `order` names an existing file of a usable sync.

        Raises what the command would have said: ConfigurationError where it refused to begin, Fatal where it failed.
        """
        if os.environ.get("PREFECT_API_URL"):
            # Prefect takes two seconds to import, and none of these where no server is named.
            from flows.starting import start_deployed  # noqa: PLC0415

            # On the loop of the server: Prefect's client leaves connections behind in one that ends at once.
            return Started(flow_run_id=from_thread.run(start_deployed, order, sync))
        return Started(self._in_process(order))

    def sync_person(self, order: Order) -> Ending:
        """Bring one person up to date in this process; blocks until it is done."""
        return self._people.run(order)

    def prepare(self) -> None:
        """Make the first person wait no longer than the next; returns at once."""
        self._people.prepare()

    def close(self) -> None:
        """Blocks until single people are up to date whose run has begun."""
        self._people.close()

    def _in_process(self, order: Order) -> str | None:
        begun = now()
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(  # noqa: S603 -- our own program; what comes from outside are names that exist
                [*self._settings.command, *_arguments(order)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                # Not in the arguments, which everybody on the machine can read: it may hold a password.
                env={**os.environ, "USERSYNC_LEDGER": self._settings.ledger_url},
                # Ctrl-C and the end of the service are not meant for the run.
                start_new_session=True,
            )
            # Somebody has to take note of its end, or it stays in the process table.
            threading.Thread(target=process.wait, daemon=True, name=f"run-{process.pid}").start()
            run = self._seen(process, begun)
            if run is not None:
                return run.id
            code = process.poll()
            if code is None:
                return None
            said.seek(0)
            raise _refused(said.read().decode("utf-8", "replace"), code)

    def _seen(self, process: subprocess.Popen[bytes], begun: datetime) -> Run | None:
        """The run that the process began, as soon as it did."""
        for ended in _until(process, self._settings.start_seconds):
            run = self._ledger.runs.find_by_process(socket.gethostname(), process.pid, since=begun)
            if run is not None or ended:
                return run
        return None


def _until(process: subprocess.Popen[bytes], seconds: float) -> Iterator[bool]:
    """Every now and then: whether the process had ended by then."""
    last = time.monotonic() + seconds
    while time.monotonic() < last:
        yield process.poll() is not None
        time.sleep(_LOOK_SECONDS)


def _arguments(order: Order) -> list[str]:
    if order.mode == "apply":
        return ["apply", order.plan_id, order.sync_file]
    return [order.mode, *(["--full"] if order.full else []), order.sync_file]


def _refused(said: str, code: int) -> Fatal:
    """What the command said on its way out, as the error that it was."""
    what: list[str] = []
    parts: dict[str, str] = {}
    for line in said.splitlines():
        labelled = _LABEL.match(line)
        if labelled:
            parts[labelled[1]] = labelled[2]
        elif line.startswith(_PREFIX):
            what.append(line.removeprefix(_PREFIX))
    kind = ConfigurationError if code == 2 else Fatal
    return kind(
        "\n".join(what) or f"the run ended with exit code {code} before it began",
        not_done=parts.get("not done"),
        next_step=parts.get("next") or "run the same on the command line",
    )
