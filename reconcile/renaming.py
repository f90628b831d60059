"""What source groups are called in the target."""

from __future__ import annotations

import polars as pl

from directory.normalize import folded
from reconcile.pattern import substitute
from reconcile.policy import GroupRename, Groups

__all__ = ["target_name"]


def target_name(policy: Groups) -> pl.Expr:
    """The name in the target of each source group (column `name`, String); null where the rules leave it out.

    Rules are tried in order and the first that fits decides, so no rule sees what another made.
    """
    kept = pl.lit(None, pl.String) if policy.drop_unmatched else pl.col("name")
    renamed = kept
    for rule in reversed(policy.rename):
        renamed = pl.when(_fits(rule)).then(_made(rule)).otherwise(renamed)
    named = renamed.str.strip_chars()
    return pl.when(named != "").then(named)


def _fits(rule: GroupRename) -> pl.Expr:
    if rule.exact is not None:
        return folded("name") == rule.exact.strip().lower()
    return pl.col("name").str.contains(_regex(rule))


def _made(rule: GroupRename) -> pl.Expr:
    if rule.exact is not None:
        return pl.lit(rule.to)
    replacement = rule.to if rule.match is not None else rule.to.replace("$", "$$")
    return substitute(pl.col("name"), _regex(rule), replacement)


def _regex(rule: GroupRename) -> str:
    return rule.match if rule.match is not None else f"(?i){pl.escape_regex(rule.search or '')}"
