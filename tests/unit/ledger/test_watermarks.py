from __future__ import annotations

import ledger


def test_a_watermark_is_the_last_one_put(book: ledger.Ledger):
    assert book.watermarks.get("entra", "users") is None

    book.watermarks.put("entra", "users", "delta-1")
    book.watermarks.put("entra", "users", "delta-2")

    assert book.watermarks.get("entra", "users") == "delta-2"
    assert book.watermarks.get("entra", "groups") is None
    assert book.watermarks.get("okta", "users") is None
