"""Which usernames can be given, and what has to make way first.

A name that an account vacates in the same plan is free: chains are renamed from their free end (`reconcile.waves`), and
of each cycle one account is set aside under a temporary name. Everything else that has the name stays, and whoever
wants it is a conflict. Frames hold all people; Python walks over the renames that wait for other renames alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import polars as pl

from directory.normalize import folded
from reconcile.correlate import Correlation, shielded
from reconcile.numbered import NumberedTarget
from reconcile.policy import People
from reconcile.select import Selection

__all__ = ["FreedNames", "GivenNames", "free_names", "give_names", "slot"]

_SPELLINGS = ("usersync-renaming-{}", "usersync-renaming-{}-2", "usersync-renaming-{}-3", "renaming-{}", "aside-{}")
"""Temporary names with the account's id, the first that nobody has, wants or protects."""


@dataclass(frozen=True)
class GivenNames:
    correlation: Correlation
    """As before, with a `problem` for everybody whose name cannot be given."""
    aside: pl.DataFrame
    """Accounts that are set aside first: `account` UInt32, `aside` String, their temporary name."""


@dataclass(frozen=True)
class FreedNames:
    problems: pl.DataFrame
    """Who does not get the name, and why: `person` UInt32, `name_problem` String."""
    aside: pl.DataFrame
    """As `GivenNames.aside`."""


def slot(key: pl.Expr) -> pl.Expr:
    """What two folded usernames must not share: Bitbucket makes an account's address of its name, with `_` for `@`.

    No other replacement is known. Bitbucket tells such addresses apart in a way that is documented nowhere.
    """
    return key.str.replace_all("@", "_", literal=True)


def give_names(
    correlation: Correlation, selection: Selection, target: NumberedTarget, policy: People, vacated: pl.DataFrame
) -> GivenNames:
    """Decide who gets the name that they want. `vacated` are the accounts that are deleted first: `account` UInt32."""
    asking = _asking(correlation, selection, target)
    freed = free_names(asking, target, policy, vacated, _owners(correlation, selection))
    people = correlation.people.join(freed.problems, on="person", how="left", maintain_order="left").with_columns(
        pl.coalesce("problem", "name_problem").alias("problem")
    )
    return GivenNames(replace(correlation, people=people.drop("name_problem")), freed.aside)


def free_names(
    asking: pl.DataFrame, target: NumberedTarget, policy: People, vacated: pl.DataFrame, owners: pl.DataFrame
) -> FreedNames:
    """Decide for people who want another name than they have.

    `asking` has `person` UInt32, `external_id`, `account`, `account_id`, `username` (the wish), `key`, `slot`, and
    whether their account `moves` when they get it; `owners` has `holder` (account) and `holder_id`, who owns it.
    """
    if asking.height == 0:
        return FreedNames(
            pl.DataFrame(schema={"person": pl.UInt32, "name_problem": pl.String}),
            pl.DataFrame(schema={"account": pl.UInt32, "aside": pl.String}),
        )
    blocks = _blocks(asking, target, vacated)
    twins = asking.filter(pl.col("slot").is_duplicated())
    temporary = _temporary_names(asking, blocks, target, policy)
    movers = asking.filter("moves").select("person", "account_id")
    stuck, hops = _order(
        blocks.join(movers.select("person"), on="person", how="semi"),
        stuck={*blocks.filter("stays")["person"], *twins["person"]},
        able=set(temporary.join(asking, on="account")["person"]),
        labels=dict(movers.iter_rows()),
    )
    stuck |= set(blocks.filter(pl.col("holder_person").is_in(list(stuck)))["person"])
    # Bitbucket gives what is left of a deleted account (keys, tokens) to one that is created under its name.
    inherited = blocks.join(
        asking.filter(pl.col("account").is_null() & ~pl.col("person").is_in(list(stuck))), on="person", how="semi"
    ).filter(pl.col("gone") & pl.col("same_name"))
    hopping = pl.concat(
        [asking.filter(pl.col("person").is_in(list(hops)))["account"], inherited["holder"]]
    ).drop_nulls()
    return FreedNames(
        _problems(asking, blocks, twins, stuck, owners),
        temporary.filter(pl.col("account").is_in(hopping.implode())).select("account", "aside"),
    )


