"""The decisions about one person: what a plan for everybody would do with them and their account, and nothing else.

What only the whole can tell is not asked: whether a source shrank, whether a required group has any member, what share
of all accounts is touched. What can be told of one person is: the numbers that the guard allows, administrators, seats,
and whether the groups that a removal rests on are still in the source (`groups_to_confirm`).

A name that another account has is never waited for here: to free it is a change of somebody else, which the sync for
everybody makes. Until then the person is in conflict.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import polars as pl

from directory.normalize import folded
from directory.snapshot import ACCOUNTS, Completeness, SourceSnapshot, TargetSnapshot
from reconcile.correlate import Correlation, correlate
from reconcile.decide import Names, guarded_plan, let_in_unseen, source_findings
from reconcile.diff import Present, diff
from reconcile.filters import filters_of
from reconcile.names import slot
from reconcile.numbered import NumberedTarget, number_target
from reconcile.pattern import is_name
from reconcile.plan import Plan
from reconcile.policy import Guard, Limit, Policy
from reconcile.remembered_names import with_remembered_names
from reconcile.select import Selection, target_groups

__all__ = [
    "OnePerson",
    "groups_to_confirm",
    "judged_alone",
    "only",
    "plan_person",
    "rivals",
    "with_columns_of",
    "with_groups",
]


@dataclass(frozen=True)
class OnePerson:
    external_id: str
    completeness: Completeness
    selection: Selection
    """Of what the source says of the person, and of nobody else; of nobody, where the source does not have them."""
    others: pl.DataFrame | None = None
    """From `rivals`; None where nothing is known of other people."""


def only(snapshot: SourceSnapshot, external_id: str) -> SourceSnapshot:
    """A whole snapshot without other people; groups, and which contains which, stay."""
    theirs = pl.col("member_is_group") | (pl.col("member_id") == external_id)
    return replace(
        snapshot,
        people=snapshot.people.filter(pl.col("external_id") == external_id),
        memberships=snapshot.memberships.filter(theirs),
    )


def with_groups(snapshot: SourceSnapshot, found: pl.DataFrame) -> SourceSnapshot:
    """The snapshot with further groups of the source, of which the person is no member."""
    more = found.join(snapshot.groups, on="group_id", how="anti")
    return replace(snapshot, groups=pl.concat([snapshot.groups, more.select(snapshot.groups.columns)]))


def with_columns_of(snapshot: SourceSnapshot, whole: Mapping[str, pl.DataType]) -> SourceSnapshot:
    """The snapshot with the columns that a read of everybody had, null where nothing is known of this person.

    Some sources show an attribute only where somebody has it, and as a list only where somebody has several values.
    """
    people = snapshot.people
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in whole.items() if name not in people.columns]
    listed = [
        pl.when(pl.col(name).is_not_null()).then(pl.concat_list(name)).alias(name)
        for name, dtype in whole.items()
        if dtype == pl.List(pl.String) and people.schema.get(name) == pl.String
    ]
    return replace(snapshot, people=people.with_columns(*missing, *listed))


def groups_to_confirm(
    selection: Selection,
    read: SourceSnapshot,
    target: TargetSnapshot,
    account_ids: Iterable[str],
    policy: Policy,
    feeds: pl.DataFrame,
    known: pl.DataFrame,
) -> tuple[str, ...]:
    """Names of source groups that the person is in none of, and that a decision about them rests on, sorted.

    Those that the sync file names; those that feed a group which the account is in and should not be; and other
    spellings of a group that has to be created. `read` holds the person's groups, `feeds` has the schema
    `reconcile.ownership.FEEDS`, `known` is `directory.snapshot.SOURCE_GROUPS` as the source was last read whole.
    """
    given = selection.groups["key"]
    theirs = target.memberships.filter(pl.col("account_id").is_in(list(account_ids)))
    surplus = theirs.select(folded("group").alias("key")).unique().filter(~pl.col("key").is_in(given.implode()))["key"]
    there = target.groups.select(folded("name").alias("key"))["key"]
    uncreated = selection.groups.filter(~pl.col("key").is_in(there.implode()))["name"]
    asked = [
        *policy.people.required_groups,
        *_groups_of_filters(policy),
        *surplus,
        *uncreated,
        *feeds.filter(pl.col("key").is_in(surplus.implode()))["source_name"].drop_nulls(),
        *_feeding(known, surplus, policy),
    ]
    have = set(read.groups["name"].str.to_lowercase()) - {name.lower() for name in uncreated}
    by_key = {name.lower(): name for name in asked}
    return tuple(sorted(name for key, name in by_key.items() if key not in have))


def rivals(everybody: Selection, external_id: str, person: Selection, target: TargetSnapshot) -> pl.DataFrame:
    """Other people who want a name or have an e-mail address that the person or a looked-up account has: rows of
    `everybody.people`, which is what the source wanted when it was last read whole."""
    names = pl.concat([person.people["username"], target.accounts["username"]]).drop_nulls()
    emails = pl.concat([person.people["email"], target.accounts["email"]]).drop_nulls()
    places = pl.DataFrame({"name": names.str.to_lowercase()}).select(slot(pl.col("name"))).to_series()
    wanted = everybody.people.filter("wanted", pl.col("external_id") != external_id)
    return wanted.filter(
        slot(folded("username")).is_in(places.implode()).fill_null(value=False)
        | folded("email").is_in(emails.str.to_lowercase().implode()).fill_null(value=False)
    )


def plan_person(person: OnePerson, target: TargetSnapshot, present: Present, policy: Policy, names: Names) -> Plan:
    """The operations on one person and their account that a plan for everybody would hold, and the groups to create for
    them. Nobody else is touched.

    `target` holds at least their account with its memberships and grant, the accounts that have a name which they want,
    and the groups of both sides that matter. `present` is what the ledger remembers of everybody.
    """
    external_id, complete = person.external_id, person.completeness.complete
    selection = with_remembered_names(person.selection, present.memories)
    crowd = selection if person.others is None else _with_others(selection, person.others)
    numbered = number_target(_with_their_accounts(target, present.links, crowd, external_id))
    correlation = correlate(crowd, numbered, present.links, policy.people)
    correlation = _of_one(correlation, crowd, numbered, external_id)
    theirs = pl.col("external_id") == external_id
    alone = replace(present, links=present.links.filter(theirs), memories=present.memories.filter(theirs))
    difference = diff(selection, numbered, correlation, alone, policy, complete=complete)
    # What feeds a group is known in part alone: one person is not in every group that feeds it.
    noted = set(present.feeds["key"])
    difference = replace(difference, feeds={key: fed for key, fed in difference.feeds.items() if key not in noted})
    doubts = (
        *source_findings(selection.findings, selection.unexcluded),
        *let_in_unseen(selection, difference, complete=complete),
    )
    guard = judged_alone(policy.guard)
    return guarded_plan(person.completeness, selection, difference, numbered, doubts, guard, names)


def judged_alone(guard: Guard) -> Guard:
    """The limits without shares of the whole, which mean nothing of one person; a share of nought still allows none."""
    limits = {
        name: Limit(count=0) if limit.percent == 0 else Limit(count=limit.count)
        for name, limit in guard
        if isinstance(limit, Limit)
    }
    return guard.model_copy(update=limits)


def _groups_of_filters(policy: Policy) -> Iterator[str]:
    for given in (policy.people.include, policy.people.exclude):
        for _, one in filters_of(given, ""):
            yield from (name for name in one.groups if is_name(name))


def _feeding(known: pl.DataFrame, keys: pl.Series, policy: Policy) -> list[str]:
    """Names of the known source groups that are called one of these in the target."""
    numbered = known.with_row_index("source_group")
    targets, assigned = target_groups(numbered, policy)
    feeding = assigned.join(targets.filter(pl.col("key").is_in(keys.implode())), on="group", how="semi")
    return numbered.join(feeding, on="source_group", how="semi")["name"].to_list()


def _with_others(selection: Selection, others: pl.DataFrame) -> Selection:
    """The selection with people whose wishes count, and who get no group here."""
    numbers = pl.int_range(selection.people.height, selection.people.height + others.height, dtype=pl.UInt32)
    others = others.with_columns(numbers.alias("person")) if others.height else others
    return replace(selection, people=pl.concat([selection.people, others.select(selection.people.columns)]))


def _with_their_accounts(
    target: TargetSnapshot, links: pl.DataFrame, crowd: Selection, external_id: str
) -> TargetSnapshot:
    """The target with the accounts that others are linked to, where they were not read: whoever has one asks for none.

    The ledger knows their id and the name that they had.
    """
    others = crowd.people.filter(pl.col("external_id") != external_id).select("external_id")
    unread = (
        links.filter(pl.col("state") != "deleted")
        .join(others, on="external_id", how="semi")
        .join(target.accounts.select("account_id"), on="account_id", how="anti")
        .drop_nulls(["account_id", "username"])
        .filter(~folded("username").is_in(target.accounts["username"].str.to_lowercase().implode()))
        .unique("account_id")
        .sort("account_id")
    )
    if unread.height == 0:
        return target
    rows = unread.select(
        (pl.col(name) if name in {"account_id", "username"} else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in ACCOUNTS.items()
    ).with_columns(pl.lit(value=False).alias(name) for name in ("mutable_details", "mutable_groups", "deletable"))
    return replace(target, accounts=pl.concat([target.accounts, rows.select(target.accounts.columns)]))


def _of_one(correlation: Correlation, crowd: Selection, target: NumberedTarget, external_id: str) -> Correlation:
    """What was found of one person. Accounts of others stay whose they are, and as they are."""
    people = correlation.people.join(
        crowd.people.filter(pl.col("external_id") == external_id).select("person"), on="person", how="semi"
    ).with_columns(pl.coalesce("problem", pl.lit(_twin(correlation, crowd, target, external_id))).alias("problem"))
    leavers = correlation.leavers.with_columns(
        (pl.col("protected") | (pl.col("external_id") != external_id)).alias("protected")
    )
    return Correlation(people, leavers)


def _twin(correlation: Correlation, crowd: Selection, target: NumberedTarget, external_id: str) -> str | None:
    """Why the person does not get their name where somebody else asks for one of the same address."""
    wishes = crowd.people.select("person", "external_id", "username", folded("username").alias("key"))
    asking = (
        correlation.people.filter(~pl.col("match").is_in(["protected", "absent"]), pl.col("problem").is_null())
        .join(wishes, on="person")
        .join(target.accounts.select("account", pl.col("key").alias("own_key")), on="account", how="left")
        .filter(pl.col("key").ne_missing(pl.col("own_key")))
        .with_columns(slot(pl.col("key")).alias("slot"))
    )
    mine = asking.filter(pl.col("external_id") == external_id)
    theirs = asking.filter(pl.col("external_id") != external_id).join(mine, on="slot", how="semi")
    if theirs.is_empty():
        return None
    name = mine["username"].item()
    return f"Bitbucket has one address for {name} and the name of another person that differs in @ and _ alone"
