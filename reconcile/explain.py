"""A plan in words: what it does, what stopped it, and what to do next. For terminals, artifacts and chats alike."""

from __future__ import annotations

import polars as pl

from reconcile.plan import Plan, PlanHeader

__all__ = ["CHANGES", "by_hand", "changes", "headline", "kind_title", "left_behind", "markdown", "why"]

_TITLES = {
    "create_group": "create group",
    "adopt": "adopt account",
    "leave": "note leaver",
    "remove_access": "remove access",
    "strip_groups": "strip groups",
    "anonymise": "anonymise",
    "set_aside": "set aside",
    "delete": "delete account",
    "erase": "erase traces",
    "rename": "rename",
    "create": "create account",
    "update": "update details",
    "restore_access": "restore access",
    "add_membership": "add to group",
    "remove_membership": "remove from group",
    "release": "release account",
    "set_picture": "set picture",
    "reset_picture": "reset picture",
}

CHANGES = {
    "what": pl.String(),
    "who": pl.String(),
    "detail": pl.String(),
    "why": pl.String(),
}
"""Operations as people read them, in the order of the plan."""


def kind_title(kind: str) -> str:
    """What a kind of operation is called in front of people."""
    return _TITLES[kind]


def headline(plan: Plan) -> str:
    """One line: `Plan 7c1f0a2b: okta → http://…; 9,980 people, complete read`."""
    header = plan.header
    read = "complete read" if header.complete else "INCOMPLETE read: nothing is removed"
    if header.undoes:
        read = "taken back"
    people = f"{plan.verdicts.height:,} people"
    return f"Plan {plan.id[:8]}: {header.source} → {header.target}; {people}, {read}"


def changes(plan: Plan, *, most: int, kind: str | None = None) -> tuple[pl.DataFrame, int]:
    """The first `most` operations (of one kind), schema `CHANGES`, and how many more there are."""
    operations = plan.operations if kind is None else plan.operations.filter(pl.col("kind") == kind)
    shown = operations.head(most)
    before, after = pl.col("before"), pl.col("after")

    def field(side: pl.Expr, name: str) -> pl.Expr:
        return side.str.json_path_match(f"$.{name}")

    def turned(name: str) -> pl.Expr:
        old, new = field(before, name), field(after, name)
        return pl.when(old.ne_missing(new)).then(
            pl.format("{}: {} → {}", pl.lit(name), old.fill_null("(none)"), new.fill_null("(none)"))
        )

    groups_gone = (
        before.str.json_path_match("$.groups").str.strip_chars('[]"').str.replace_all('","', ", ", literal=True)
    )
    detail = (
        pl.when(pl.col("kind").is_in(["rename", "set_aside"]))
        .then(pl.format("{} → {}", "username", field(after, "username")))
        .when(pl.col("kind") == "update")
        .then(pl.concat_str([turned("display_name"), turned("email")], separator="; ", ignore_nulls=True))
        .when(pl.col("kind") == "create")
        .then(pl.format("{} <{}>", field(after, "display_name"), field(after, "email")))
        .when(pl.col("kind") == "anonymise")
        .then(pl.format("{} → {}", "username", field(after, "username")))
        .when(pl.col("kind").is_in(["remove_access", "strip_groups"]))
        .then(
            pl.concat_str(
                [
                    pl.when(groups_gone != "").then(pl.format("out of {}", groups_gone)),
                    pl.format("grant {}", field(before, "permission")),
                ],
                separator="; ",
                ignore_nulls=True,
            )
        )
        .when(pl.col("kind") == "delete")
        .then(_successor(after))
        .otherwise(pl.col("group"))
    )
    rows = shown.select(
        pl.col("kind").replace_strict(_TITLES, return_dtype=pl.String).alias("what"),
        pl.coalesce("username", "group").alias("who"),
        detail.fill_null("").alias("detail"),
        pl.col("reason").fill_null("").alias("why"),
    )
    return rows, operations.height - shown.height


def _successor(after: pl.Expr) -> pl.Expr:
    """Who takes over the name of a deleted account, as far as the target tells."""
    known = after.str.json_path_match("$.takes_over")
    hidden = (
        after.str.json_path_match("$.may_hide_in").str.strip_chars('[]"').str.replace_all('","', ", ", literal=True)
    )
    return (
        pl.when(known.is_not_null())
        .then(pl.format("then the account of the same name in {} takes over", known))
        .when(hidden != "")
        .then(pl.format("if {} has an account of the same name, it takes over; Bitbucket does not show it", hidden))
    )


