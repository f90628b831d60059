"""The demo's story. Each step is a real command on a real run, and each is verified at the simulators."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from rich.text import Text

from cli.demo.company import LOCAL_ACCOUNTS, colleagues
from cli.demo.stage import Main, NotAsTold, Stage, set_up
from sandbox.company import Person, Standing

__all__ = ["tell"]


def tell(main: Main, *, keep: bool) -> int:
    """Play the demo; returns its exit code: 0 only if every step ended as the story says."""
    begun = time.monotonic()
    try:
        with set_up(main, keep=keep) as stage:
            _play(stage)
            _farewell(stage, time.monotonic() - begun, keep=keep)
    except NotAsTold as problem:
        stage.console.print()
        stage.console.print(Text.assemble(("The demo failed: ", "bold red"), str(problem)))
        stage.console.print(f"What it left is in {stage.folder}")
        return 1
    return 0


def _play(stage: Stage) -> None:
    _opening(stage)
    _check(stage)
    _plan(stage)
    _apply(stage)
    leaver = _a_day_passes(stage)
    _returns(stage, leaver)
    _again(stage)
    _half_is_gone(stage)


def _opening(stage: Stage) -> None:
    console = stage.console
    console.print(Text("usersync: the main job, end to end", style="bold"))
    console.print()
    stage.prose(
        f"An Okta with {len(stage.folk.people)} people and {len(stage.folk.groups)} groups and a Bitbucket Data Center "
        "are simulated on this machine and asked over HTTP; the rest is what you would run. "
        "Okta has no nested groups; where a source has them (Keycloak, files), they are flattened. The sync file:"
    )
    console.print()
    for line in Path("syncs/okta.yaml").read_text(encoding="utf-8").splitlines():
        console.print(Text(f"    {line}", style="dim"))


def _check(stage: Stage) -> None:
    stage.heading(1, "Are both ends ready?")
    stage.usersync("check", "okta")
    stage.checked(holds=stage.writes == 0, what="Bitbucket received no write.")


def _plan(stage: Stage) -> None:
    stage.heading(
        2,
        "What would happen?",
        "Both sides are read whole, compared, and the difference is stored as a plan. A dozen people have accounts "
        "already: they are adopted, not created twice. The bots are local and stay as they are.",
    )
    stage.usersync("plan", "okta")
    run = stage.last_run()
    counts = run.header["counts"]
    stage.checked(holds=run.status == "planned", what="The plan is stored.")
    stage.checked(
        holds=counts["adopt"] == len(colleagues(stage.folk)), what=f"It adopts {counts['adopt']} accounts that exist."
    )
    stage.checked(holds=stage.writes == 0, what="Bitbucket still received no write.")


def _apply(stage: Stage) -> None:
    plan_id = str(stage.last_run().plan_id)[:8]
    stage.heading(3, "Apply exactly that plan")
    stage.usersync("apply", plan_id)
    run = stage.last_run()
    sent = run.header["applied"]["done"]
    wanted = stage.wanted_groups()
    memberships = run.header["counts"]["add_membership"]
    stage.checked(
        holds=run.status == "succeeded",
        what=f"{sent:,} operations took {stage.writes:,} write requests, the {memberships:,} memberships among them "
        f"{stage.membership_writes}.",
    )
    stage.checked(holds=stage.as_okta_says(), what=f"{len(wanted)} accounts have exactly the groups that Okta gives.")
    stage.checked(holds=_bots_untouched(stage), what=f"{' and '.join(LOCAL_ACCOUNTS)} are as they were.")

    stage.heading(4, "What became of one person, and why?")
    someone = colleagues(stage.folk)[0].username
    stage.usersync("results", "latest", "--person", someone)


def _bots_untouched(stage: Stage) -> bool:
    state = stage.bitbucket.state
    first, second = LOCAL_ACCOUNTS
    return state.groups_of(first) == ["bb-platform", "ci-systems", "stash-users"] and state.groups_of(second) == [
        "ci-systems",
        "stash-users",
    ]


def _a_day_passes(stage: Stage) -> Person:
    folk = stage.folk
    mover, leaver, renamed = _ordinary_people(stage)
    joiner = folk.hire()[0]
    moved = folk.move(mover.id, folk.group("bb-security-reviewers").id)
    folk.leave(leaver.id)
    married = folk.rename(renamed.id, "Lindqvist")
    stage.heading(
        5,
        "A day passes",
        f"{joiner.display_name} joins. {moved.display_name} moves to {moved.department}. {renamed.display_name} is "
        f"{married.display_name} from now on. {leaver.display_name} leaves.",
    )
    stage.usersync("sync", "okta")
    state = stage.bitbucket.state
    stage.checked(
        holds=state.user(renamed.username) is None and state.user(married.username) is not None,
        what=f"{renamed.username} is {married.username}: renamed, not created anew.",
    )
    stage.checked(holds=stage.as_okta_says(), what="Joiner and mover have exactly their groups.")
    stage.console.print()
    stage.prose(
        "Bitbucket cannot deactivate an account of its internal directory, so access is removed: every group and grant "
        "that lets somebody in. What was taken is remembered."
    )
    stage.usersync("results", "latest", "--person", leaver.username)
    stage.checked(
        holds=state.groups_of(leaver.username) == [] and state.permission_of(leaver.username) is None,
        what=f"{leaver.username} has no access, and takes no seat.",
    )
    return leaver


def _ordinary_people(stage: Stage) -> Iterator[Person]:
    """Three people in a team, whom nothing else in the story is about."""
    folk = stage.folk
    known = {person.id for person in colleagues(folk)}
    found = [
        person
        for person in folk.people.values()
        if person.standing is Standing.ACTIVE
        and person.id not in known
        and person.department != "Security"
        and person.display_name.isascii()
    ]
    return iter(found[:3])


def _returns(stage: Stage, leaver: Person) -> None:
    stage.folk.return_(leaver.id)
    stage.heading(6, f"{leaver.display_name} comes back")
    stage.usersync("sync", "okta")
    stage.usersync("results", "latest", "--person", leaver.username)
    groups = stage.wanted_groups()[leaver.username]
    stage.checked(
        holds=set(stage.bitbucket.state.groups_of(leaver.username)) == groups,
        what=f"{leaver.username} is reactivated and has the {len(groups)} groups again, in one run.",
    )


def _again(stage: Stage) -> None:
    stage.heading(7, "Nothing changed since: run it again")
    before = stage.writes
    stage.usersync("sync", "okta")
    stage.checked(holds=stage.last_run().status == "nothing_to_do", what="The plan is empty.")
    stage.checked(holds=stage.writes == before, what=f"Bitbucket received {stage.writes - before} writes.")


def _half_is_gone(stage: Stage) -> None:
    lost = stage.folk.lose(0.5)
    stage.heading(
        8,
        "Okta loses half of its people",
        f"An import went wrong: {len(lost)} people vanish from one hour to the next. A sync that trusts its source "
        "would lock them all out.",
    )
    before, state_before = stage.writes, stage.bitbucket.state.snapshot()
    stage.usersync("sync", "okta", ends=3)
    stage.checked(holds=stage.last_run().status == "held", what="The run is held: exit code 3 is what an alarm sees.")
    stage.checked(
        holds=stage.writes == before and stage.bitbucket.state.snapshot() == state_before,
        what="Bitbucket received 0 writes, and nobody lost anything.",
    )
    stage.usersync("runs")


def _farewell(stage: Stage, seconds: float, *, keep: bool) -> None:
    stage.console.print()
    stage.console.print(Text(f"Done in {seconds:.0f} s, and every step ended as told.", style="bold green"))
    stage.console.print("Where to go next:")
    for what, where in (
        ("README.md", "what it does, and how to begin with your own Bitbucket"),
        ("syncs/", "example sync files to copy"),
        ("usersync schema", "what a sync file may hold"),
    ):
        stage.console.print(f"  {what:<17}{where}")
    if keep:
        stage.console.print(f"Kept: {stage.folder}  (ledger, sync file, results; the simulators have ended)")
