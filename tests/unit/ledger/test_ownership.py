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


def test_what_fed_a_group_is_replaced_when_it_is_noted_anew(book: ledger.Ledger):
    book.ownership.add("okta", ["devs", "all"], {"devs": [("g1", "Devs"), ("g2", "Devs 2")], "all": [(None, None)]})
    book.ownership.add("okta", ["devs", "ops"], {"devs": [("g3", "Devs")]})
    assert book.ownership.feeds("okta").rows() == [("all", None, None), ("devs", "g3", "Devs")]
    assert book.ownership.feeds("entra").height == 0

    book.ownership.remove("okta", ["devs"])

    assert book.ownership.feeds("okta").rows() == [("all", None, None)]
