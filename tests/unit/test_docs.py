"""The words around the code are held to the code: keys, defaults, fields, commands, examples, links and guarantees."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import polars as pl
import pytest
import typer.main
import yaml
from pydantic import BaseModel

import directory.errors
from cli.main import app
from connectors.catalog import settings_model, source_kinds, target_kinds
from connectors.sources.file.settings import GroupColumns, MembershipColumns, PeopleColumns
from connectors.sources.rest import settings as rest
from connectors.sources.scim import Wake
from connectors.targets.bitbucket.settings import Rate
from reconcile.cases import Case, CaseAccount, CasePerson, Expectation
from reconcile.events import EVENT_NAMES
from reconcile.explain import kind_title
from reconcile.filters import Filter
from reconcile.plan import KINDS, Finding, LeftBehind
from reconcile.policy import (
    Attributes,
    GroupRename,
    Groups,
    Guard,
    Inactive,
    Leavers,
    Limit,
    People,
    SourceSanity,
    Stage,
)
from reconcile.results import GroupResult, OperationResult, PersonResult, PlanDecision, RunDocument, RunHeader
from reconcile.rules import Answer, Attribute, Lookup, Match, Rule, rule_value
from reconcile.transform import evaluate, expression
from service.app import endpoints
from service.scim.settings import Limits
from tasks.approval_settings import ApprovalSection
from tasks.ending import EXIT_CODES
from tasks.login_settings import AtLoginSection, EntraHook, KeycloakHook, OktaHook, OktaOAuth
from tasks.picture_settings import PicturesSection
from tasks.sync_file import Report, SecretsSection, SyncFile, load_sync_file

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")],
)
SETTINGS: Mapping[tuple[str, str], type[BaseModel]] = {
    ("docs/sync-file.md", "Top level"): SyncFile,
    ("docs/sync-file.md", "people"): People,
    ("docs/sync-file.md", "groups"): Groups,
    ("docs/sync-file.md", "people filters"): Filter,
    ("docs/sync-file.md", "attributes"): Attributes,
    ("docs/sync-file.md", "attributes with rules"): Attribute,
    ("docs/sync-file.md", "attributes.rules"): Rule,
    ("docs/sync-file.md", "attributes.rules.match"): Match,
    ("docs/sync-file.md", "attributes.rules.lookup"): Lookup,
    ("docs/sync-file.md", "leavers"): Leavers,
    ("docs/sync-file.md", "leavers stages"): Stage,
    ("docs/sync-file.md", "inactive"): Inactive,
    ("docs/sync-file.md", "guard"): Guard,
    ("docs/sync-file.md", "groups.rename"): GroupRename,
    ("docs/sync-file.md", "guard limits"): Limit,
    ("docs/policy-tests.md", "Case"): Case,
    ("docs/policy-tests.md", "people"): CasePerson,
    ("docs/policy-tests.md", "accounts"): CaseAccount,
    ("docs/policy-tests.md", "expect"): Expectation,
    ("docs/sync-file.md", "guard.source"): SourceSanity,
    ("docs/sync-file.md", "pictures"): PicturesSection,
    ("docs/sync-file.md", "approval"): ApprovalSection,
    ("docs/sync-file.md", "report"): Report,
    ("docs/sync-file.md", "secrets"): SecretsSection,
    ("docs/at-login.md", "at_login"): AtLoginSection,
    ("docs/at-login.md", "at_login.okta"): OktaHook,
    ("docs/at-login.md", "at_login.okta.oauth"): OktaOAuth,
    ("docs/at-login.md", "at_login.entra"): EntraHook,
    ("docs/at-login.md", "at_login.keycloak"): KeycloakHook,
    ("docs/sources/okta.md", "Settings"): settings_model("source", "okta"),
    ("docs/sources/keycloak.md", "Settings"): settings_model("source", "keycloak"),
    ("docs/sources/entra.md", "Settings"): settings_model("source", "entra"),
    ("docs/sources/google.md", "Settings"): settings_model("source", "google"),
    ("docs/sources/onelogin.md", "Settings"): settings_model("source", "onelogin"),
    ("docs/sources/file.md", "Settings"): settings_model("source", "file"),
    ("docs/sources/file.md", "columns"): PeopleColumns,
    ("docs/sources/file.md", "membership_columns"): MembershipColumns,
    ("docs/sources/file.md", "group_columns"): GroupColumns,
    ("docs/sources/ldap.md", "Settings"): settings_model("source", "ldap"),
    ("docs/sources/rest.md", "Settings"): settings_model("source", "rest"),
    ("docs/sources/rest.md", "auth"): rest.Auth,
    ("docs/sources/rest.md", "people"): rest.PeopleRequest,
    ("docs/sources/rest.md", "paging"): rest.Paging,
    ("docs/sources/rest.md", "people.fields"): rest.PeopleFields,
    ("docs/sources/rest.md", "groups.fields"): rest.GroupFields,
    ("docs/sources/rest.md", "memberships.fields"): rest.MembershipFields,
    ("docs/sources/scim.md", "Settings"): settings_model("source", "scim"),
    ("docs/sources/scim.md", "wake"): Wake,
    ("docs/scim.md", "Limits"): Limits,
    ("docs/sources/sql.md", "Settings"): settings_model("source", "sql"),
    ("docs/bitbucket.md", "Settings"): settings_model("target", "bitbucket"),
    ("docs/bitbucket.md", "rate"): Rate,
}
FIELDS: Mapping[str, type[BaseModel]] = {
    "document": RunDocument,
    "run": RunHeader,
    "person": PersonResult,
    "group": GroupResult,
    "operation": OperationResult,
    "finding": Finding,
    "left behind": LeftBehind,
    "decision": PlanDecision,
}
COMPLETING = {
    "source": {"kind": "okta", "url": "https://example.okta.com", "token": "env:OKTA_TOKEN"},
    "target": {
        "kind": "bitbucket",
        "url": "https://bitbucket.example.com",
        "username": "svc-usersync",
        "password": "env:BITBUCKET_PASSWORD",
    },
}
"""What an example leaves out because it is about the other side."""


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def under(page: str, heading: str) -> str:
    """What stands below a heading, up to the next one."""
    parts = re.split(r"^#+ (.*)$", text_of(page), flags=re.MULTILINE)
    found = {title.replace("`", ""): body for title, body in zip(parts[1::2], parts[2::2], strict=True)}
    return found[heading]


def table(page: str, heading: str, first: str) -> list[list[str]]:
    """The rows of the first table below a heading whose first column is called so; cells without back-ticks."""
    rows = [
        [cell.strip().strip("`").replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in under(page, heading).splitlines()
        if line.startswith("|")
    ]
    heads = [number - 1 for number, row in enumerate(rows) if set(row[0]) == {"-"}]
    start = next(number for number in heads if rows[number][0] == first)
    end = next((number for number in heads if number > start), len(rows))
    return rows[start + 2 : end]


def shown(value: Any) -> str:
    """A default as the docs write it."""
    if value is None or isinstance(value, bool):
        return "none" if value is None else str(value).lower()
    if isinstance(value, Limit):
        return shown(value.model_dump(exclude_none=True))
    if isinstance(value, BaseModel):
        return "see below"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {shown(one)}" for key, one in value.items()) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(shown, value)) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def defaults_of(model: type[BaseModel]) -> dict[str, str]:
    # A kind has a default for Python; a sync file must say it. A name is the file's where none is given.
    special = {"kind": "required"} | ({"name": "the file's name"} if model is SyncFile else {})
    return {
        key: special.get(key)
        or ("required" if field.is_required() else shown(field.get_default(call_default_factory=True)))
        for key, field in model.model_fields.items()
    }


@pytest.mark.parametrize(("page", "heading"), SETTINGS)
def test_every_key_and_its_default_is_documented_and_no_other(page: str, heading: str) -> None:
    documented = {row[0]: row[1] for row in table(page, heading, "key")}
    assert documented == defaults_of(SETTINGS[page, heading])


def test_every_kind_of_source_and_target_has_a_page() -> None:
    documented = {model.model_fields["kind"].default for model in SETTINGS.values() if "kind" in model.model_fields}
    assert documented == {*source_kinds(), *target_kinds()}


def test_every_method_for_leavers_is_documented() -> None:
    methods = [row[0] for row in table("docs/sync-file.md", "leavers", "method")]
    assert methods == list(get_args(Leavers.model_fields["method"].annotation))


JANE = pl.DataFrame(
    {
        "username": ["Jane.Doe@example.com"],
        "email": ["jane@example.com"],
        "given_name": ["Jane"],
        "family_name": ["Doe"],
        "department": ["R&D"],
        "nickname": pl.Series([None], dtype=pl.String()),
        "guest": ["jane_corp.com#EXT#@tenant.onmicrosoft.com"],
    }
)


def test_rules_in_the_docs_make_what_the_docs_say() -> None:
    rows = table("docs/sync-file.md", "attributes.rules", "rule")
    shown_ways: set[str] = set()
    for text, result in rows:
        rule = Rule.model_validate(yaml.safe_load(text))
        shown_ways |= rule.model_dump(exclude_none=True).keys()
        made = evaluate(JANE, [("made", "key", rule_value(rule, key="key"))])["made"].item()
        assert (text, shown(made)) == (text, result)
    assert shown_ways == Rule.model_fields.keys() - {"when"}


def test_every_answer_where_no_rule_applies_is_documented() -> None:
    assert [row[0] for row in table("docs/sync-file.md", "No value", "otherwise")] == list(get_args(Answer))


def test_expressions_in_the_docs_make_what_the_docs_say() -> None:
    rows = table("docs/sync-file.md", "Expressions", "expression")
    assert len(rows) > 5
    for text, result in rows:
        made = evaluate(JANE, [("made", "key", expression(text, key="key"))])["made"].item()
        assert (text, shown(made)) == (text, result)


@pytest.mark.parametrize("heading", FIELDS)
def test_every_field_of_the_results_is_documented_and_no_other(heading: str) -> None:
    assert [row[0] for row in table("docs/results.md", heading, "field")] == list(FIELDS[heading].model_fields)


def test_every_kind_of_operation_is_documented_in_order() -> None:
    rows = table("docs/results.md", "Kinds of operation", "kind")
    assert rows == [[kind, kind_title(kind)] for kind in KINDS]


def test_every_outcome_and_every_status_of_an_operation_is_documented() -> None:
    outcomes = [row[0] for row in table("docs/errors.md", "Outcomes", "outcome")]
    statuses = [row[0] for row in table("docs/errors.md", "Statuses of operations", "status")]
    assert outcomes == list(get_args(PersonResult.model_fields["outcome"].annotation))
    assert statuses == list(get_args(OperationResult.model_fields["status"].annotation))


def test_exit_codes_are_those_of_the_program() -> None:
    ends = {row[0]: int(row[1]) for row in table("docs/errors.md", "How a run ends", "status")}
    assert ends == EXIT_CODES
    codes = {int(row[0]) for row in table("README.md", "Exit codes", "code")}
    assert codes == set(EXIT_CODES.values())


def test_every_error_is_documented() -> None:
    documented = [row[0] for row in table("docs/errors.md", "Errors", "error")]
    assert sorted(documented) == sorted(directory.errors.__all__)


def test_every_limit_of_the_guard_has_its_finding() -> None:
    limits = [row[1] for row in table("docs/errors.md", "Findings of the guard", "kind")]
    own = {f"guard.{key}" for key in Guard.model_fields if key not in {"source", "small_group", "on_hold"}}
    source = {f"guard.source.{key}" for key in SourceSanity.model_fields}
    assert {limit for limit in limits if limit.startswith("guard.")} == own | source


def fenced(language: str) -> Iterator[tuple[str, str]]:
    """The page and the content of each block in a language."""
    pattern = re.compile(rf"^ *```{language}\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
    for page in PAGES:
        for block in pattern.findall(page.read_text(encoding="utf-8")):
            yield str(page.relative_to(ROOT)), block


@pytest.mark.parametrize(
    ("page", "block"), [pytest.param(*found, id=f"{found[0]}-{number}") for number, found in enumerate(fenced("yaml"))]
)
def test_every_example_of_a_sync_file_loads(page: str, block: str, tmp_path: Path) -> None:
    if page == "docs/policy-tests.md":
        Case.model_validate(yaml.safe_load(block))
        return
    example = {**COMPLETING, **yaml.safe_load(block)}
    path = tmp_path / "example.yaml"
    path.write_text(yaml.safe_dump(example), encoding="utf-8")
    assert load_sync_file(path).target is not None, page


@pytest.mark.parametrize("path", sorted((ROOT / "syncs").glob("*.yaml")), ids=lambda path: path.name)
def test_every_sync_file_to_copy_loads(path: Path) -> None:
    assert load_sync_file(path).name == path.stem


def commands() -> dict[str, Any]:
    group: Any = typer.main.get_command(app)
    return dict(group.commands)


def usages() -> Iterator[tuple[str, str]]:
    """Every `usersync …` in a shell block or between back-ticks."""
    lines = [(page, line) for page, block in fenced("sh") for line in block.splitlines()]
    for page in PAGES:
        ticked = re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8"))
        lines += [(str(page.relative_to(ROOT)), line) for line in ticked]
    for name, line in lines:
        if match := re.match(r"(?:\.venv/bin/)?usersync (.*)", line.strip()):
            yield name, match[1].partition("#")[0].partition(" > ")[0].strip()


@pytest.mark.parametrize(("page", "usage"), sorted(set(usages())))
def test_every_command_and_option_in_the_docs_exists(page: str, usage: str) -> None:
    name, *words = usage.split()
    known = commands()
    assert name in known, f"{page}: usersync {usage}"
    command = known[name]
    if words and (within := getattr(command, "commands", None)):
        assert words[0] in within, f"{page}: usersync {usage}"
        command = within[words[0]]
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= options


def test_every_command_is_named_in_the_docs() -> None:
    assert {usage.split()[0] for _, usage in usages()} >= commands().keys() - {"demo"}
    assert "make demo" in text_of("README.md")


def anchors(page: Path) -> set[str]:
    """The anchors that a renderer makes of the headings."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if link.startswith(("http://", "https://")):
            continue
        file, _, anchor = link.partition("#")
        goal = (page.parent / file).resolve() if file else page
        if not goal.exists() or (anchor and anchor not in anchors(goal)):
            broken.append(link)
    assert broken == []


