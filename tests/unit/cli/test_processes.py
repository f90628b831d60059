"""What only a process of its own can show: what it imports, how it ends on Ctrl-C, what a pipe gets."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from sandbox.bitbucket import BitbucketSimulator, Switches
from sandbox.serving import served
from tests.small_office import PASSWORD
from tests.unit.cli.conftest import Office

HEAVY = {"alembic", "httpx", "polars", "prefect", "rich.progress", "scipy", "sqlalchemy", "sqlmodel", "starlette"}
COMMAND = "import sys; from cli.main import main, run; "
MANY = "external_id,username,email,display_name,active,groups\n" + "".join(
    f"{number},p{number:03},p{number:03}@example.com,Person {number},true,\n" for number in range(120)
)


def started(office: Office, *arguments: str, code: str = COMMAND + "run()") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=office.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )


def imports_of(office: Office, *arguments: str) -> set[str]:
    show = COMMAND + "code = main(sys.argv[1:]); sys.stderr.write('\\n' + ' '.join(sys.modules)); sys.exit(code)"
    process = started(office, *arguments, code=show)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    return set(err.splitlines()[-1].split())


def test_help_imports_nothing_heavy(office: Office) -> None:
    assert imports_of(office, "--help") & HEAVY == set()


def test_showing_a_plan_imports_neither_prefect_nor_a_client(office: Office) -> None:
    plan = office.planned()
    assert imports_of(office, "show", plan) & {"httpx", "prefect", "scipy", "sqlmodel", "starlette"} == set()


def test_a_run_without_a_prefect_server_imports_no_prefect(office: Office) -> None:
    assert "prefect" not in imports_of(office, "sync", "staff")


def test_a_prefect_server_that_does_not_answer_is_named_as_the_trouble(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{port}/api")
    monkeypatch.setenv("PREFECT_HOME", str(office.folder / "prefect"))
    process = started(office, "sync", "staff")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "the Prefect server that PREFECT_API_URL names does not answer" in err
    assert "Traceback" not in out + err
    assert office.bitbucket.requests.writes == 0


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_says_what_was_acknowledged_and_the_next_run_does_the_rest(office: Office, stop: signal.Signals) -> None:
    slow = BitbucketSimulator(Switches(latency_seconds=0.05), ("admin", PASSWORD))
    office.write_people(MANY)
    with served(slow.app) as url:
        office.url = url
        office.write_sync_file()
        process = started(office, "sync", "staff")
        deadline = time.monotonic() + 30
        while slow.requests.writes < 16 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(stop)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 1
        (message,) = (line for line in err.splitlines() if line.startswith("usersync: "))
        assert message.startswith("usersync: interrupted; ")
        acknowledged = int(message.removeprefix("usersync: interrupted; ").partition(" of 120 ")[0])
        assert 0 < acknowledged < 120
        assert "Traceback" not in out + err

        assert office.usersync("sync", "staff").code == 0
        assert slow.effects.repeated() == []
        assert len(slow.state.truth.users) == 121
        assert office.usersync("runs").out.count("succeeded") == 1


def test_a_reader_that_goes_away_is_no_defect(office: Office) -> None:
    office.usersync("sync", "staff")
    with started(office, "results", "latest", "--json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert not list((office.folder / ".usersync").glob("defect-*"))
