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

    A person without an external id cannot be told from anybody else, so the read becomes incomplete: whoever it is
    must not lose anything because of it. The same holds for one external id on two different rows.
    """
    people = _tidy(snapshot.people)
    nameless = people.filter(pl.col("external_id").is_null())
    people = people.filter(pl.col("external_id").is_not_null()).unique(maintain_order=True)
    twice = people.filter(pl.col("external_id").is_duplicated())["external_id"].unique().sort()
    people = people.unique("external_id", keep="last", maintain_order=True)

    findings: list[str] = []
    if nameless.height:
        known = nameless["username"].drop_nulls().head(_NAMED_FINDINGS).to_list()
        named = f", among them {', '.join(known)}" if known else ""
        findings.append(f"{nameless.height} people without an external id were left out{named}")
    if len(twice):
        named = ", ".join(twice.head(_NAMED_FINDINGS).to_list())
        findings.append(f"{len(twice)} external ids came on rows that differ (the last row counts): {named}")

    groups = _tidy(snapshot.groups).filter(pl.col("group_id").is_not_null() & pl.col("name").is_not_null())
    memberships = snapshot.memberships.drop_nulls()
    return replace(
        snapshot,
        people=people,
        groups=groups.unique("group_id", keep="last", maintain_order=True),
        memberships=memberships,
        completeness=snapshot.completeness.also(*findings),
    )


def _tidy(frame: pl.DataFrame) -> pl.DataFrame:
    text = [name for name, dtype in frame.schema.items() if dtype == pl.String]
    trimmed = frame.with_columns(pl.col(text).str.normalize("NFC").str.strip_chars())
    return trimmed.with_columns(pl.when(pl.col(name) != "").then(pl.col(name)).alias(name) for name in text)
