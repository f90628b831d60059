from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from directory.errors import ConfigurationError, UnknownRecord
from ledger import Ledger

AT = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_a_token_is_known_by_its_text_which_the_ledger_does_not_have(book: Ledger):
    made, text = book.tokens.add("portal", ["run", "read"], at=AT)

    found = book.tokens.known(text, at=AT)

    assert found is not None
    assert (found.id, found.name, found.scopes) == (made.id, "portal", ("read", "run"))
    secret = text.removeprefix(f"usersync_{made.id}_")
    assert len(secret) >= 43
    with book._database.read() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM tokens").all()
    assert secret not in str(rows)


@pytest.mark.parametrize("change", ["", "x", "other id", "nothing", "no letters of ours", "another's"])
def test_any_other_text_is_nobody(book: Ledger, change: str):
    made, text = book.tokens.add("portal", ["read"], at=AT)
    _, other = book.tokens.add("other", ["read"], at=AT)
    wrong = {
        "": "",
        "x": text + "x",
        "other id": text.replace(made.id, "22222222"),
        "nothing": "usersync__",
        "no letters of ours": "\ud800é" * 9,
        "another's": text.replace(made.id, other.split("_")[1]),
    }
    assert book.tokens.known(wrong[change], at=AT) is None


def test_an_expired_token_and_a_revoked_one_are_nobody(book: Ledger):
    made, text = book.tokens.add("portal", ["read"], at=AT, expires_at=AT + HOUR)
    assert book.tokens.known(text, at=AT + HOUR) is None
    assert book.tokens.good(made.id, at=AT + HOUR) is None
    assert book.tokens.known(text, at=AT) is not None

    book.tokens.revoke("portal", at=AT)

    assert book.tokens.known(text, at=AT) is None
    assert book.tokens.good(made.id, at=AT) is None
    assert book.tokens.revoke(made.id, at=AT + HOUR).revoked_at == AT


def test_a_token_that_is_used_much_is_noted_once_a_minute(book: Ledger):
    _, text = book.tokens.add("portal", ["read"], at=AT)
    for seconds in (0, 1, 59):
        book.tokens.known(text, at=AT + timedelta(seconds=seconds))
    assert [token.used_at for token in book.tokens.all()] == [AT]
    book.tokens.known(text, at=AT + timedelta(seconds=60))
    assert [token.used_at for token in book.tokens.all()] == [AT + timedelta(seconds=60)]


def test_two_tokens_of_one_name_are_revoked_by_their_ids(book: Ledger):
    book.tokens.add("portal", ["read"])
    book.tokens.add("portal", ["read"])
    with pytest.raises(UnknownRecord, match="2 tokens are called 'portal'"):
        book.tokens.revoke("portal")
    with pytest.raises(UnknownRecord, match="no token 'nobody'"):
        book.tokens.revoke("nobody")


@pytest.mark.parametrize(("name", "scopes"), [(" ", ["read"]), ("portal", []), ("portal", ["admin"])])
def test_a_token_without_a_name_or_a_scope_is_refused(book: Ledger, name: str, scopes: list[str]):
    with pytest.raises(ConfigurationError, match="a name and at least one scope of read, run, approve"):
        book.tokens.add(name, scopes)  # type: ignore[arg-type]
    assert book.tokens.all() == []


def test_what_was_begun_is_written_down_before_it_is_answered(book: Ledger):
    entry = book.audit.begin(token_id="t", who="portal", client="192.0.2.7", what="POST /api/x", at=AT)
    assert [(one.who, one.status, one.details) for one in book.audit.latest()] == [("portal", None, {})]

    book.audit.end(entry, status=202, details={"run": "r"}, token_id="other", who="other")

    (one,) = book.audit.latest()
    assert (one.at, one.token_id, one.who, one.client, one.what, one.status, one.details) == (
        *(AT, "t", "portal", "192.0.2.7"),
        *("POST /api/x", 202, {"run": "r"}),
    )