def _asking(correlation: Correlation, selection: Selection, target: NumberedTarget) -> pl.DataFrame:
    """People who want another name than they have: `person`, `external_id`, `account`, `account_id`, `username`, `key`,
    `slot`, and whether their account `moves` when they get it."""
    wishes = selection.people.select("person", "external_id", "username", folded("username").alias("key"))
    now = target.accounts.select("account", "account_id", pl.col("key").alias("own_key"), "mutable_details")
    return (
        correlation.people.filter(~pl.col("match").is_in(["protected", "absent"]) & pl.col("problem").is_null())
        .select("person", "account")
        .join(wishes, on="person", maintain_order="left")
        .join(now, on="account", how="left", maintain_order="left")
        .filter(pl.col("key").is_not_null() & pl.col("key").ne_missing(pl.col("own_key")))
        .with_columns(
            slot(pl.col("key")).alias("slot"), pl.col("mutable_details").fill_null(value=False).alias("moves")
        )
        .drop("own_key", "mutable_details")
    )


def _blocks(asking: pl.DataFrame, target: NumberedTarget, vacated: pl.DataFrame) -> pl.DataFrame:
    """What has the names that people ask for: `person`, `holder` (account), `same_name` (or the same address alone),
    `holder_person` (who vacates it by a rename), `gone` (deleted first), `stays`."""
    holders = target.accounts.select(
        pl.col("account").alias("holder"),
        pl.col("key").alias("holder_key"),
        slot(pl.col("key")).alias("slot"),
        "mutable_details",
    )
    movers = asking.filter("moves").select(pl.col("account").alias("holder"), pl.col("person").alias("holder_person"))
    gone = pl.col("holder").is_in(vacated["account"].implode())
    unaided = gone & pl.col("account").is_null() & ~pl.col("mutable_details")
    return (
        asking.select("person", "account", "key", "slot")
        .join(holders, on="slot")
        .filter(pl.col("holder").ne_missing(pl.col("account")))
        .join(movers, on="holder", how="left")
        .with_columns(
            (pl.col("key") == pl.col("holder_key")).alias("same_name"),
            gone.alias("gone"),
            (unaided | (~gone & pl.col("holder_person").is_null())).alias("stays"),
        )
        .select("person", "holder", "same_name", "holder_person", "gone", "stays")
        .sort("person", "holder")
    )


def _temporary_names(
    asking: pl.DataFrame, blocks: pl.DataFrame, target: NumberedTarget, policy: People
) -> pl.DataFrame:
    """A temporary name for every account that something waits for: `account`, `aside`; none where all are taken."""
    waited_for = blocks.filter(~pl.col("stays")).select(pl.col("holder").alias("account")).unique()
    accounts = waited_for.join(
        target.accounts.filter("mutable_details").select("account", "account_id"), on="account", maintain_order="left"
    )
    number = pl.col("account_id").str.replace_all(r"[^A-Za-z0-9.-]", "-")
    spelled = pl.concat_list([pl.format(spelling, number) for spelling in _SPELLINGS]).alias("aside")
    taken = pl.concat(
        [
            target.accounts.select(slot(pl.col("key")).alias("slot")),
            asking.select("slot"),
        ]
    )
    return (
        accounts.with_columns(spelled)
        .explode("aside")
        .filter(~shielded("aside", target, policy))
        .with_columns(slot(folded("aside")).alias("slot"))
        .join(taken, on="slot", how="anti", maintain_order="left")
        .filter(pl.col("slot").is_unique())
        .unique("account", keep="first", maintain_order=True)
        .select("account", "aside")
    )


def _order(
    blocks: pl.DataFrame, stuck: set[int], able: set[int], labels: Mapping[int, str]
) -> tuple[set[int], set[int]]:
    """Who cannot be renamed after all, and who has to be set aside so that the others can.

    `blocks` are those of people whose account moves. `stuck` have a name in their way that stays; whoever waits for
    their account is stuck too. `able` have a temporary name. `labels` order people whatever the order of rows.
    """
    waits: dict[int, set[int]] = {}
    for person, holder in (
        blocks.filter(pl.col("holder_person").is_not_null()).select("person", "holder_person").iter_rows()
    ):
        waits.setdefault(person, set()).add(holder)
    while True:
        stuck = _with_followers(stuck, waits)
        free = {person: holders - stuck for person, holders in waits.items() if person not in stuck}
        hops, unbroken = _break_cycles(free, able, labels)
        if not unbroken:
            return stuck, hops
        stuck |= unbroken


