"""`usersync demo` as a newcomer runs it, and what it leaves behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cli.demo import story
from cli.demo.stage import Stage
from cli.main import main

SECRETS = ("00sandboxSswsToken", "demo-only-opens-nothing-else")


COMMAND = [sys.executable, "-c", "from cli.main import run; run()"]


def environment(folder: Path) -> dict[str, str]:
    """With a folder for temporary files that shows what is left."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("USERSYNC", "PREFECT"))}
    return {
        **plain,
        "TMPDIR": str(folder),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        # Would lead the demo astray if it did not set them aside.
        "USERSYNC_LEDGER": f"sqlite:///{folder}/mine.db",
        "PREFECT_API_URL": "http://127.0.0.1:9/api",
    }


def usersync(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def answers(port: int) -> bool:
    """Whether somebody listens on the loopback port."""
    wanted = f"0100007F:{port:04X}"
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    return any(line.split()[1] == wanted and line.split()[3] == "0A" for line in lines)


def test_the_demo_tells_its_story_and_leaves_nothing(tmp_path: Path) -> None:
    told = usersync(tmp_path, "demo")
    assert told.returncode == 0, told.stdout + told.stderr
    for part in (
        "$ usersync check okta",
        "Ready. Next: usersync plan okta",
        "guard     clear (no account is managed yet)",
        "475 accounts have exactly the groups that Okta gives.",
        "renamed, not created anew.",
        "  access removed",
        "  reactivated",
        "✓ The plan is empty.",
        "✓ Bitbucket received 0 writes.",
        "guard     HELD: nothing is applied unless approved",
        "(exit code 3)",
        "every step ended as told.",
    ):
        assert part in told.stdout
    assert re.findall(r"\$ usersync (\w+)", told.stdout) == [
        *("check", "plan", "apply", "results", "sync", "results", "sync", "results", "sync", "sync", "runs")
    ]
    assert max(map(len, told.stdout.splitlines())) <= 100
    assert "\x1b" not in told.stdout + told.stderr
    assert not any(secret in told.stdout + told.stderr for secret in SECRETS)
    assert list(tmp_path.iterdir()) == []
    ports = {int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", told.stdout)}
    assert len(ports) == 2
    assert not any(answers(port) for port in ports)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_stopped_leaves_nothing_either(tmp_path: Path, stop: signal.Signals) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*COMMAND, "demo"], cwd=tmp_path, env=environment(tmp_path), stdout=pipe, stderr=pipe, text=True
    ) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if line.startswith("$ usersync apply"):
                break
        running.send_signal(stop)
        out, err = running.communicate(timeout=60)
    assert running.returncode == 1
    assert "usersync: interrupted; " in err
    assert "Traceback" not in out + err
    assert "The demo failed" not in out
    assert list(tmp_path.iterdir()) == []


def test_the_demo_keeps_its_folder_when_asked(tmp_path: Path) -> None:
    told = usersync(tmp_path, "demo", "--keep")
    assert told.returncode == 0
    (kept,) = tmp_path.iterdir()
    assert str(kept) in told.stdout
    assert (kept / ".usersync" / "ledger.db").exists()
    written = [path for path in kept.rglob("*") if path.is_file()]
    assert not any(secret.encode() in path.read_bytes() for path in written for secret in SECRETS)
    documents = list((kept / ".usersync" / "results" / "okta").glob("*.json"))
    assert len(documents) == told.stdout.count("  run       ")


def test_a_step_that_ends_otherwise_fails_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(Stage, "as_okta_says", lambda _: False)
    before = (Path.cwd(), dict(os.environ))
    assert story.tell(main, keep=False) == 1
    told = capsys.readouterr().out
    assert "The demo failed: this does not hold: 475 accounts have exactly the groups" in told
    assert "every step ended as told" not in told
    assert (Path.cwd(), dict(os.environ)) == before
    (left,) = tmp_path.iterdir()
    assert str(left) in told
