"""What tests of several subjects put into a ledger."""

from __future__ import annotations

import polars as pl

import ledger

__all__ = ["PLAN", "TARGET", "a_plan", "a_run"]

TARGET = "https://bitbucket.example"
PLAN = "7c1f0a" + "0" * 58


def a_plan(book: ledger.Ledger, plan_id: str = PLAN) -> str:
    frames = {"operations": pl.DataFrame({"seq": [0, 1, 2]}, schema={"seq": pl.UInt32})}
    return book.plans.put(plan_id, sync="okta", target=TARGET, header="{}", frames=frames).id


def a_run(book: ledger.Ledger) -> str:
    return book.runs.start(sync="okta", mode="sync", target=TARGET).id
