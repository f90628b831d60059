from __future__ import annotations

import ledger


def test_a_group_once_assigned_stays_owned_until_it_is_given_up(book: ledger.Ledger):
    book.ownership.add("okta", ["devs", "ops"])
    book.ownership.add("okta", ["devs", "qa"])
    book.ownership.add("okta", [])
    assert book.ownership.groups("okta") == {"devs", "ops", "qa"}

    book.ownership.remove("okta", ["ops", "never owned"])

    assert book.ownership.groups("okta") == {"devs", "qa"}
    assert book.ownership.groups("entra") == frozenset()