def why(plan: Plan, person: str) -> pl.DataFrame:
    """The verdicts on a person, by username or external id, with `groups` spelled out; empty where there is none."""
    sought = person.lower()
    found = plan.verdicts.filter(
        (pl.col("username").str.to_lowercase() == sought) | (pl.col("external_id").str.to_lowercase() == sought)
    )
    groups = (
        found.select("external_id", pl.col("grants").alias("grant"))
        .explode("grant", empty_as_null=True)
        .join(plan.grants, on="grant")
        .sort("group")
        .group_by("external_id")
        .agg(pl.struct("group", "path").alias("groups"))
    )
    return found.join(groups, on="external_id", how="left").drop("grants")


def by_hand(plan: Plan) -> str | None:
    """Which operations put right what was changed in the target by hand; None where there are none."""
    drifted = plan.operations.join(plan.origins.filter(pl.col("origin") == "drift"), on="seq", how="semi")
    if drifted.is_empty():
        return None
    counts = drifted["kind"].value_counts().sort("kind").iter_rows()
    named = ", ".join(f"{kind_title(kind)} {count:,}" for kind, count in counts)
    return f"{drifted.height:,} operations put right what was changed in the target by hand ({named})"


def left_behind(header: PlanHeader) -> list[str]:
    """Who stays in groups that the sync assigns no more, one sentence a group, with what takes them out."""
    causes = {
        "orphaned": ("the sync file does not assign it any more", "groups.orphaned: remove"),
        "vanished": ("the source has no such group any more", "groups.vanished: empty"),
    }
    said = []
    for left in header.left_behind:
        why, key = causes[left.why]
        more = f" and {left.accounts - len(left.samples):,} more" if left.accounts > len(left.samples) else ""
        who = f"{', '.join(left.samples)}{more}"
        said.append(f"{left.group}: {why}, {left.accounts:,} stay in it ({who}); `{key}` takes them out")
    return said


def markdown(plan: Plan, *, status: str, next_step: str, applied: dict[str, int] | None = None) -> str:
    """A summary for an artifact: outcome first, then counts, then what the guard said."""
    header = plan.header
    lines = [f"# {header.sync}: {status}", "", f"{headline(plan)}", ""]
    if header.counts:
        lines += ["| operation | planned |", "| --- | ---: |"]
        lines += [f"| {kind_title(kind)} | {count:,} |" for kind, count in header.counts.items()]
    else:
        lines.append("Nothing to do: the target is as the source says.")
    if applied:
        lines += ["", "| of these | operations |", "| --- | ---: |"]
        lines += [f"| {name} | {count:,} |" for name, count in applied.items()]
    lines += ["", "| people | |", "| --- | ---: |"]
    lines += [f"| {name.replace('_', ' ')} | {count:,} |" for name, count in header.outcomes.items()]
    if header.held:
        lines += ["", "## The guard holds this plan", ""]
        lines += [f"- {finding.message}" for finding in header.held]
    if header.waiting:
        short = header.waiting.plan[:8]
        lines += ["", f"## {header.waiting.operations:,} operations wait as plan {short}", ""]
        lines += [f"- {finding.message}" for finding in header.waiting.findings]
    if not header.complete:
        lines += ["", "## The source was read incompletely, so nothing is removed", ""]
        lines += [f"- {finding}" for finding in header.source_findings]
    if header.not_undone:
        lines += ["", "## Not undone", ""]
        lines += [f"- {said}" for said in header.not_undone]
    if drift := by_hand(plan):
        lines += ["", f"Drift: {drift}."]
    if header.left_behind:
        lines += ["", "## Left behind in groups that are assigned no more", ""]
        lines += [f"- {said}" for said in left_behind(header)]
    if header.seats_maximum is not None:
        lines += [
            "",
            f"Seats: {header.seats_used:,} now, {header.seats_after:,} after, {header.seats_maximum:,} licensed.",
        ]
    lines += ["", f"**Next:** {next_step}", ""]
    return "\n".join(lines)
