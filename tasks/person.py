"""One person: what both sides say of them and their account, and the plan that follows from it.

Sides that can be asked for one person are (`PersonSource`, `PersonTarget`); others are read whole, and what is decided
is the same. Nothing that is read here is kept: what later runs compare with comes from reads of everybody.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from connectors.contract import AccountScope, PersonSource, PersonTarget
from directory.errors import ConfigurationError, UnknownRecord
from directory.normalize import folded, normalize_source
from directory.snapshot import SOURCE_GROUPS, SourceSnapshot, TargetSnapshot
from reconcile.person import OnePerson, groups_to_confirm, only, plan_person, rivals, with_columns_of, with_groups
from reconcile.plan import Plan
from reconcile.remembered_names import with_remembered_names
from reconcile.select import Selection, select
from tasks.crashes import settle_doubts
from tasks.decide import scope_of
from tasks.extract import extract_source, extract_target
from tasks.memory import owned_groups, remembered_of
from tasks.readings import last_reading
from tasks.report import RunSoFar
from tasks.snapshots import last_source
from tasks.step import step
from tasks.sync_file import placed
from tasks.workshop import Workshop

__all__ = ["decide_person"]


@dataclass(frozen=True)
class _Read:
    """What the source says of one person."""

    external_id: str
    alone: SourceSnapshot
    """Nobody is in it where the source does not have them."""
    whole: SourceSnapshot | None
    """Everybody, where the source had to be read whole."""


async def decide_person(shop: Workshop, so_far: RunSoFar, name: str) -> Plan:
    """The plan for the person of that username, e-mail address or external id. Raises `UnknownRecord` for nobody."""
    ledger, sync = shop.ledger, shop.sync.name
    read = await _find(shop, name)
    alone, selection = read.alone, _selected(shop, read.alone)
    scope = _scope(shop, read.external_id, selection)
    target = await _look_up(shop, scope, selection)
    so_far.requests["source"] = alone.requests
    if read.whole is None:
        alone = await _with_confirmed(shop, alone, selection, target, scope)
        so_far.requests["source"] = alone.requests
        if alone is not read.alone:
            selection = _selected(shop, alone)
    settle_doubts(ledger, sync, target, so_far.run.id, shop.clock, person=read.external_id)
    others = _others(shop, read, selection, target) if _asks_for_a_name(target, scope) else None
    rivalling = () if others is None else others["external_id"]
    present = remembered_of(ledger, sync, target, shop.clock(), read.external_id, rivalling)
    person = OnePerson(read.external_id, alone.completeness, selection, others)
    plan = plan_person(person, target, present, shop.sync.policy, shop.names)
    try:
        if shop.sync.pictures is not None:
            from tasks.pictures import pictures  # noqa: PLC0415 -- Pillow, which most syncs do without

            plan = await pictures(shop, plan, alone, target)
    except ConfigurationError as error:
        raise placed(error, shop.path) from None
    so_far.plan = plan
    shop.observer.planned(plan)
    return plan


def _others(shop: Workshop, read: _Read, selection: Selection, target: TargetSnapshot) -> pl.DataFrame | None:
    """Who else wants the same, as far as the last read of everybody tells; None where it does not."""
    everybody = read.whole or last_source(shop.ledger, shop.sync.name)
    if everybody is None:
        return None
    try:
        wanted = select(everybody, shop.sync.policy)
    except ConfigurationError:
        # The rules of today name a column that the source did not have then.
        return None
    return rivals(wanted, read.external_id, selection, target)


async def _find(shop: Workshop, name: str) -> _Read:
    """The person: as the source calls them, or as the ledger does for who is not in the source any more."""
    source = shop.source
    if not isinstance(source, PersonSource):
        hours = 0.0 if shop.whole else shop.sync.reading.full_every_hours
        extracted = await extract_source(
            source, last_reading(shop.ledger, shop.sync.name, most_hours=hours), shop.observer
        )
        whole = normalize_source(extracted.reading.snapshot)
        external_id = _chosen(whole.people, name)
        if external_id is None:
            external_id = _linked(shop, name)
        return _Read(external_id, only(whole, external_id), whole)
    found = await _ask(shop, source, name, by_id=False)
    external_id = _chosen(found.people, name)
    if external_id is not None:
        return _Read(external_id, only(found, external_id), None)
    external_id = _linked(shop, name)
    again = await _ask(shop, source, external_id, by_id=True)
    return _Read(external_id, replace(again, requests=again.requests + found.requests), None)


@step(retries=2)
async def _ask(shop: Workshop, source: PersonSource, name: str, *, by_id: bool) -> SourceSnapshot:
    found = normalize_source(await source.read_person(name, by_id=by_id))
    # Some sources show an attribute only where somebody has it.
    columns = shop.ledger.snapshots.frame(shop.sync.name, "source", "people")
    return found if columns is None else with_columns_of(found, columns.collect_schema())


def _chosen(people: pl.DataFrame, name: str) -> str | None:
    """The external id of who is called so: by their id first, then their username, then their e-mail address."""
    for column in ("external_id", "username", "email"):
        found = people.filter(folded(column) == name.lower())["external_id"]
        exact = people.filter(pl.col(column) == name)["external_id"]
        chosen = exact if len(exact) else found
        if len(chosen) == 1:
            return str(chosen.item())
        if len(chosen):
            raise _several(name, chosen)
    return None


def _linked(shop: Workshop, name: str) -> str:
    links = shop.ledger.links.some(shop.sync.name, external_ids=[name], usernames=[name])
    by_id = links.filter(pl.col("external_id") == name)
    known = (by_id if by_id.height else links)["external_id"]
    if len(known) == 1:
        return str(known.item())
    if len(known):
        raise _several(name, known)
    raise UnknownRecord(
        f"neither the source nor the ledger knows anybody called {name}",
        not_done="nothing was decided and nothing was written",
        next_step="give a username, e-mail address or external id as the source has it; a person whom no run has given "
        "an account and whom the source has no more is nobody's leaver",
    )


def _several(name: str, external_ids: pl.Series) -> UnknownRecord:
    return UnknownRecord(
        f"{len(external_ids)} people are called {name}: {', '.join(external_ids.sort().head(5))}",
        not_done="nothing was decided and nothing was written",
        next_step="give the external id of the one that you mean",
    )


def _selected(shop: Workshop, snapshot: SourceSnapshot) -> Selection:
    try:
        return select(snapshot, shop.sync.policy)
    except ConfigurationError as error:
        raise placed(error, shop.path) from None


def _scope(shop: Workshop, external_id: str, selection: Selection) -> AccountScope:
    memories = shop.ledger.memories.of(shop.sync.name, external_id)
    theirs = shop.ledger.links.some(shop.sync.name, external_ids=[external_id])
    link = theirs.row(0, named=True) if theirs.height else {"account_id": None, "username": None, "state": None}
    wanted = with_remembered_names(selection, memories).people.filter("wanted", pl.col("external_id") == external_id)
    account_id = None if link["state"] == "deleted" else link["account_id"]
    adopts = account_id is None and "email" in shop.sync.policy.people.adopt
    groups = selection.groups.join(selection.memberships, on="group", how="semi")["name"]
    return AccountScope(
        account_id=account_id,
        username=link["username"],
        wishes=frozenset(wanted["username"].drop_nulls()),
        emails=frozenset(wanted["email"].drop_nulls()) if adopts else frozenset(),
        groups=frozenset([*groups, *memories.filter(pl.col("kind") == "group")["name"]]),
    )


async def _look_up(shop: Workshop, scope: AccountScope, selection: Selection) -> TargetSnapshot:
    if isinstance(shop.target, PersonTarget):
        found = await _account(shop.target, scope)
        if found is not None:
            return found
    owned = owned_groups(shop.ledger, shop.sync.name)
    return await extract_target(shop.target, scope_of(selection, owned, shop.sync.policy), shop.observer)


@step(retries=2)
async def _account(target: PersonTarget, scope: AccountScope) -> TargetSnapshot | None:
    return await target.read_account(scope)


async def _with_confirmed(
    shop: Workshop, alone: SourceSnapshot, selection: Selection, target: TargetSnapshot, scope: AccountScope
) -> SourceSnapshot:
    """The snapshot with those groups of the source that a decision rests on and the person is not in."""
    ledger, sync = shop.ledger, shop.sync.name
    known = ledger.snapshots.frame(sync, "source", "groups")
    asked = groups_to_confirm(
        selection,
        alone,
        target,
        _candidates(target, scope)["account_id"],
        shop.sync.policy,
        ledger.ownership.feeds(sync),
        pl.DataFrame(schema=SOURCE_GROUPS) if known is None else known.collect(),
    )
    if not asked or not isinstance(shop.source, PersonSource):
        return alone
    found = await _confirm(shop.source, asked)
    return replace(
        with_groups(alone, found.groups),
        completeness=alone.completeness.also(*found.completeness.findings),
        requests=alone.requests + found.requests,
    )


@step(retries=2)
async def _confirm(source: PersonSource, names: tuple[str, ...]) -> SourceSnapshot:
    return normalize_source(await source.find_groups(names))


def _candidates(target: TargetSnapshot, scope: AccountScope) -> pl.DataFrame:
    """The account that is theirs, or those that may become theirs."""
    if scope.account_id is not None:
        return target.accounts.filter(pl.col("account_id") == scope.account_id)
    names = [name.lower() for name in (*scope.wishes, scope.username) if name is not None]
    emails = [email.lower() for email in scope.emails]
    return target.accounts.filter(
        folded("username").is_in(names) | folded("email").is_in(emails).fill_null(value=False)
    )


def _asks_for_a_name(target: TargetSnapshot, scope: AccountScope) -> bool:
    """Whether the person wants an account or a name that is not theirs yet, so that others may want it too."""
    if not scope.wishes or scope.account_id is None:
        return bool(scope.wishes)
    linked = target.accounts.filter(pl.col("account_id") == scope.account_id)["username"]
    return len(linked) == 0 or linked.item().lower() not in {wish.lower() for wish in scope.wishes}
