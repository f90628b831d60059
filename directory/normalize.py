"""One spelling for what several systems spell differently. Nothing is decided here, and nothing is lost silently."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from directory.snapshot import SourceSnapshot

__all__ = ["folded", "normalize_source"]

_NAMED_FINDINGS = 5


def folded(column: str) -> pl.Expr:
    """The key under which names are compared: usernames, groups and e-mail addresses are looked up without case."""
    return pl.col(column).str.to_lowercase()


def normalize_source(snapshot: SourceSnapshot) -> SourceSnapshot:
    """Trim, compose Unicode (NFC), make empty text null, and drop rows that name nobody.

    Whatever is dropped, or stands on two rows that differ, makes the read incomplete: a person without an external id
    cannot be told from anybody else, and must not lose anything because of it. Neither must anybody of whom the source
    does not say whether they are active.
    """
    people, groups = _tidy(snapshot.people), _tidy(snapshot.groups)
    respelled = not (
        people["external_id"].equals(snapshot.people["external_id"])
        and groups["group_id"].equals(snapshot.groups["group_id"])
    )
    # Memberships are many, so they are touched only if the ids that they speak of were.
    memberships = _tidy(snapshot.memberships) if respelled else snapshot.memberships
    named_groups = groups.drop_nulls(["group_id", "name"])
    sound_people, people_findings = _one_each(
        people.filter(pl.col("external_id").is_not_null()), "external_id", "external ids came on rows that differ"
    )
    sound_groups, group_findings = _one_each(named_groups, "group_id", "group ids came with different names")
    sound_memberships = memberships.drop_nulls()
    return replace(
        snapshot,
        people=sound_people,
        groups=sound_groups,
        memberships=sound_memberships,
        completeness=snapshot.completeness.also(
            *_nameless(people, ["external_id"], "people without an external id", pl.col("username")),
            *people_findings,
            *_undecided(sound_people),
            *_nameless(groups, ["group_id", "name"], "groups without an id or a name", pl.coalesce("name", "group_id")),
            *group_findings,
            *_missing(memberships.height - sound_memberships.height, "memberships without a group or a member"),
        ),
    )


def _one_each(frame: pl.DataFrame, key: str, trouble: str) -> tuple[pl.DataFrame, list[str]]:
    """One row a key, and what to say of keys whose rows differ. Rows that repeat another entirely are no trouble."""
    if not frame[key].is_duplicated().any():
        return frame, []
    distinct = frame.unique(maintain_order=True)
    twice = distinct.filter(pl.col(key).is_duplicated())[key].unique().sort()
    findings = [f"{len(twice)} {trouble} (the last row counts): {_some(twice)}"] if len(twice) else []
    return distinct.unique(key, keep="last", maintain_order=True), findings


def _nameless(frame: pl.DataFrame, keys: list[str], what: str, name: pl.Expr) -> list[str]:
    broken = frame.filter(pl.any_horizontal(pl.col(keys).is_null()))
    known = broken.select(name).to_series().drop_nulls()
    return _missing(broken.height, what, f", among them {_some(known)}" if len(known) else "")


def _undecided(people: pl.DataFrame) -> list[str]:
    unclear = people.filter(pl.col("active").is_null())["external_id"]
    if unclear.is_empty():
        return []
    what = f"the source does not say of {len(unclear)} people whether they are active (they count as inactive)"
    return [f"{what}: {_some(unclear)}"]


def _missing(count: int, what: str, named: str = "") -> list[str]:
    return [f"{count} {what} were left out{named}"] if count else []


def _some(names: pl.Series) -> str:
    return ", ".join(names.head(_NAMED_FINDINGS))


def _tidy(frame: pl.DataFrame) -> pl.DataFrame:
    text = [name for name, dtype in frame.schema.items() if dtype == pl.String]
    trimmed = frame.with_columns(pl.col(text).str.normalize("NFC").str.strip_chars())
    return trimmed.with_columns(pl.when(pl.col(name) != "").then(pl.col(name)).alias(name) for name in text)