def test_every_guarantee_is_proved_by_a_test_that_exists() -> None:
    links = re.findall(r"\[(test_\w+)\]\((tests/[\w/]+\.py)\)", under("README.md", "What you can rely on"))
    assert len(links) == len(table("README.md", "What you can rely on", "guarantee"))
    for name, path in links:
        assert re.search(rf"def {name}\(", text_of(path)), f"{name} is not in {path}"


def test_every_option_of_user_sync_is_shown_by_tests_that_exist_or_is_said_to_be_missing() -> None:
    page = ROOT / "docs" / "coming-from-user-sync.md"
    rows = [line.strip("|").split("|") for line in page.read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    options = [[cell.strip() for cell in row] for row in rows if row[0].strip() not in {"the app", "---"}]
    for option, here, shown_by in options:
        links = re.findall(r"\[(\w+)\]\(([\w./]+\.py)\)", shown_by)
        assert len(links) == shown_by.count("["), option
        assert links or here.startswith("Not yet") or here.endswith("does not look at it."), option
        for name, path in links:
            text = (page.parent / path).read_text(encoding="utf-8")
            assert re.search(rf"(def|class) {name}\(", text), f"{name} is not in {path}"


def test_every_dependency_is_explained() -> None:
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    declared = {re.split(r"[<>=\[]", one)[0] for one in project["dependencies"]}
    rows = table("CONTRIBUTING.md", "Dependencies", "dependency")
    explained = {name.strip() for row in rows for name in row[0].split(",")}
    assert declared - explained == set()


def test_every_decision_is_told_in_the_same_way() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [page.name[:4] for page in pages] == [f"{number:04}" for number in range(1, len(pages) + 1)]
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert all(part in text for part in ("**Context.**", "**Choice.**", "**Price.**")), page.name


def test_every_benchmark_is_explained() -> None:
    scripts = {path.name for path in (ROOT / "benchmarks").glob("*.py")} - {"run.py"}
    text = text_of("benchmarks/README.md")
    assert {name for name in scripts if f"`{name}`" not in text} == set()


def test_every_event_is_documented_in_order() -> None:
    assert tuple(row[0] for row in table("docs/alerts.md", "Events", "event")) == EVENT_NAMES


def test_every_automation_is_documented() -> None:
    files = {path.stem for path in (ROOT / "deploy" / "automations").glob("*.yaml")}
    assert {row[0] for row in table("docs/alerts.md", "Automations", "name")} == files


def test_every_endpoint_and_its_scope_is_documented() -> None:
    documented = {row[0]: row[1] for row in table("docs/http-api.md", "Endpoints", "endpoint")}
    assert documented == {f"{method} {path}": scope for method, path, scope in endpoints()}


def test_every_option_of_the_service_is_documented() -> None:
    options = {option for parameter in commands()["serve"].params for option in parameter.opts}
    cells = [row[0].split("`, `") for row in table("docs/http-api.md", "Who may come in", "option")]
    named = {option.partition(" ")[0] for cell in cells for option in cell}
    assert named == options - {"--syncs", "--ledger"}
