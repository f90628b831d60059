"""Which sources and targets there are, and what is said about a section that does not fit."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ConfigDict, Field

from connectors import catalog
from connectors.catalog import Offer, Side, connect_source, parse_settings, settings_model, settings_schema
from connectors.problems import nearest
from connectors.secret import SecretReference
from connectors.sources.file import FileSettings, FileSource
from directory.errors import ConfigurationError

KINDS: list[tuple[Side, str]] = [
    ("source", "entra"),
    ("source", "file"),
    ("source", "google"),
    ("source", "keycloak"),
    ("source", "ldap"),
    ("source", "okta"),
    ("source", "onelogin"),
    ("source", "rest"),
    ("source", "scim"),
    ("source", "sql"),
    ("target", "bitbucket"),
]
SOURCES = sorted(kind for side, kind in KINDS if side == "source")


def mistakes(raw: dict[str, Any], side: Side = "source") -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        parse_settings(side, raw)
    assert caught.value.next_step
    return caught.value.what.splitlines()


def test_importing_the_catalogue_imports_no_connector() -> None:
    heavy = "{'httpx', 'polars', 'prefect', 'numpy'} & set(sys.modules)"
    code = f"import sys, connectors.catalog as c; c.source_kinds(); sys.exit(str({heavy}) if {heavy} else 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_kinds_are_sorted() -> None:
    assert catalog.source_kinds() == SOURCES
    assert catalog.target_kinds() == ["bitbucket"]


@pytest.mark.parametrize(("side", "kind"), KINDS)
def test_every_kind_of_ours_has_a_model_that_bears_its_name_and_refuses_unknown_keys(side: Side, kind: str) -> None:
    model = settings_model(side, kind)
    assert model.model_fields["kind"].default == kind
    assert model.model_config["extra"] == "forbid"


def test_settings_are_connected_by_their_kind(tmp_path: Path) -> None:
    settings = parse_settings("source", {"kind": "file", "people": str(tmp_path / "people.csv")})
    assert isinstance(settings, FileSettings)
    assert isinstance(connect_source(settings), FileSource)


def test_settings_of_another_model_are_not_connected() -> None:
    class Impostor(BaseModel):
        kind: Literal["file"] = "file"

    with pytest.raises(TypeError, match="Impostor are not the settings of the source 'file'"):
        connect_source(Impostor())


def test_an_unknown_kind_names_the_nearest() -> None:
    assert mistakes({"kind": "keykloak"}) == [
        "source.kind: there is no source of the kind 'keykloak'; did you mean keycloak?"
    ]
    assert mistakes({"kind": "active-directory"}) == [
        f"source.kind: there is no source of the kind 'active-directory'; there are {', '.join(SOURCES)}"
    ]
    assert mistakes({}) == [f"source.kind: this key is missing; there are {', '.join(SOURCES)}"]
    assert mistakes({"kind": 7}, "target") == ["target.kind: there is no target of the kind 7; there are bitbucket"]


def test_every_mistake_has_a_line_with_its_dotted_path() -> None:
    raw = {
        "kind": "file",
        "memberhips": "m.csv",
        "format": "cvs",
        "nested": "perhaps",
        "max_age_hours": -1,
        "encoding": "utf-9",
        "groups_separator": "",
        "active_values": {"yes": True},
        "inactive_values": ["no", 0],
        "columns": {"emial": "mail", "username": ["a"], "active": 5},
        "membership_columns": "group",
    }
    assert sorted(mistakes(raw)) == sorted(
        [
            "source.people: this key is missing",
            "source.memberhips: there is no such key; did you mean memberships?",
            "source.format: this must be 'csv', 'json', 'ndjson' or 'parquet', not 'cvs'; did you mean csv?",
            "source.nested: this must be true or false, not text",
            "source.max_age_hours: this must be more than 0.0",
            "source.encoding: 'utf-9' is no text encoding; give utf-8, cp1252, utf-16 or another that Python knows",
            "source.groups_separator: this must not be empty",
            "source.active_values: this must be a list, not a section",
            "source.inactive_values.1: this must be text, not a number",
            "source.columns.emial: there is no such key; did you mean email?",
            "source.columns.username: this must be text, not a list",
            "source.columns.active: this must be text, not a number",
            "source.membership_columns: this must be a section, not text",
        ]
    )


class Rate(BaseModel):
    model_config = ConfigDict(extra="forbid")

    capacity: int = Field(ge=1, le=9)


class Password(BaseModel):
    model_config = ConfigDict(extra="forbid")

    secret: SecretReference


class HrSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: Literal["hr"] = "hr"
    login: Password
    rates: list[Rate] = []
    limit: Rate | int | None = None


class HrSource:
    def __init__(self, settings: HrSettings) -> None:
        self.settings = settings


OFFER = Offer(settings=HrSettings, connect=HrSource)  # type: ignore[arg-type]  # reads nothing in these tests
NO_OFFER = HrSource


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Puts a distribution with entry points on the path, as an installation would."""

    def install(group: str, **points: str) -> None:
        info = tmp_path / "our_hr-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: our-hr\nVersion: 1.0\n")
        lines = "".join(f"{name} = {value}\n" for name, value in points.items())
        (info / "entry_points.txt").write_text(f"[{group}]\n{lines}")
        monkeypatch.syspath_prepend(str(tmp_path))
        catalog._offered.cache_clear()

    yield install
    catalog._offered.cache_clear()


