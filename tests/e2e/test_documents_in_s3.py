"""Documents in a real S3 on loopback, in a process of its own as a worker is one: written, linked, read back."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ledger.retention import KEPT_RUNS
from sandbox.okta import SSWS_TOKEN
from tests import s3
from tests.e2e.stage import PASSWORD, Stage, staged

pytestmark = [pytest.mark.slow, pytest.mark.skipif(s3.missing() is not None, reason=str(s3.missing()))]


@contextmanager
def set_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with staged(folder, monkeypatch, staff=(20, 4)) as stage:
        # The place comes from the environment, as where one sync file serves a laptop and a cluster.
        text = stage.sync_file.read_text(encoding="utf-8").replace(f"report:\n  results: {folder}/results\n", "")
        assert "results:" not in text
        stage.sync_file.write_text(text, encoding="utf-8")
        yield stage


def usersync(stage: Stage, endpoint: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PREFECT_"))}
    return subprocess.run(
        [str(Path(sys.executable).with_name("usersync")), *arguments],
        env=environment
        | {
            "USERSYNC_LEDGER": stage.ledger_url,
            "USERSYNC_RESULTS": f"s3://{s3.BUCKET}/staff",
            "OKTA_TOKEN": SSWS_TOKEN,
            "BITBUCKET_PASSWORD": PASSWORD,
            "FSSPEC_S3_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_EC2_METADATA_DISABLED": "true",
        },
        cwd=Path(__file__).parents[2],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_document_goes_to_s3_and_is_read_back_from_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3.server() as endpoint, set_up(tmp_path, monkeypatch) as stage:
        ran = usersync(stage, endpoint, "sync", str(stage.sync_file), "--json")
        assert ran.returncode == 0, ran.stdout + ran.stderr
        ending = json.loads(ran.stdout)
        run_id = ending["run"]
        assert ending["document"] == f"s3://{s3.BUCKET}/staff/staff/{run_id}.json"
        assert list(tmp_path.rglob(f"{run_id}*")) == []

        read = usersync(stage, endpoint, "results", "latest", "--document")
        assert read.returncode == 0, read.stderr
        document = json.loads(read.stdout)
        assert document["run"]["id"] == run_id
        assert len(document["people"]) == len(stage.company.people)
        assert document["run"]["applied"] == ending["applied"]


def test_an_old_document_is_removed_from_s3_together_with_its_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3.server() as endpoint, set_up(tmp_path, monkeypatch) as stage:
        ending = json.loads(usersync(stage, endpoint, "sync", str(stage.sync_file), "--json").stdout)
        newer = json.loads(usersync(stage, endpoint, "sync", str(stage.sync_file), "--json").stdout)
        for number in range(KEPT_RUNS):
            with stage.ledger() as ledger:
                run = ledger.runs.start(sync="staff", mode="sync", target="bb")
                ledger.runs.finish(run.id, "nothing_to_do", header={"number": number})
        long_ago = int(datetime(2020, 2, 29, tzinfo=UTC).timestamp() * 1e6)
        with sqlite3.connect(stage.ledger_url.removeprefix("sqlite:///")) as database:
            database.execute("UPDATE runs SET started_at = ? WHERE id = ?", (long_ago, ending["run"]))
            of_it = "UPDATE plans SET created_at = ? WHERE id = (SELECT plan_id FROM runs WHERE id = ?)"
            database.execute(of_it, (long_ago, ending["run"]))
        assert s3.keys(endpoint) == {f"staff/staff/{run}.json" for run in (ending["run"], newer["run"])}
        pruned = usersync(stage, endpoint, "prune", "--json")
        assert pruned.returncode == 0, pruned.stderr
        assert json.loads(pruned.stdout)["removed"]["documents"][0] == 1
        assert s3.keys(endpoint) == {f"staff/staff/{newer['run']}.json"}


def test_a_store_that_is_down_changes_nothing_in_how_a_run_ends_and_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with set_up(tmp_path, monkeypatch) as stage:
        nobody = "http://127.0.0.1:9"
        ran = usersync(stage, nobody, "sync", str(stage.sync_file), "--json")
        ending = json.loads(ran.stdout)
        assert (ran.returncode, ending["status"]) == (0, "succeeded"), ran.stderr
        assert ending["document"] is None
        assert f"could not be written to s3://{s3.BUCKET}/staff" in ending["message"]

        missing = usersync(stage, nobody, "results", "latest", "--document")
        assert missing.returncode != 0
        assert "left no document" in missing.stderr
        told = usersync(stage, nobody, "results", "latest", "--json")
        assert len(json.loads(told.stdout)["people"]) == len(stage.company.people)
