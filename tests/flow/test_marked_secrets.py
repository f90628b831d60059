"""Runs with secrets that can be told from everything else, and a search for them in all that is left afterwards."""

from __future__ import annotations

import base64
import io
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.okta import SSWS_TOKEN
from tests.e2e.stage import PRINCIPAL, Stage, staged
from tests.flow.keeping import save_block
from tests.flow.marks import found_in_files, found_in_tables, spellings
from tests.flow.server import FlowHost, PrefectServer
from tests.flow.test_secrets import registered

__all__ = ["registered"]

SECRETS = {
    "the token in a connector's block": SSWS_TOKEN,
    "the password in a Secret block": 'Mark of a "Secret" block/7461+é',
    "the password in a file": "Mark of a file/5120+ü&x=1",
    "the password in a variable": "Mark of a variable %41 <9>",
}
"""With letters that URLs, JSON and Base64 each write in a way of their own."""

MARKS = {name: spellings(secret) for name, secret in SECRETS.items()}


class Echo:
    """Refuses every request to one side, Okta or Bitbucket, with a body that says which credentials came."""

    def __init__(self) -> None:
        self.side: str | None = None
        self._sides = iter(("okta", "bitbucket"))
        self.echoed: list[str] = []

    def around(self, app: ASGIApp) -> ASGIApp:
        side = next(self._sides)

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            if side != self.side or scope["type"] != "http":
                await app(scope, receive, send)
                return
            sent = Request(scope).headers.get("authorization", "")
            kind, _, rest = sent.partition(" ")
            plain = base64.b64decode(rest).decode() if kind == "Basic" else rest
            self.echoed.append(plain)
            said = f"bad credentials {sent}, that is {plain}"
            await JSONResponse({"errors": [{"message": said}], "errorSummary": said}, 401)(scope, receive, send)

        return answer


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, echo: Echo) -> Iterator[Stage]:
    with staged(tmp_path, monkeypatch, wrap=echo.around) as stage:
        yield stage


def let_in(stage: Stage, password: str) -> None:
    principal = stage.bitbucket.state.user(PRINCIPAL)
    assert principal is not None
    principal.password = password


def test_the_search_finds_a_mark_however_it_is_written(tmp_path: Path) -> None:
    for name, secret in SECRETS.items():
        only = {name: MARKS[name]}
        written: list[str | bytes] = [
            f"before {secret} after",
            json.dumps({"password": secret}),
            base64.b64encode(f"{PRINCIPAL}:{secret}".encode()).decode(),
            base64.b64encode(f"a{PRINCIPAL}:{secret}x".encode()).decode(),
            base64.b64encode(f"bc{PRINCIPAL}:{secret}".encode()).decode(),
            _parquet(secret),
        ]
        for number, text in enumerate(written):
            folder = tmp_path / f"{abs(hash(name))}-{number}"
            folder.mkdir()
            file = folder / "plain"
            file.write_bytes(text if isinstance(text, bytes) else text.encode())
            assert found_in_files([folder], only, spared=[]), (name, number)
            assert not found_in_files([folder], only, spared=[file])
            file.unlink()
            database = folder / "some.db"
            with sqlite3.connect(database) as connection:
                connection.execute("CREATE TABLE log (message)")
                connection.execute("INSERT INTO log VALUES (?)", (text,))
            assert found_in_tables(database, only), (name, number)


def _parquet(secret: str) -> bytes:
    buffer = io.BytesIO()
    pl.DataFrame({"note": ["nothing", f"the password is {secret}"] * 50}).write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


def test_no_mark_is_left_anywhere(
    server: PrefectServer, host: FlowHost, marked: Stage, registered: None, echo: Echo, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept_in = marked.folder / "password"
    kept_in.write_text(SECRETS["the password in a file"], encoding="utf-8")
    save_block(server, "usersync-okta", "marked", token=SSWS_TOKEN)
    host.save_secret("marked", SECRETS["the password in a Secret block"])
    from_block = {"token": "block:usersync-okta/marked/token"}
    ended: list[tuple[str, str]] = []

    def run(name: str, reference: str) -> None:
        let_in(marked, SECRETS[name])
        marked.write_sync_file(source=from_block, target={"password": reference})
        state = host.sync(marked, environment={"MARKED_PASSWORD": SECRETS["the password in a variable"]})
        ended.append((state.name, state.id))

    run("the password in a Secret block", "block:secret/marked")
    marked.company.hire(3)
    run("the password in a file", f"file:{kept_in}")
    marked.company.hire(1)
    run("the password in a variable", "env:MARKED_PASSWORD")
    run("the password in a variable", "block:secret/nobody-made-this")
    echo.side = "okta"
    run("the password in a variable", "env:MARKED_PASSWORD")
    echo.side = "bitbucket"
    for name, reference in (
        ("the password in a Secret block", "block:secret/marked"),
        ("the password in a file", f"file:{kept_in}"),
        ("the password in a variable", "env:MARKED_PASSWORD"),
    ):
        run(name, reference)
    echo.side = None
    assert [name for name, _ in ended] == ["Completed"] * 3 + ["Refused"] + ["Failed"] * 4
    assert {*SECRETS.values()} <= {text.removeprefix(f"{PRINCIPAL}:") for text in echo.echoed}

    for _, flow_run_id in ended:
        server.wait_for_log(flow_run_id, "Finished in state")
        told: list[Any] = [server.flow_run(flow_run_id), server.artifacts(flow_run_id), server.logs(flow_run_id)]
        found = [
            (name, text)
            for name, written in MARKS.items()
            for text in map(str, told)
            if any(spelling.decode() in text for spelling in written)
        ]
        assert found == []
    # Tables and logs of the server, what its clients keep, the log of what ran the flows, the ledger, the results.
    folders = [server.home.parent, marked.folder]
    assert (server.home / "prefect.db").exists()
    assert (marked.folder / "ledger.db").exists()
    assert found_in_files(folders, MARKS, spared=[kept_in]) == []
    blocks = found_in_tables(server.home / "prefect.db", {"its name": [b"usersync-okta"]})
    assert blocks, "the search does not see the tables of blocks"
