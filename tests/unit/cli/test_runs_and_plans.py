"""The commands on whole runs: what they print, what they leave, and the exit codes that a scheduler sees."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import jsonschema
import pytest

import ledger as ledgers
from ledger.instant import now
from ledger.retention import KEPT_RUNS
from reconcile.results import schema
from sandbox.bitbucket import Fault
from tests.small_office import PASSWORD, STAFF
from tests.unit.cli.conftest import Office

HALF_OF_STAFF = "".join(STAFF.splitlines(keepends=True)[:3])


def test_a_plan_is_shown_and_nothing_is_written(office: Office) -> None:
    told = office.usersync("plan", "staff")
    assert told.code == 0
    assert "create account     5" in told.out
    assert "  ann   Ann Ash <ann@example.com>" in told.out
    assert "guard     clear (no account is managed yet)" in told.out
    assert "read source" in told.err
    assert office.bitbucket.requests.writes == 0


def test_a_plan_names_the_command_that_applies_it(office: Office) -> None:
    told = office.usersync("plan", "staff")
    *_, last = (line for line in told.out.splitlines() if line.strip())
    command = last.split()
    assert command[:3] == ["next", "usersync", "apply"]
    assert office.usersync("apply", command[3]).code == 0
    assert office.bitbucket.state.groups_of("ann") == ["bb-dev", "bb-ops"]


def test_a_plan_is_applied_from_another_folder(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.write_sync_file(f"report: {{results: '{office.folder}/results'}}\n")
    people = (office.folder / "syncs" / "staff.yaml").read_text().replace("people.csv", f"{office.folder}/people.csv")
    (office.folder / "syncs" / "staff.yaml").write_text(people)
    plan = office.planned()
    (office.folder / "elsewhere").mkdir()
    monkeypatch.chdir(office.folder / "elsewhere")
    assert office.usersync("apply", plan, "--ledger", f"sqlite:///{office.folder}/.usersync/ledger.db").code == 0
    assert list((office.folder / "elsewhere").iterdir()) == []


def test_a_sync_applies_and_the_next_one_has_nothing_to_do(office: Office) -> None:
    first, writes = office.usersync("sync", "staff"), office.bitbucket.requests.writes
    again = office.usersync("sync", "staff")
    assert (first.code, again.code) == (0, 0)
    assert "Succeeded: all 12 operations are applied" in first.out
    assert "Nothing to do: the target is as the source says" in again.out
    assert office.bitbucket.requests.writes == writes > 0


def test_a_held_plan_ends_with_three_and_passes_by_its_id_and_a_name(office: Office) -> None:
    office.usersync("sync", "staff")
    office.write_people(HALF_OF_STAFF)
    before = office.bitbucket.requests.writes
    held = office.usersync("sync", "staff")
    assert held.code == 3
    assert "HELD" in held.out
    assert "--approved-by NAME" in held.out
    assert office.bitbucket.requests.writes == before

    plan = office.usersync("runs", "--json").json[0]["plan_id"]
    assert office.usersync("apply", plan).code == 3
    assert office.bitbucket.requests.writes == before
    assert office.usersync("apply", plan, "--approved-by", "Gwen").code == 0
    assert office.bitbucket.state.groups_of("dan") == []
    assert "approved by Gwen" in office.usersync("show", plan).out


def test_a_person_in_conflict_is_shown_with_what_to_mend(office: Office) -> None:
    office.write_people(STAFF.replace("cleo@example.com", ""))
    told = office.usersync("plan", "staff")
    assert told.code == 0
    assert "in conflict, left as they are  1\n  cleo  no e-mail address" in told.out


def test_what_is_applied_in_part_ends_with_four_and_names_who_failed(office: Office) -> None:
    office.bitbucket.faults.add(Fault(kind="status", method="POST", path="/admin/users", status=409))
    told = office.usersync("sync", "staff")
    assert told.code == 4
    assert "Partial: " in told.out
    assert "1 failed" in told.out
    results = office.usersync("results", "latest").out
    failed = results[results.index("\nfailed  1\n") :].splitlines()[2]
    assert failed.split()[0] in {"ann", "ben", "cleo", "dan", "fay"}
    assert office.usersync("sync", "staff").code == 0


def test_json_is_all_there_is_on_stdout(office: Office) -> None:
    plan = office.usersync("plan", "staff", "--json")
    assert (plan.json["status"], plan.json["exit_code"], plan.err) == ("planned", 0, "")
    applied = office.usersync("apply", plan.json["plan"]["id"], "--json").json
    assert applied["applied"] == {"done": 12}
    assert [run["status"] for run in office.usersync("runs", "--json").json] == ["succeeded", "planned"]
    checked = office.usersync("check", "staff", "--json").json
    assert {finding["level"] for finding in checked["target"]} <= {"ok", "note", "problem"}
    shown = office.usersync("show", plan.json["plan"]["id"][:8], "--json", "--kind", "create").json
    assert [row["after"]["username"] for row in shown["operations"]] == ["ann", "ben", "cleo", "dan", "fay"]


def test_results_as_json_fit_the_published_schema(office: Office) -> None:
    office.usersync("sync", "staff")
    document = office.usersync("results", "latest", "--json").json
    jsonschema.validate(document, schema())
    assert [operation["group"] for operation in document["run"]["groups"]] == ["bb-dev", "bb-ops"]
    assert {person["username"]: person["outcome"] for person in document["people"]} == {
        "ann": "created",
        "ben": "created",
        "cleo": "created",
        "dan": "created",
        "eve": "filtered",
        "fay": "created",
    }


def test_one_person_is_told_with_groups_operations_and_why(office: Office) -> None:
    office.usersync("sync", "staff")
    told = office.usersync("results", "latest", "--person", "ANN")
    assert told.out.startswith("ann  created\n  id        1\n  why       everybody of the source is synced\n")
    assert "    bb-dev  a member in the source" in told.out
    assert told.out.count("    done ") == 3
    left = office.usersync("results", "latest", "--person", "5")
    assert "eve  filtered out" in left.out
    assert "inactive in the source" in left.out


def test_a_plan_says_why_about_one_person(office: Office) -> None:
    told = office.usersync("show", office.planned(), "--why", "ben")
    assert told.out.startswith("ben  created")
    assert "add to group       bb-dev" in told.out
    unknown = office.usersync("show", office.planned(), "--why", "nobody")
    assert (unknown.code, unknown.out) == (2, "")
    assert "knows nobody" in unknown.err


def test_rules_filters_and_further_attributes_from_the_file_to_the_results(office: Office) -> None:
    people = [
        "external_id,username,email,display_name,active,groups,department",
        "1,ann@example.com,ann@example.com,Ann Ash,true,bb-dev,R&D",
        "2,ben@example.com,ben@example.com,,true,bb-dev,HR",
        "3,cleo@example.com,cleo@example.com,Cleo Cedar,true,bb-dev;on-leave,R&D",
        "4,dan@example.com,dan@example.com,Dan Doum,true,,",
        "5,EVE,eve@example.com,Eve Elm,true,bb-dev,R&D",
    ]
    office.write_people("\n".join(people) + "\n")
    office.write_sync_file(
        """\
