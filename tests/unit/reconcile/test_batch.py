"""Operations as calls: each kind's own, in order, and the fewest for memberships."""

from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from directory.call import (
    AddGroupsToAccount,
    AddMembersToGroup,
    CreateAccount,
    CreateGroup,
    DeleteAccount,
    GrantPermission,
    RemoveMembership,
    RenameAccount,
    RevokePermission,
    UpdateAccount,
)
from reconcile.batch import Batch, batches, split
from reconcile.plan import OPERATIONS
from tests.unit.reconcile.test_cover import maximum_matching


def operation(seq: int, kind: str, username: str | None = "ann", **columns: Any) -> dict[str, Any]:
    return {"seq": seq, "kind": kind, "username": username, **columns}


def packed(*rows: dict[str, Any], most_members: int = 100) -> list[tuple[str, list[Batch]]]:
    return list(batches(pl.DataFrame(rows, schema=OPERATIONS), most_members=most_members))


def test_each_kind_becomes_its_calls_in_the_order_of_kinds() -> None:
    rows = [
        operation(9, "remove_membership", group="dev"),
        operation(8, "add_membership", group="dev"),
        operation(7, "restore_access", after='{"groups":["a","b"],"permission":"ADMIN"}'),
        operation(6, "update", after='{"display_name":"Ann","email":"a@x"}'),
        operation(5, "create", after='{"username":"ann","display_name":"Ann","email":"a@x"}'),
        operation(4, "rename", after='{"username":"lee"}'),
        operation(3, "delete"),
        operation(2, "remove_access", before='{"groups":["a","b"],"permission":"ADMIN"}'),
        operation(1, "adopt"),
        operation(0, "create_group", None, group="dev"),
    ]
    assert [(kind, [(batch.calls, batch.seqs) for batch in found]) for kind, found in packed(*rows)] == [
        ("create_group", [((CreateGroup("dev"),), (0,))]),
        ("adopt", [((), (1,))]),
        (
            "remove_access",
            [((RevokePermission("ann"), RemoveMembership("ann", "a"), RemoveMembership("ann", "b")), (2,))],
        ),
        ("delete", [((DeleteAccount("ann"),), (3,))]),
        ("rename", [((RenameAccount("ann", "lee"),), (4,))]),
        ("create", [((CreateAccount("ann", "Ann", "a@x"),), (5,))]),
        ("update", [((UpdateAccount("ann", "Ann", "a@x"),), (6,))]),
        ("restore_access", [((GrantPermission("ann", "ADMIN"), AddGroupsToAccount("ann", ("a", "b"))), (7,))]),
        ("add_membership", [((AddGroupsToAccount("ann", ("dev",)),), (8,))]),
        ("remove_membership", [((RemoveMembership("ann", "dev"),), (9,))]),
    ]


def test_nothing_to_do_is_no_call() -> None:
    assert packed() == []


def test_an_update_of_an_account_without_name_and_address_sends_all_three_fields() -> None:
    ((_, [batch]),) = packed(operation(0, "update", after='{"display_name":null,"email":null}'))
    assert batch.calls == (UpdateAccount("ann", "ann", ""),)


def test_access_without_a_grant_or_groups_needs_no_call_for_them() -> None:
    ((_, [removal]), (_, [restoration])) = packed(
        operation(0, "remove_access", before='{"groups":["a"],"permission":null}'),
        operation(1, "restore_access", after='{"groups":[],"permission":"ADMIN"}'),
    )
    assert removal.calls == (RemoveMembership("ann", "a"),)
    assert restoration.calls == (GrantPermission("ann", "ADMIN"),)


def test_a_call_is_cut_at_the_most_members_it_may_carry() -> None:
    rows = [operation(seq, "add_membership", f"u{seq}", group="dev") for seq in range(7)]
    ((_, found),) = packed(*rows, most_members=3)
    assert [batch.seqs for batch in found] == [(0, 1, 2), (3, 4, 5), (6,)]
    assert [batch.calls[0] for batch in found] == [
        AddMembersToGroup("dev", ("u0", "u1", "u2")),
        AddMembersToGroup("dev", ("u3", "u4", "u5")),
        AddMembersToGroup("dev", ("u6",)),
    ]


def test_one_account_for_many_groups_is_one_call_of_the_account() -> None:
    rows = [operation(seq, "add_membership", "ann", group=f"g{seq}") for seq in range(3)]
    ((_, found),) = packed(*rows)
    assert [batch.calls for batch in found] == [(AddGroupsToAccount("ann", ("g0", "g1", "g2")),)]


pairs = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("ABCDEF")), unique=True, min_size=1)


@settings(max_examples=settings().max_examples // 2)
@given(pairs, st.integers(1, 3))
def test_calls_carry_every_membership_once_and_are_as_few_as_can_be(edges: list[tuple[str, str]], most: int) -> None:
    rows = [operation(seq, "add_membership", user, group=group) for seq, (user, group) in enumerate(edges)]
    ((_, whole),) = packed(*rows)
    assert len(whole) == maximum_matching(edges)
    ((_, cut),) = packed(*rows, most_members=most)
    for found in (whole, cut):
        assert Counter(seq for batch in found for seq in batch.seqs) == Counter(range(len(edges)))
        for batch in found:
            assert [edges[seq] for seq in batch.seqs] == carried(batch)
    assert max(len(batch.seqs) for batch in cut) <= most


def carried(batch: Batch) -> list[tuple[str, str]]:
    (call,) = batch.calls
    if isinstance(call, AddMembersToGroup):
        return [(name, call.group) for name in call.usernames]
    assert isinstance(call, AddGroupsToAccount)
    return [(call.username, group) for group in call.groups]


def test_a_refused_batch_is_split_into_its_memberships() -> None:
    both = [
        Batch("add_membership", (AddMembersToGroup("dev", ("a", "b")),), (3, 5)),
        Batch("add_membership", (AddGroupsToAccount("a", ("dev", "ops")),), (3, 5)),
    ]
    assert [[carried(one) for one in split(batch)] for batch in both] == [
        [[("a", "dev")], [("b", "dev")]],
        [[("a", "dev")], [("a", "ops")]],
    ]
    assert [one.seqs for one in split(both[0])] == [(3,), (5,)]


def test_halving_finds_one_name_among_many_in_few_calls() -> None:
    names = tuple(f"user{n}" for n in range(1000))
    waiting, sent, alone = [Batch("add_membership", (AddMembersToGroup("dev", names),), tuple(range(1000)))], 0, []
    while waiting:
        batch = waiting.pop()
        sent += 1
        if ("user617", "dev") in carried(batch):
            if len(batch.seqs) == 1:
                alone.append(batch)
            else:
                waiting += split(batch)
    assert [carried(batch) for batch in alone] == [[("user617", "dev")]]
    assert sent <= 21


def test_a_batch_of_anything_else_stays_whole() -> None:
    batch = Batch("create", (CreateAccount("ann", "Ann", "a@x"),), (1,))
    assert split(batch) == [batch]
