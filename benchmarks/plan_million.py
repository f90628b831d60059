"""A plan for 1,000,000 people and 10,000,000 memberships, decisions only: seconds, CPU seconds, peak memory.

Run: `.venv/bin/python benchmarks/plan_million.py [people] [--rules]`. Bar: 15 s and 4 GiB on 2 cores; with ten rules
for attributes, three filters and five group names 25 s.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from datetime import UTC, datetime

import polars as pl

from directory.snapshot import Completeness, Licence, SourceSnapshot, TargetSnapshot
from reconcile.decide import Names, decide
from reconcile.diff import Present
from reconcile.policy import Policy

EACH = 10
GROUPS = 5_000
NOW = datetime(2026, 1, 1, tzinfo=UTC)
RULES = {
    "people": {
        "include": [
            {"name": "by department", "when": "department LIKE 'department 1%'"},
            {"name": "by group", "groups": ["group-*"]},
        ],
        "exclude": {"name": "externals", "when": "array_contains(groups, 'externals') OR login LIKE '%#EXT#%'"},
    },
    "groups": {
        "rename": [
            {"exact": "Everybody", "to": "group-all"},
            {"search": "AAD-", "to": ""},
            {"match": "^old-(.+)$", "to": "group-$1"},
            {"match": "^(?P<name>team)-([a-z]+)$", "to": "${name}-$2"},
            {"match": "^group-([0-9]+)$", "to": "group-$1"},
        ]
    },
    "attributes": {
        "username": {
            "rules": [
                {"guest_address": "login"},
                {"match": {"column": "login", "pattern": r"^(\w+)\.(\d+)@partner\.example\.com$", "to": "$1.$2"}},
                {"when": "department = 'department 7'", "sql": "lower(split_part(login, '@', 1))"},
                {"strip_domain": "login"},
            ],
            "otherwise": "drop",
        },
        "email": {"rules": [{"first_of": ["email", "login"]}, {"sql": "lower(login)"}]},
        "display_name": {
            "rules": [
                {"lookup": {"column": "display_name", "table": {"User 1": "User 1", "User 2": "User 2"}}},
                {"combine": "{given_name} {family_name}"},
                {"first_of": ["display_name", "username"]},
            ]
        },
        "extra": {"department": {"rules": [{"sql": "upper(department)"}]}, "login": "login"},
    },
}
"""Ten rules, three filters and five group names, under which everything is called what it is called without them."""


def directory(people: int) -> tuple[SourceSnapshot, TargetSnapshot, pl.DataFrame]:
    """A source and a target that differ in 2 % of the people: joiners, leavers, movers, renames, changed addresses."""
    number = pl.int_range(people, eager=True).alias("n")
    base = pl.DataFrame(number).select(
        pl.format("00u{}", pl.col("n").cast(pl.String).str.zfill(17)).alias("external_id"),
        pl.format("user.{}", "n").alias("username"),
        pl.format("user.{}@example.com", "n").alias("email"),
        pl.format("User {}", "n").alias("display_name"),
        pl.lit(value=True).alias("active"),
        pl.format("user.{}@corp.example.com", "n").alias("login"),
        pl.lit("User").alias("given_name"),
        pl.col("n").cast(pl.String).alias("family_name"),
        pl.format("department {}", pl.col("n") % 50).alias("department"),
        "n",
    )
    groups = pl.DataFrame(pl.int_range(GROUPS, eager=True).alias("g")).select(
        pl.format("00g{}", pl.col("g").cast(pl.String).str.zfill(17)).alias("group_id"),
        pl.format("group-{}", "g").alias("name"),
        "g",
    )
    edges = (
        base.select("external_id", "n")
        .join(pl.DataFrame({"k": range(EACH)}), how="cross")
        .with_columns(((pl.col("n") * 7 + pl.col("k") * 499) % GROUPS).alias("g"))
    )
    memberships = edges.join(groups.select("g", "group_id"), on="g").select(
        "group_id", pl.col("external_id").alias("member_id"), pl.lit(value=False).alias("member_is_group")
    )
    step = pl.col("n") % 500
    source = SourceSnapshot(
        Completeness(),
        NOW,
        0,
        people=base.filter(step != 0)
        .with_columns(
            pl.when(step == 1).then(pl.format("renamed.{}", "n")).otherwise("username").alias("username"),
            pl.when(step == 1).then(pl.format("renamed.{}@corp.example.com", "n")).otherwise("login").alias("login"),
            pl.when(step == 2).then(pl.format("new.{}@example.com", "n")).otherwise("email").alias("email"),
        )
        .drop("n"),
        groups=groups.drop("g"),
        memberships=memberships,
    )
    accounts = base.filter(step != 3).select(
        pl.col("n").cast(pl.String).alias("account_id"),
        "username",
        "email",
        "display_name",
        "active",
        pl.lit("Internal").alias("directory"),
        pl.lit(value=True).alias("mutable_details"),
        pl.lit(value=True).alias("mutable_groups"),
        pl.lit(value=True).alias("deletable"),
        pl.lit(None, pl.String).alias("permission"),
        pl.lit(None, pl.Datetime("ms", "UTC")).alias("last_login"),
    )
    members = (
        edges.filter(step != 3)
        .with_columns(pl.when(step == 4).then((pl.col("g") + 1) % GROUPS).otherwise("g").alias("g"))
        .join(groups.select("g", "name"), on="g")
        .select(pl.col("name").alias("group"), pl.col("n").cast(pl.String).alias("account_id"))
    )
    target = TargetSnapshot(
        Completeness(),
        NOW,
        0,
        accounts=accounts,
        groups=groups.select(
            "name", pl.lit(None, pl.String).alias("permission"), pl.lit(value=True).alias("members_read")
        ),
        memberships=members,
        principal="usersync",
        licence=Licence(),
    )
    links = base.filter(step != 3).select(
        "external_id",
        pl.col("n").cast(pl.String).alias("account_id"),
        "username",
        pl.lit("active").alias("state"),
        pl.lit(None, pl.Datetime("us", "UTC")).alias("left_at"),
        pl.lit(NOW).dt.cast_time_unit("us").alias("access_since"),
    )
    return source, target, links


def main() -> None:
    ruled = "--rules" in sys.argv
    people = next((int(word) for word in sys.argv[1:] if word.isdigit()), 1_000_000)
    policy = Policy.model_validate(RULES if ruled else {})
    source, target, links = directory(people)
    made = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    memories = pl.DataFrame(schema={"external_id": pl.String, "kind": pl.String, "name": pl.String})
    wall, cpu = time.perf_counter(), time.process_time()
    plan = decide(source, target, Present(links, memories, now=NOW), policy, Names("bench", "file", "http://bitbucket"))
    identifier = plan.id
    print(
        json.dumps(
            {
                "people": source.people.height,
                "rules": ruled,
                "memberships": source.memberships.height,
                "operations": plan.header.counts,
                "plan": identifier[:8],
                "seconds": round(time.perf_counter() - wall, 2),
                "cpu_seconds": round(time.process_time() - cpu, 2),
                "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
                "peak_mib_before": round(made),
            }
        )
    )


if __name__ == "__main__":
    main()
