"""What the `source` section of a sync file may say about files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

__all__ = ["FORMATS", "Encoding", "FileSettings", "Format", "GroupColumns", "MembershipColumns", "PeopleColumns"]

Format = Literal["csv", "json", "ndjson", "parquet"]

FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {".csv": "csv", ".json": "json", ".ndjson": "ndjson", ".jsonl": "ndjson", ".parquet": "parquet"}
)
"""The format that a suffix stands for."""

Column = Annotated[str, Field(min_length=1)]


def _text_encoding(name: str) -> str:
    try:
        bytes(4).decode(name)
    except LookupError:
        raise ValueError(
            f"{name!r} is no text encoding; give utf-8, cp1252, utf-16 or another that Python knows"
        ) from None
    return name


Encoding = Annotated[str, AfterValidator(_text_encoding)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PeopleColumns(_Section):
    """What our columns are called in the people file. Null says that the file has no such column; a column that is
    named and missing ends the read, because an export that lost one would otherwise blank it for everybody."""

    external_id: Column = "external_id"
    """The id that never changes. Rows without one are left out."""
    username: Column | None = "username"
    email: Column | None = "email"
    display_name: Column | None = "display_name"
    active: Column | None = "active"
    """Whether the person may come in; null where the file lists active people only."""
    groups: Column | None = "groups"
    """The groups of the person in one column: a list, or in CSV names joined by `groups_separator`. Unless it is named
    here, it is read only where there is no memberships file."""


class MembershipColumns(_Section):
    """What the columns of the memberships file are called."""

    group: Column = "group"
    """The group's id, or its name where there is no groups file."""
    member: Column = "member"
    """The person's external id."""
    member_group: Column = "member_group"
    """With `nested`: the group that is the member, in rows whose member is not a person."""
    member_is_group: Column = "member_is_group"
    """With `nested`, instead of `member_group`: whether `member` is a group."""


class GroupColumns(_Section):
    """What the columns of the groups file are called."""

    group_id: Column = "group_id"
    name: Column = "name"


class FileSettings(_Section):
    """Files that an export writes. Paths are relative to the folder that usersync runs in."""

    kind: Literal["file"] = "file"
    people: Path
    """One row a person. Columns that `columns` does not name are carried as attributes."""
    memberships: Path | None = None
    """One row a membership; none where the people file has a column of groups."""
    groups: Path | None = None
    """One row a group, with an id and a name; without it a group's name is its id."""
    format: Format | None = None
    """None goes by the suffix of each file: .csv, .json (one array of objects), .ndjson or .jsonl, .parquet."""
    columns: PeopleColumns = PeopleColumns()
    membership_columns: MembershipColumns = MembershipColumns()
    group_columns: GroupColumns = GroupColumns()
    nested: bool = False
    """Whether groups may be members of groups in the memberships file."""
    encoding: Encoding = "utf-8"
    """Of CSV, JSON and NDJSON; a byte order mark is taken off."""
    separator: Literal[",", ";", "\t", "|"] = ","
    """Between the fields of a CSV file."""
    groups_separator: Annotated[str, Field(min_length=1)] = ";"
    """Between the groups of a person where their column holds text."""
    active_values: tuple[str, ...] = ("true", "yes", "1", "active", "enabled")
    """What stands for active where the column holds text or numbers, in any case."""
    inactive_values: tuple[str, ...] = ("false", "no", "0", "inactive", "disabled")
    """What stands for inactive. Any other value, and none, makes the row broken: nobody is guessed active."""
    require_final_newline: bool = False
    """Whether a CSV or NDJSON file that does not end with a line break was cut. Turn it on where the export always
    writes one: nothing else shows that whole lines are missing at the end."""
    max_age_hours: Annotated[float, Field(gt=0)] | None = None
    """A file written longer ago makes the read incomplete: the export may have stopped."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        for path in self.paths:
            self.format_of(path)
        both = {value.lower() for value in self.active_values} & {value.lower() for value in self.inactive_values}
        if both:
            raise ValueError(f"active_values and inactive_values both hold {', '.join(sorted(both))}")
        if self.nested and self.memberships is None:
            raise ValueError("nested is about the memberships file, and none is given")
        return self

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files there are to read."""
        return tuple(path for path in (self.people, self.groups, self.memberships) if path is not None)

    @property
    def groups_column(self) -> str | None:
        """The column of the people file that holds groups, None where they are not taken from there."""
        if self.memberships is not None and "groups" not in self.columns.model_fields_set:
            return None
        return self.columns.groups

    def format_of(self, path: Path) -> Format:
        """Raises ValueError where neither `format` nor the suffix says."""
        found = self.format or FORMATS.get(path.suffix.lower())
        if found is None:
            raise ValueError(
                f"the suffix of {str(path)!r} says no format; set format to csv, json, ndjson or parquet, "
                f"or name the file {', '.join(FORMATS)}"
            )
        return found