def test_a_source_from_outside_is_found_by_its_entry_point(installed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "our_hr", sys.modules[__name__])
    installed("usersync.sources", hr="our_hr:OFFER", okta="our_hr:OFFER")
    assert catalog.source_kinds() == sorted([*SOURCES, "hr"])
    assert catalog._offered("source").keys() == {"hr"}
    settings = parse_settings("source", {"kind": "hr", "login": {"secret": "env:HR"}})
    source = connect_source(settings)
    assert isinstance(source, HrSource)
    assert source.settings is settings


def test_mistakes_inside_lists_and_unions_and_no_secret_is_repeated(
    installed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "our_hr", sys.modules[__name__])
    installed("usersync.sources", hr="our_hr:OFFER")
    raw = {
        "kind": "hr",
        "login": {"secret": "hunter2", "sekret": "hunter3"},
        "rates": [{"capacity": 1}, {"capasity": 3, "capacity": 10}],
        "limit": {"capacity": "hunter4"},
    }
    assert mistakes(raw) == [
        "source.login.secret: a secret is given as env:NAME, file:/path or block:type/name, never as itself",
        "source.login.sekret: there is no such key; did you mean secret?",
        "source.rates.1.capacity: this must be at most 9",
        "source.rates.1.capasity: there is no such key; did you mean capacity?",
        "source.limit.capacity: this must be a whole number, not text",
        "source.limit: this must be a whole number, not a section",
    ]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (
            "our_hr_is_not_there:OFFER",
            "it cannot be loaded (ModuleNotFoundError: No module named 'our_hr_is_not_there')",
        ),
        ("our_hr:NO_OFFER", "its object is a type, not an Offer of connectors.catalog"),
    ],
)
def test_a_source_from_outside_that_is_none_names_its_distribution(
    installed: Any, monkeypatch: pytest.MonkeyPatch, value: str, reason: str
) -> None:
    monkeypatch.setitem(sys.modules, "our_hr", sys.modules[__name__])
    installed("usersync.sources", hr=value)
    (mistake,) = mistakes({"kind": "hr"})
    assert mistake.startswith(f"source.kind: the distribution our-hr offers the source 'hr' as {value}, but {reason};")
    assert mistake.endswith("; mend or remove the distribution our-hr")


@pytest.mark.parametrize("side", ["source", "target"])
def test_the_schema_holds_one_alternative_a_kind_and_no_reference(side: Side) -> None:
    schema = settings_schema(side)
    Draft202012Validator.check_schema(schema)
    assert "$ref" not in str(schema)
    kinds = [alternative["properties"]["kind"]["const"] for alternative in schema["oneOf"]]
    assert kinds == (catalog.source_kinds() if side == "source" else catalog.target_kinds())


def test_the_schema_judges_as_the_model_does() -> None:
    judge = Draft202012Validator({"properties": {"source": settings_schema("source")}})
    fits: dict[str, Any] = {"kind": "file", "people": "p.csv", "columns": {"active": None}}
    assert judge.is_valid({"source": fits})
    assert not judge.is_valid({"source": {**fits, "peoples": "x"}})
    assert not judge.is_valid({"source": {**fits, "columns": {"emial": "x"}}})
    assert not judge.is_valid({"source": {"people": "p.csv"}})


@pytest.mark.parametrize(("word", "meant"), [("EMAIL", "email"), ("memberhips", "memberships"), ("zzz", None)])
def test_the_nearest_word(word: str, meant: str | None) -> None:
    assert nearest(word, ["email", "memberships", "kind"]) == meant
