"""What the `source` section of a sync file may say about a database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from connectors.secret import SecretReference

__all__ = ["SqlSettings"]

_SECRET_OPTIONS: Final = ("password", "passwd", "pwd", "secret", "token", "odbc_connect")


def _without_secrets(name: str) -> None:
    if any(word in name.lower() for word in _SECRET_OPTIONS):
        raise ValueError("an option of the connection may hold a password; give that as `password`, a reference")


def _address(text: str) -> str:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError("this is no SQLAlchemy URL, such as postgresql://reader@db.example.com/hr") from None
    if url.password is not None:
        # The value is not repeated.
        raise ValueError("a password stands in the url; take it out and give `password`, a reference such as env:NAME")
    for name in url.query:
        _without_secrets(name)
    return text


def _query(text: str) -> str:
    query = text.strip().rstrip(";").rstrip()
    if not query:
        raise ValueError("the query is empty")
    return query


Query = Annotated[str, AfterValidator(_query)]


class SqlSettings(BaseModel):
    """A database, as a `url`, or as `dialect`, `host`, `port` and `database`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["sql"] = "sql"
    url: Annotated[str, AfterValidator(_address)] | None = None
    """A SQLAlchemy URL without a password, such as postgresql://reader@db.example.com/hr."""
    dialect: Annotated[str, Field(min_length=1)] | None = None
    """Instead of a url: postgresql, sqlite, or what SQLAlchemy calls another database and its driver, such as
    mysql+pymysql."""
    host: str | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    database: str | None = None
    """The database's name; of SQLite, the path of its file."""
    username: str | None = None
    """Who reads. A role that may do nothing else is the safest."""
    password: SecretReference | None = None
    options: Mapping[str, str] = {}
    """What else the driver wants to know, such as `sslmode: verify-full`."""
    people: Query
    """Gives the columns external_id, username, email, display_name and active. Further ones are carried as
    attributes."""
    memberships: Query
    """Gives the columns group_id and member_id (a person's external_id), and with `nested` member_is_group."""
    groups: Query | None = None
    """Gives the columns group_id and name. Without it a group is known by its memberships, and its name is its id."""
    nested: bool = False
    """Whether groups may be members of groups."""
    active_values: tuple[str, ...] = ("true", "yes", "1", "active", "enabled")
    """What stands for active where the column holds text or numbers, in any case."""
    inactive_values: tuple[str, ...] = ("false", "no", "0", "inactive", "disabled")
    """What stands for inactive. Any other value, and none, makes the row broken: nobody is guessed active."""
    statement_timeout: Annotated[float, Field(gt=0)] = 300.0
    """Seconds that one query may take."""
    batch_rows: Annotated[int, Field(ge=1)] = 10_000
    """Rows fetched at a time."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        parts = [name for name in ("dialect", "host", "port", "database") if getattr(self, name) is not None]
        if self.url is None and self.dialect is None:
            raise ValueError("give url, or dialect with host and database")
        if self.url is not None and parts:
            raise ValueError(f"give url or {', '.join(parts)}, not both")
        for name in self.options:
            _without_secrets(name)
        both = {value.lower() for value in self.active_values} & {value.lower() for value in self.inactive_values}
        if both:
            raise ValueError(f"active_values and inactive_values both hold {', '.join(sorted(both))}")
        if self.dialect is not None:
            _address(f"{self.dialect}://")
        return self

    @property
    def address(self) -> URL:
        """Without the password."""
        if self.url is not None:
            url = make_url(self.url)
        else:
            url = URL.create(self.dialect or "", host=self.host, port=self.port, database=self.database)
        if self.username is not None:
            url = url.set(username=self.username)
        return url.update_query_dict(self.options) if self.options else url

    @property
    def queries(self) -> dict[str, str]:
        """By name, in the order in which they run."""
        found = {"people": self.people, "groups": self.groups, "memberships": self.memberships}
        return {name: query for name, query in found.items() if query is not None}
