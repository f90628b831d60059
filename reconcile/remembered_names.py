"""Names that an anonymised account had, for people of whom the source does not say them."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from reconcile.select import Selection

__all__ = ["with_remembered_names"]

_NAMES = ("username", "email", "display_name")


def with_remembered_names(selection: Selection, memories: pl.DataFrame) -> Selection:
    """Fill what the source leaves open with what the ledger remembers: a returner must not keep the pseudonym.

    The source's word counts where there is one. Of several remembered values the first by code point is taken.
    """
    names = memories.filter(pl.col("kind").is_in(_NAMES)).sort("name").unique(["external_id", "kind"], keep="first")
    if names.height == 0:
        return selection
    by_person = names.pivot("kind", index="external_id", values="name")
    known = [name for name in _NAMES if name in by_person.columns]
    by_person = by_person.rename({name: f"remembered_{name}" for name in known})
    people = selection.people.join(by_person, on="external_id", how="left", maintain_order="left").with_columns(
        pl.coalesce(name, f"remembered_{name}").alias(name) for name in known
    )
    return replace(selection, people=people.select(selection.people.columns))
