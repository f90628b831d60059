"""What plans look like: aligned, cut to the terminal, whole in a pipe, and harmless whatever a directory says."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl
from rich.cells import cell_len
from rich.text import Text

from cli.render.check import check_lines
from cli.render.grid import grid, labelled, safe, wrapped
from cli.render.plan import FEW, next_command, overview, rows, verdict
from connectors.contract import CheckFinding
from ledger.instant import now
from ledger.plans import PlanState, StoredPlan
from reconcile.plan import Plan
from tests.builders import link, person, plan_of, policy, present, source, target

ESCAPE = "\x1b[2J"


def plain(lines: Iterable[Text]) -> list[str]:
    return [line.plain for line in lines]


def joiners(count: int) -> Plan:
    return plan_of(source([f"p{number:03}" for number in range(count)]), target(["usersync"]))


def stored(plan: Plan, state: PlanState) -> StoredPlan:
    return StoredPlan(plan.id, "test", "target", state, now(), None, None, plan.header.model_dump_json())


def test_columns_are_aligned_and_end_without_blanks() -> None:
    assert plain(grid([("ann", "1"), ("benjamin", "1,204")], width=None, right={1})) == [
        "  ann           1",
        "  benjamin  1,204",
    ]


def test_columns_are_cut_to_the_terminal_the_widest_first() -> None:
    lines = plain(grid([("ann", "x" * 60, "because"), ("ben", "y", "also")], width=40))
    assert all(cell_len(line) <= 40 for line in lines)
    assert lines[0].startswith("  ann  xxxxxx")
    assert "…  because" in lines[0]


def test_a_pipe_gets_every_column_whole() -> None:
    (line,) = plain(grid([("ann", "x" * 600, "because")], width=None))
    assert line.endswith("x  because")


def test_a_column_that_must_stay_whole_is_not_cut() -> None:
    (line,) = plain(grid([("i" * 30, "x" * 30)], width=40, whole={0}))
    assert line == f"  {'i' * 30}  xxxxxxx…"


def test_letters_that_take_two_columns_are_counted_as_two() -> None:
    lines = plain(grid([("髙橋", "a"), ("ann", "b")], width=None))
    assert [cell_len(line) for line in lines] == [9, 9]
    assert wrapped("髙橋 髙橋 髙橋", 9) == ["髙橋 髙橋", "髙橋"]


def test_what_a_directory_says_cannot_steer_the_terminal() -> None:
    name = f"ann{ESCAPE}\u202egnp"
    assert safe(name) == "ann\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}gnp"
    plan = plan_of(source([person("1", "ann", display_name=name)]), target(["usersync"]))
    told = "\n".join(plain([*overview(plan, width=80), *rows(plan, width=80, most=FEW), *verdict(plan, "1", width=80)]))
    assert "\x1b" not in told
    assert "\u202e" not in told


def test_markup_in_names_is_only_text() -> None:
    plan = plan_of(source([person("1", "ann", display_name="[bold]Ann[/]")]), target(["usersync"]))
    assert "  ann  [bold]Ann[/] <ann@example.com>" in "\n".join(plain(rows(plan, width=None, most=FEW)))


def test_a_paragraph_hangs_below_its_label() -> None:
    assert plain(labelled("next", "one two three", width=19)) == ["  next      one two three"] or plain(
        labelled("next", "one two three four five", width=32)
    ) == ["  next      one two three four", "            five"]


def test_the_counts_come_first_and_are_aligned() -> None:
    lines = plain(overview(joiners(1200), width=100))
    assert lines[0].startswith("Plan ")
    counts = [line for line in lines if line.startswith(("  create account", "  remove access", "  adopt account"))]
    assert counts[0].startswith("  create account     1,200    update details")
    assert [line[:26].rstrip()[-1] for line in counts] == ["0", "0", "0"]


def test_the_counts_take_fewer_columns_on_a_narrow_terminal() -> None:
    for width in (100, 60, 30):
        counts = plain(overview(joiners(1200), width=width))
        assert all(cell_len(line) <= width for line in counts if line.startswith("  create account"))
    assert "  create account     1,200" in counts


def test_at_most_so_many_rows_a_kind_are_shown_and_the_rest_is_counted() -> None:
    lines = plain(rows(joiners(400), width=100, most=20))
    assert lines[1] == "create account  400"
    assert len(lines) == 2 + 20 + 1
    assert lines[-1].startswith("  … 380 more  usersync show ")
    assert len(plain(rows(joiners(400), width=100, most=None))) == 2 + 400


def test_only_one_kind_is_shown_where_it_was_asked_for() -> None:
    plan = plan_of(source(["ann"], {"dev": ["ann"]}), target(["usersync"]))
    lines = plain(rows(plan, width=100, most=20, kind="create_group"))
    assert lines == ["", "create group  1", "  dev  the source has it, the target has not"]


def test_an_empty_plan_says_so_instead_of_counting_nothing() -> None:
    plan = plan_of(source(["ann"]), target(["usersync", "ann"]), present(["ann"]))
    told = "\n".join(plain(overview(plan, width=100)))
    assert "to do     nothing: the target is as the source says" in told
    assert "create account" not in told


def test_a_held_plan_names_its_findings_and_counts_those_left_out() -> None:
    names = [f"p{number:02}" for number in range(30)]
    there = target(["usersync", *names], {f"g{number}": names for number in range(8)})
    remembered = present([link(name) for name in names], managed_groups=[f"g{number}" for number in range(8)])
    strict = policy(guard={"deactivations": {"percent": 5}, "memberships_removed_per_group": {"percent": 50}})
    plan = plan_of(source(names[:2], {"g0": []}), there, remembered, strict)
    assert len(plan.header.held) > FEW
    told = "\n".join(plain(overview(plan, width=None, findings=FEW)))
    assert "guard     HELD" in told
    assert "· 28 deactivations, at most 1 allowed" in told
    assert f"… {len(plan.header.held) - FEW} more: usersync show {plan.id[:8]}" in told
    everything = "\n".join(plain(overview(plan, width=None)))
    assert all(finding.message in everything for finding in plan.header.held)


def test_an_incomplete_read_is_told_with_what_is_withheld() -> None:
    plan = plan_of(
        source(["ann"], findings=["page 3 is missing"]), target(["usersync", "ann", "ben"]), present(["ben"])
    )
    told = "\n".join(plain(overview(plan, width=None)))
    assert "READ INCOMPLETELY, so nothing is removed" in told
    assert "· page 3 is missing" in told


def test_the_way_to_a_group_is_told_where_it_is_not_direct() -> None:
    wanted = source(["ann"], {"backend": ["ann"]}, nested={"engineering": ["backend"]})
    told = plain(verdict(plan_of(wanted, target(["usersync"])), "ann", width=None))
    assert "    backend      a member in the source" in told
    assert "    engineering  through engineering > backend" in told


def test_nobody_is_told_for_a_person_the_plan_does_not_know() -> None:
    assert plain(verdict(joiners(1), "somebody", width=80)) == []


def test_the_next_command_fits_where_the_plan_stands() -> None:
    plan = joiners(1)
    commands = {state: plain(next_command(stored(plan, state), plan, width=None))[-1] for state in _STATES}
    assert commands["stored"].endswith(f"usersync apply {plan.id[:8]}")
    assert "--approved-by NAME" in commands["held"]
    assert "does what is missing" in commands["partial"]
    assert commands["applied"].endswith("usersync plan test")


_STATES: tuple[PlanState, ...] = ("stored", "held", "partial", "applied")


def test_findings_are_marked_and_say_what_to_do() -> None:
    findings = [CheckFinding("ok", "it answers"), CheckFinding("problem", "it refuses", "ask")]
    assert plain(check_lines("target", "bitbucket", findings, width=80)) == [
        "target  bitbucket",
        "  ok        it answers",
        "  problem   it refuses",
        "            → ask",
    ]


def test_operations_without_a_person_have_no_row_of_null() -> None:
    plan = plan_of(source(["ann"], {"dev": ["ann"]}), target(["usersync"]))
    assert plan.operations.filter(pl.col("username").is_null()).height == 1
    assert "None" not in "\n".join(plain(rows(plan, width=None, most=FEW)))
