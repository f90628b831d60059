"""One YAML file a sync: read, checked whole, and every mistake reported with its line before anything is asked."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, ValidationError

from connectors import catalog
from connectors.problems import Problem, problems
from directory.errors import ConfigurationError
from directory.field_help import described_schema
from reconcile.policy import Attributes, Groups, Guard, Inactive, Leavers, People, Policy, Section
from tasks.approval_settings import ApprovalSection
from tasks.located_yaml import LocatedYaml, read_yaml
from tasks.login_settings import AtLoginSection
from tasks.picture_settings import PicturesSection

__all__ = ["Report", "SecretsSection", "SyncFile", "load_sync_file", "placed", "sync_file_schema"]

_NOTHING_DONE = "nothing was read and nothing was written"


class ReadingSection(Section):
    """How an incremental source is read; others are always read whole."""

    full_every_hours: float = Field(default=24, ge=0)
    """Everything is read at least so often, which finds what the source's vendor does not report as a change; 0 reads
    everything each time."""


class Report(Section):
    """Where the result of a run goes, besides the ledger."""

    results: str = ".usersync/results"
    """Folder or URL (file://, s3://, …) for the JSON documents, one a run; a folder is relative to the working folder.
    Where it is not given, $USERSYNC_RESULTS says it."""
    table_rows: int = Field(default=30, ge=0, le=10_000)
    """At most so many rows in the table of changes; the document has them all."""


class SecretsSection(Section):
    """Until when the secrets are good, to be told in time. Certificates that the sync file names tell it themselves."""

    warn_days: int = Field(default=14, ge=0)
    """So many days before, `usersync check` warns, and each run sends the event `usersync.secret.expiring`."""
    source_expires: date | None = None
    """The day on which the source's token, client secret or password ends."""
    target_expires: date | None = None
    """The same for the target."""
    okta_hook_expires: date | None = None
    """The same for `at_login.okta.secret`."""
    keycloak_hook_expires: date | None = None
    """The same for `at_login.keycloak.secret`."""


class SyncFile(BaseModel):
    """A sync file as it was understood."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    """Names the sync in the ledger; the file's name without ending where it is not given. Renaming it starts anew."""
    source: SerializeAsAny[BaseModel]
    target: SerializeAsAny[BaseModel]
    people: People = People()
    groups: Groups = Groups()
    attributes: Attributes = Attributes()
    leavers: Leavers = Leavers()
    inactive: Inactive = Inactive()
    guard: Guard = Guard()
    approval: ApprovalSection = ApprovalSection()
    pictures: PicturesSection | None = None
    reading: ReadingSection = ReadingSection()
    report: Report = Report()
    secrets: SecretsSection = SecretsSection()
    at_login: AtLoginSection | None = None

    @property
    def policy(self) -> Policy:
        return Policy(
            people=self.people,
            groups=self.groups,
            attributes=self.attributes,
            leavers=self.leavers,
            inactive=self.inactive,
            guard=self.guard,
        )


def load_sync_file(path: Path) -> SyncFile:
    """Read a sync file. Raises one `ConfigurationError` that lists every mistake, a line each."""
    page = _read(path)
    raw = page.raw
    raw.setdefault("name", path.stem)
    found: list[Problem] = []
    sides = {"source": _section(raw, "source", found), "target": _section(raw, "target", found)}
    given = {**raw, **{side: model for side, model in sides.items() if model is not None}}
    try:
        understood = SyncFile.model_validate(given)
    except ValidationError as error:
        # A side that is wrong has been described better above.
        described = {side for side, model in sides.items() if side in raw and model is None}
        found += [problem for problem in problems(error, SyncFile) if not described.intersection(problem.place[:1])]
    if found:
        raise ConfigurationError(
            "\n".join(map(page.told, found)),
            not_done=_NOTHING_DONE,
            next_step="mend the file; `usersync schema` prints what it may hold",
        )
    return understood


def placed(error: ConfigurationError, path: Path) -> ConfigurationError:
    """An error about a key of the sync file that the source's data brought to light, with the line of the key."""
    key = f"{error.subject}."
    try:
        page = _read(path)
    except ConfigurationError:
        return error  # the file was changed since
    spelled = {".".join(map(str, place)) + ".": line for place, line in page.lines.items() if place}
    nearest = max((one for one in spelled if key.startswith(one)), key=len, default=None)
    if nearest is None:
        return error
    return ConfigurationError(
        error.what,
        subject=f"{path} line {spelled[nearest]}: {error.subject}",
        not_done=error.not_done,
        next_step=error.next_step,
    )


def sync_file_schema() -> dict[str, Any]:
    """The JSON Schema of a sync file, for editors: with every source and target that can be had here."""
    schema = described_schema(SyncFile)
    schema["properties"]["source"] = catalog.settings_schema("source")
    schema["properties"]["target"] = catalog.settings_schema("target")
    schema["title"] = "usersync sync file"
    # The loader gives a file without a name its own.
    schema["required"] = [key for key in schema["required"] if key != "name"]
    return schema


def _read(path: Path) -> LocatedYaml:
    return read_yaml(
        path,
        what="sync file",
        not_done=_NOTHING_DONE,
        instead="name a file under syncs/, or start from an example there",
    )


def _section(raw: dict[str, Any], side: catalog.Side, found: list[Problem]) -> BaseModel | None:
    """The settings of one side; what is wrong with them is added to `found`."""
    given = raw.get(side)
    if given is None:
        return None
    if not isinstance(given, dict):
        found.append(Problem((side,), "this must be a section with a key `kind`"))
        return None
    try:
        model = catalog.settings_model(side, given.get("kind"))
    except ConfigurationError as error:
        found.append(Problem((side, "kind"), error.what))
        return None
    try:
        return model.model_validate(given)
    except ValidationError as error:
        found += [Problem((side, *problem.place), problem.what) for problem in problems(error, model)]
        return None