people:
  include:
    - {name: developers, groups: ["bb-*"]}
    - department = 'IT'
  exclude: {name: on leave, when: "array_contains(groups, 'on-leave')"}
attributes:
  username: {rules: [{strip_domain: username}], otherwise: drop}
  display_name: {rules: [{lookup: {column: display_name, table: {Ann Ash: Dr Ann Ash}}}]}
  extra: {department: department, groups: groups}
"""
    )
    plan = office.planned()
    shown = office.usersync("show", plan, "--why", "ann").out
    assert "met: people.include, developers" in shown
    assert "department R&D; groups bb-dev" in shown
    (person,) = office.usersync("show", plan, "--why", "ann", "--json").json["people"]
    assert person["attributes"] == {"department": "R&D", "groups": ["bb-dev"]}
    assert office.usersync("sync", "staff").code == 0
    document = office.usersync("results", "latest", "--json").json
    jsonschema.Draft202012Validator(schema()).validate(document)
    assert {row["external_id"]: (row["outcome"], row["reason"]) for row in document["people"]} == {
        "1": ("created", "met: people.include, developers"),
        "2": ("created", "met: people.include, developers"),
        "3": ("filtered", "met: people.exclude, on leave"),
        "4": ("filtered", "not met: people.include"),
        "5": ("filtered", "dropped: no rule of attributes.username applies"),
    }
    assert document["people"][-1]["attributes"] == {"department": "R&D", "groups": ["bb-dev"]}
    assert [called(office, name) for name in ("ann", "ben")] == ["Dr Ann Ash", "ben"]
    assert "department R&D" in office.usersync("results", "latest", "--person", "ann").out
    assert "Nothing to do" in office.usersync("sync", "staff").out


def called(office: Office, username: str) -> str | None:
    user = office.bitbucket.state.user(username)
    return None if user is None else user.display_name


def test_a_display_name_that_the_source_lost_is_cleared_and_the_next_sync_has_nothing_to_do(office: Office) -> None:
    office.write_sync_file("attributes:\n  display_name: {}\nguard:\n  source: {attribute_nulls_percent: null}\n")
    assert office.usersync("sync", "staff").code == 0
    office.write_people(STAFF.replace("Ann Ash", ""))
    assert office.usersync("sync", "staff").code == 0
    assert called(office, "ann") == "ann"
    assert "Nothing to do" in office.usersync("sync", "staff").out


def test_results_of_one_outcome_are_only_those(office: Office) -> None:
    office.usersync("sync", "staff")
    told = office.usersync("results", "latest", "--outcome", "filtered")
    assert "eve" in told.out
    assert "ann" not in told.out


def test_both_ends_are_checked_and_a_wrong_password_is_a_problem(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = office.usersync("check", "staff")
    assert good.code == 0
    assert "Ready. Next: usersync plan staff" in good.out
    monkeypatch.setenv("OFFICE_PASSWORD", "wrong")
    bad = office.usersync("check", "staff")
    assert bad.code == 1
    assert "  problem " in bad.out
    assert "to mend." in bad.out


def test_check_says_which_secrets_of_hooks_at_login_are_there(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OKTA_HOOK", "Basic R3JlZW4tUGFzdHVyZQ==")
    office.write_sync_file("at_login:\n  okta: {secret: 'env:OKTA_HOOK'}\n  keycloak: {secret: 'env:NO_HOOK'}\n")
    checked = office.usersync("check", "staff", "--json")
    told = {finding["what"]: finding["level"] for finding in checked.json["at login"]}
    assert told == {"env:OKTA_HOOK is there": "ok", "env:NO_HOOK: the environment variable is not set": "note"}
    assert checked.code == 0
    assert "R3JlZW4" not in checked.out


@pytest.mark.parametrize(
    ("last_day", "code", "level", "said"),
    [
        (date.today() + timedelta(days=7), 0, "note", "the target's secret expires in 7 days"),  # noqa: DTZ011
        (date(2020, 2, 29), 1, "problem", "the target's secret expired on 2020-02-29"),
        (date.today() + timedelta(days=400), 0, "", ""),  # noqa: DTZ011
    ],
    ids=["soon", "over", "far"],
)
def test_a_secret_that_ends_is_told_by_check(office: Office, last_day: date, code: int, level: str, said: str) -> None:
    office.write_sync_file(f"secrets:\n  target_expires: {last_day}\n")
    checked = office.usersync("check", "staff", "--json")
    assert checked.code == code
    told = [finding for finding in checked.json["target"] if "secret expire" in finding["what"]]
    assert [finding["level"] for finding in told] == [level] * bool(level)
    assert [finding for finding in told if said not in finding["what"]] == []


def test_a_secret_of_a_hook_that_ended_is_told_by_check(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OKTA_HOOK", "Basic T2t0YTpHcmVlbi1QYXN0dXJlLTk0MTI=")
    hook = "at_login:\n  okta: {secret: 'env:OKTA_HOOK'}\nsecrets:\n  okta_hook_expires: 2020-02-29\n"
    office.write_sync_file(hook)
    checked = office.usersync("check", "staff", "--json")
    assert checked.code == 1
    assert [(finding["level"], finding["what"]) for finding in checked.json["at login"]] == [
        ("ok", "env:OKTA_HOOK is there"),
        ("problem", "the secret of the hook okta expired on 2020-02-29"),
    ]


def test_what_is_old_is_pruned_and_a_dry_run_only_says_so(office: Office) -> None:
    long_ago = datetime(2020, 2, 29, tzinfo=UTC)
    with ledgers.open(ledgers.default_url()) as ledger:
        for day in range(KEPT_RUNS + 2):
            old = ledger.runs.start(sync="retired", mode="sync", target="bb", started_at=long_ago + timedelta(days=day))
            ledger.runs.finish(old.id, "nothing_to_do", header={}, ended_at=long_ago + timedelta(days=day))

    def left() -> int:
        return len(office.usersync("runs", "--limit", "100", "--json").json)

    said = office.usersync("prune", "--dry-run")
    assert (said.code, "2 runs" in said.out, left()) == (0, True, KEPT_RUNS + 2)
    done = office.usersync("prune", "--older-than", "12w", "--json")
    assert (done.code, done.json["removed"]["runs"][0], left()) == (0, 2, KEPT_RUNS)
    assert "can be removed" in office.usersync("prune").out
    wrong = office.usersync("prune", "--older-than", "soon")
    assert (wrong.code, "'soon' is no age" in wrong.err) == (2, True)


def test_audit_entries_are_pruned_by_an_age_of_their_own(office: Office) -> None:
    with ledgers.open(ledgers.default_url()) as ledger:
        for days in (500, 401, 399, 30):
            at = now() - timedelta(days=days)
            ledger.audit.begin(token_id=None, who=None, client="192.0.2.7", what=f"{days}", at=at)

    def left() -> list[str]:
        with ledgers.open(ledgers.default_url()) as ledger:
            return [entry.what for entry in ledger.audit.latest()]

    said = office.usersync("prune", "--dry-run")
    assert ("2 audit entries" in said.out, len(left())) == (True, 4)
    done = office.usersync("prune", "--json")
    assert (done.code, done.json["removed"]["audit entries"][0], left()) == (0, 2, ["30", "399"])
    assert done.json["audit_before"] < done.json["before"]
    shorter = office.usersync("prune", "--audit-older-than", "4w")
    assert ("are removed: 2 audit entries" in shorter.out, left()) == (True, [])
    assert "of the audit logs from before" in office.usersync("prune").out
    wrong = office.usersync("prune", "--audit-older-than", "never")
    assert (wrong.code, "'never' is no age" in wrong.err) == (2, True)


def test_a_wrong_password_fails_the_run_and_says_what_to_do(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFICE_PASSWORD", "wrong")
    told = office.usersync("sync", "staff")
    assert told.code == 1
    assert told.out.lstrip().startswith("Failed: ")
    assert "  next " in told.out
    assert "wrong" not in told.out + told.err


def test_no_output_holds_the_password(office: Office) -> None:
    office.usersync("plan", "staff")
    commands = (
        ("check", "staff"),
        ("plan", "staff"),
        ("plan", "staff", "--json"),
        ("sync", "staff"),
        ("runs",),
        ("runs", "--json"),
        ("results", "latest"),
        ("results", "latest", "--json"),
    )
    told = [office.usersync(*command) for command in commands]
    assert [one.code for one in told] == [0] * len(commands)
    assert not any(PASSWORD in one.out + one.err for one in told)


def test_runs_are_listed_newest_first_with_the_reason_below(office: Office) -> None:
    office.usersync("sync", "staff")
    office.write_people(HALF_OF_STAFF)
    office.usersync("sync", "staff")
    lines = office.usersync("runs").out.splitlines()
    assert lines[0].split() == ["RUN", "SYNC", "MODE", "STATUS", "TOOK", "PLAN", "APPLIED"]
    assert lines[1].split()[1:4] == ["staff", "sync", "held"]
    assert lines[2].startswith("    plan ")
    assert lines[3].split()[1:4] == ["staff", "sync", "succeeded"]


@pytest.mark.parametrize("command", [("runs",), ("show", "abcdef12"), ("results", "latest"), ("apply", "abcdef12")])
def test_looking_up_creates_no_ledger(office: Office, command: tuple[str, ...]) -> None:
    told = office.usersync(*command)
    assert told.code == 2
    assert "there is no ledger yet" in told.err
    assert not (office.folder / ".usersync").exists()


def test_an_unknown_run_or_plan_is_named(office: Office) -> None:
    office.usersync("plan", "staff")
    for command in (("show", "abcdef12"), ("results", "99999999"), ("apply", "abcdef12")):
        told = office.usersync(*command)
        assert told.code == 2
        assert command[1] in told.err
        assert "usersync runs" in told.err


def test_schemas_are_json_schemas(office: Office) -> None:
    for of in ("sync", "results"):
        jsonschema.Draft202012Validator.check_schema(office.usersync("schema", of).json)
