from __future__ import annotations

import stat
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import make_url

import ledger
from directory.errors import ConfigurationError, Fatal
from ledger.database import Database
from ledger.journal import Consequences
from tests import postgresql
from tests.unit.ledger.entries import a_plan, a_run


def modules_after(code: str) -> set[str]:
    """Which of the costly packages a program of its own has imported at its end."""
    program = f"{code}\nimport sys\nprint(*{{'sqlalchemy', 'sqlmodel', 'alembic', 'polars'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def test_importing_the_package_imports_nothing_costly():
    assert modules_after("import ledger; ledger.default_url()") == set()


def test_opening_a_current_ledger_imports_neither_sqlmodel_nor_alembic(url: str):
    ledger.open(url).close()

    assert modules_after(f"import ledger; ledger.open({url!r}).close()") == {"sqlalchemy", "polars"}


def test_what_was_written_is_there_after_opening_again(url: str):
    with ledger.open(url) as book:
        run_id = a_run(book)

    with ledger.open(url) as book:
        assert book.runs.get(run_id).status == "running"


def test_the_ledger_lies_under_the_home_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("USERSYNC_HOME", raising=False)
    assert ledger.default_url() == f"sqlite:///{tmp_path}/.usersync/ledger.db"
    monkeypatch.setenv("USERSYNC_HOME", "/srv/usersync")
    assert ledger.default_url() == "sqlite:////srv/usersync/.usersync/ledger.db"
    assert ledger.default_url(Path("/elsewhere")) == "sqlite:////elsewhere/.usersync/ledger.db"


def test_a_folder_may_have_characters_that_mean_something_in_a_url(tmp_path: Path):
    home = tmp_path / "50 %25 what?"

    ledger.open(ledger.default_url(home)).close()

    assert (home / ".usersync" / "ledger.db").exists()


def test_nobody_else_may_read_the_file(tmp_path: Path):
    with ledger.open(tmp_path / "private" / "ledger.db") as book:
        a_run(book)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "private").iterdir()}

    assert modes == {"ledger.db": 0o600, "ledger.db-wal": 0o600, "ledger.db-shm": 0o600}
    assert stat.S_IMODE((tmp_path / "private").stat().st_mode) == 0o700


def test_sqlite_writes_ahead_and_waits_for_its_turn(tmp_path: Path):
    with Database(tmp_path / "ledger.db").read() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        }

    assert pragmas == {"journal_mode": "wal", "synchronous": 1, "busy_timeout": 30_000, "foreign_keys": 1}


def test_many_threads_may_write_at_once(book: ledger.Ledger):
    plan_id = a_plan(book)
    run_id = a_run(book)

    def write(first: int) -> None:
        for seq in range(first, first + 20):
            book.journal.sent(plan_id, run_id, [seq])
            book.journal.done(plan_id, run_id, [seq], also=Consequences("okta", links=[link(seq)]))

    def link(seq: int) -> dict[str, object]:
        return {"external_id": f"p{seq}", "account_id": None, "username": f"u{seq}"}

    threads = [threading.Thread(target=write, args=(first,)) for first in (0, 100, 200, 300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert book.journal.entries(plan_id)["status"].to_list() == ["done"] * 80
    assert book.links.frame("okta").height == 80


def test_a_url_of_another_database_is_refused():
    with pytest.raises(ConfigurationError, match="SQLite or a database of PostgreSQL"):
        ledger.open("mysql://me:hunter2@localhost/ledger")


def test_a_ledger_in_memory_is_refused_since_it_would_forget():
    with pytest.raises(ConfigurationError, match="a file of SQLite"):
        ledger.open("sqlite://")


@pytest.mark.parametrize("wrong", ["mysql://me:hunter2@localhost/ledger", "hunter2", "postgresql://me:hunter2@[::1/l"])
def test_a_refused_url_does_not_show_its_password(wrong: str):
    with pytest.raises(ConfigurationError) as caught:
        ledger.open(wrong)

    assert "hunter2" not in str(caught.value)


def test_the_location_shows_no_password(postgresql_server: str):
    password = urlsplit(postgresql_server).password
    assert password is not None
    with ledger.open(postgresql.emptied(postgresql_server)) as book:
        assert password not in book.location
        assert "127.0.0.1" in book.location


def test_rights_that_are_missing_are_no_mistake_of_ours(postgresql_server: str):
    url = postgresql.emptied(postgresql_server)
    ledger.open(url).close()
    owner = Database(url)
    stranger = Database(make_url(url).set(username="stranger", password="x").render_as_string(hide_password=False))
    with owner.write() as connection:
        connection.exec_driver_sql("CREATE ROLE stranger LOGIN PASSWORD 'x'")
        connection.exec_driver_sql("GRANT USAGE ON SCHEMA public TO stranger")
    try:
        with pytest.raises(Fatal, match="the ledger's database failed: permission denied"), stranger.read() as reading:
            reading.exec_driver_sql("SELECT * FROM runs")
    finally:
        stranger.close()
        with owner.write() as connection:
            connection.exec_driver_sql("DROP OWNED BY stranger")
            connection.exec_driver_sql("DROP ROLE stranger")
        owner.close()


def test_postgresql_without_a_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ledger.database.find_spec", lambda _name: None)

    with pytest.raises(ConfigurationError, match=r"pip install") as caught:
        ledger.open("postgresql://me:hunter2@localhost/ledger")

    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_no_database_is_named(tmp_path: Path):
    path = tmp_path / "ledger.db"
    path.write_text("people: everybody\n" * 1000)

    with pytest.raises(Fatal, match="file is not a database") as caught:
        ledger.open(path)

    assert str(path) in str(caught.value)
    assert path.read_text().startswith("people: everybody")


def test_a_path_through_a_file_is_named(tmp_path: Path):
    (tmp_path / "file").touch()

    with pytest.raises(ConfigurationError, match="cannot be created or written"):
        ledger.open(tmp_path / "file" / "ledger.db")


def test_processes_that_open_a_fresh_ledger_together_create_it_once(url: str):
    program = f"import ledger; book = ledger.open({url!r}); book.runs.start(sync='s', mode='sync', target='t')"
    together = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(2)]

    assert [process.wait() for process in together] == [0, 0]
    with ledger.open(url) as book:
        assert len(book.runs.latest()) == 2


def test_a_ledger_opened_twice_in_one_process_sees_what_another_process_writes(url: str):
    """Where the file is opened and closed beside SQLite, its locks are gone, and the other takes the log away."""
    write = f"import ledger\nwith ledger.open({url!r}) as b: b.runs.start(sync='okta', mode='sync', target='t')"
    with ledger.open(url) as book, ledger.open(url):
        for number in (1, 2):
            subprocess.run([sys.executable, "-c", write], check=True)
            assert len(book.runs.latest()) == number