def _break_cycles(
    waits: Mapping[int, set[int]], able: set[int], labels: Mapping[int, str]
) -> tuple[set[int], set[int]]:
    """One account of each cycle that goes out of the way, and the people of cycles in which none can."""
    hops: set[int] = set()
    settled: set[int] = set()
    for start in sorted(waits, key=labels.__getitem__):
        path = [] if start in settled else [start]
        places = {start: 0}
        while path:
            left = waits.get(path[-1], set()) - settled - hops
            if not left:
                settled.add(path.pop())
                continue
            holder = min(left, key=labels.__getitem__)
            if holder not in places or places[holder] >= len(path) or path[places[holder]] != holder:
                places[holder] = len(path)
                path.append(holder)
                continue
            cycle = path[places[holder] :]
            movable = [person for person in cycle if person in able]
            if not movable:
                return hops, set(cycle)
            hops.add(min(movable, key=labels.__getitem__))
    return hops, set()


def _with_followers(stuck: Iterable[int], waits: Mapping[int, set[int]]) -> set[int]:
    """The stuck, and everybody who waits for one of them."""
    followers: dict[int, list[int]] = {}
    for person, holders in waits.items():
        for holder in holders:
            followers.setdefault(holder, []).append(person)
    found, waiting = set(stuck), list(stuck)
    while waiting:
        for person in followers.get(waiting.pop(), ()):
            if person not in found:
                found.add(person)
                waiting.append(person)
    return found


def _owners(correlation: Correlation, selection: Selection) -> pl.DataFrame:
    """Whose accounts are whose: `holder` (account), `holder_id` (external id)."""
    people = correlation.people.filter(pl.col("account").is_not_null() & (pl.col("state").is_not_null()))
    return pl.concat(
        [
            people.join(selection.people.select("person", "external_id"), on="person").select("account", "external_id"),
            correlation.leavers.select("account", "external_id"),
        ]
    ).select(pl.col("account").alias("holder"), pl.col("external_id").alias("holder_id"))


def _problems(
    asking: pl.DataFrame, blocks: pl.DataFrame, twins: pl.DataFrame, stuck: set[int], owners: pl.DataFrame
) -> pl.DataFrame:
    """Why those who are stuck do not get their name: `person`, `name_problem` (one sentence, with the next step)."""
    at_fault = (
        blocks.filter(pl.col("stays") | pl.col("holder_person").is_in(list(stuck)))
        .join(owners, on="holder", how="left", maintain_order="left")
        .sort("person", ~pl.col("same_name"), "holder_id", nulls_last=True)
        .unique("person", keep="first", maintain_order=True)
        .select("person", "holder_id", "same_name", "gone")
    )
    name = pl.col("username")
    taken = pl.format("the username {} is taken in the target", name)
    alike = pl.format("Bitbucket has one address for {} and", name)
    somebody = pl.format("by the account of another person ({}); it was not given to {}", "holder_id", "external_id")
    problem = (
        pl.when(pl.col("same_name") & pl.col("gone"))
        .then(pl.format("{} by an account that this plan deletes and that cannot be renamed before", taken))
        .when(pl.col("same_name") & pl.col("holder_id").is_not_null())
        .then(pl.format("{} {}", taken, somebody))
        .when("same_name")
        .then(pl.format("{} by a local account; rename one of the two, or allow people.adopt to take it over", taken))
        .when(~pl.col("same_name"))
        .then(pl.format("{} an account whose name differs in @ and _ alone; rename one of the two", alike))
        .when(pl.col("person").is_in(twins["person"].implode()))
        .then(pl.format("{} the name of another person that differs in @ and _ alone; mend one", alike))
        .otherwise(pl.format("the username {} is taken in turn by people who wait for each other's names", name))
    )
    return (
        asking.filter(pl.col("person").is_in(list(stuck)))
        .join(at_fault, on="person", how="left", maintain_order="left")
        .select("person", problem.alias("name_problem"))
    )
