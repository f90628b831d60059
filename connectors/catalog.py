"""Which sources and targets there are, each under the `kind` that a sync file names it by.

Nothing is imported before it is asked for: a sync that reads files needs no HTTP client, and `usersync --help` nothing.

**Adding one from outside.** A distribution offers a source by an entry point of the group `usersync.sources` (a target:
`usersync.targets`). The entry point's name is the kind, its object an `Offer`:

    [project.entry-points."usersync.sources"]
    hr = "our_hr.usersync:OFFER"

    OFFER = Offer(settings=HrSettings, connect=HrSource)

`HrSettings` is a pydantic model with `kind: Literal["hr"]` and `extra="forbid"`; `HrSource(settings)` fulfils
`connectors.contract.Source`. A kind of ours cannot be replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, cast

from pydantic import BaseModel, ValidationError

from connectors.problems import Problem, nearest, problems
from directory.errors import ConfigurationError
from directory.field_help import described_schema

if TYPE_CHECKING:
    from connectors.contract import Source, Target

__all__ = [
    "Offer",
    "Side",
    "connect_source",
    "connect_target",
    "parse_settings",
    "settings_model",
    "settings_schema",
    "source_kinds",
    "target_kinds",
]

Side = Literal["source", "target"]

_NOTHING_DONE: Final = "nothing was read and nothing was written"


@dataclass(frozen=True)
class Offer:
    """A source or a target: what a sync file may say about it, and what speaks to it."""

    settings: type[BaseModel]
    connect: Callable[[Any], Source | Target]
    """Takes an instance of `settings`. It does not speak to anything yet."""


class _Ours(NamedTuple):
    package: str
    settings: str
    connector: str


_OURS: Final[Mapping[Side, Mapping[str, _Ours]]] = MappingProxyType(
    {
        "source": {
            "entra": _Ours("connectors.sources.entra", "EntraSettings", "EntraSource"),
            "file": _Ours("connectors.sources.file", "FileSettings", "FileSource"),
            "google": _Ours("connectors.sources.google", "GoogleSettings", "GoogleSource"),
            "keycloak": _Ours("connectors.sources.keycloak", "KeycloakSettings", "KeycloakSource"),
            "ldap": _Ours("connectors.sources.ldap", "LdapSettings", "LdapSource"),
            "okta": _Ours("connectors.sources.okta", "OktaSettings", "OktaSource"),
            "onelogin": _Ours("connectors.sources.onelogin", "OneLoginSettings", "OneLoginSource"),
            "rest": _Ours("connectors.sources.rest", "RestSettings", "RestSource"),
            "scim": _Ours("connectors.sources.scim", "ScimSettings", "ScimSource"),
            "sql": _Ours("connectors.sources.sql", "SqlSettings", "SqlSource"),
        },
        "target": {
            "bitbucket": _Ours("connectors.targets.bitbucket", "BitbucketSettings", "BitbucketTarget"),
        },
    }
)


def source_kinds() -> list[str]:
    """The kinds that a `source` section may name, sorted."""
    return _kinds("source")


def target_kinds() -> list[str]:
    """The kinds that a `target` section may name, sorted."""
    return _kinds("target")


def settings_model(side: Side, kind: str | None) -> type[BaseModel]:
    """The model of a section. Raises `ConfigurationError` that names the nearest kind where there is no such."""
    return _offer(side, kind).settings


def connect_source(settings: BaseModel) -> Source:
    """The source that the settings speak of; nothing is sent yet. Raises `ConfigurationError`."""
    return cast("Source", _connect("source", settings))


def connect_target(settings: BaseModel) -> Target:
    """The target that the settings speak of; nothing is sent yet. Raises `ConfigurationError`."""
    return cast("Target", _connect("target", settings))


def parse_settings(side: Side, raw: Mapping[str, Any]) -> BaseModel:
    """Check a section of a sync file. Raises one `ConfigurationError` with every mistake on a line of its own."""
    try:
        model = settings_model(side, raw.get("kind"))
    except ConfigurationError as error:
        what = f"{error.what}; {error.next_step}" if error.next_step else error.what
        raise _mistaken(side, [Problem(("kind",), what)]) from None
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        found = problems(error, model)
    raise _mistaken(side, found)


def settings_schema(side: Side) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a section: one alternative a kind. It holds no references, so it may stand anywhere
    in another schema. Raises `ConfigurationError` where one from outside cannot be loaded."""
    alternatives = []
    for kind in _kinds(side):
        schema = described_schema(settings_model(side, kind))
        whole = _without_references(schema, schema.pop("$defs", {}))
        whole["required"] = ["kind", *(key for key in whole.get("required", []) if key != "kind")]
        alternatives.append(whole)
    return {"oneOf": alternatives}


def _kinds(side: Side) -> list[str]:
    return sorted({*_OURS[side], *_offered(side)})


@cache
def _offered(side: Side) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=f"usersync.{side}s") if point.name not in _OURS[side]}


def _offer(side: Side, kind: object) -> Offer:
    kinds = _kinds(side)
    if not isinstance(kind, str) or kind not in kinds:
        near = nearest(str(kind), kinds)
        given = "this key is missing" if kind is None else f"there is no {side} of the kind {kind!r}"
        hint = f"did you mean {near}?" if near and kind is not None else f"there are {', '.join(kinds)}"
        raise ConfigurationError(f"{given}; {hint}", not_done=_NOTHING_DONE)
    ours = _OURS[side].get(kind)
    if ours is None:
        return _from_outside(side, _offered(side)[kind])
    package = import_module(ours.package)
    return Offer(getattr(package, ours.settings), getattr(package, ours.connector))


def _from_outside(side: Side, point: EntryPoint) -> Offer:
    try:
        offer = point.load()
    except Exception as error:  # noqa: BLE001 whatever somebody else's module does when it is imported
        reason = f"it cannot be loaded ({type(error).__name__}: {error})"
    else:
        if isinstance(offer, Offer):
            return offer
        reason = f"its object is a {type(offer).__name__}, not an Offer of connectors.catalog"
    origin = f"the distribution {point.dist.name}" if point.dist else "a distribution"
    raise ConfigurationError(
        f"{origin} offers the {side} {point.name!r} as {point.value}, but {reason}",
        not_done=_NOTHING_DONE,
        next_step=f"mend or remove {origin}",
    )


def _connect(side: Side, settings: BaseModel) -> Source | Target:
    offer = _offer(side, getattr(settings, "kind", None))
    if not isinstance(settings, offer.settings):
        raise TypeError(
            f"{type(settings).__name__} are not the settings of the {side} {getattr(settings, 'kind', None)!r}"
        )
    return offer.connect(settings)


def _mistaken(side: Side, found: list[Problem]) -> ConfigurationError:
    return ConfigurationError(
        "\n".join(problem.under(side) for problem in found),
        not_done=_NOTHING_DONE,
        next_step="mend the sync file; `usersync schema` prints what it may hold",
    )


def _without_references(part: Any, definitions: Mapping[str, Any]) -> Any:
    """The schema with each `$ref` replaced by what it names; settings do not contain themselves."""
    if isinstance(part, list):
        return [_without_references(item, definitions) for item in part]
    if not isinstance(part, dict):
        return part
    rest = {key: _without_references(value, definitions) for key, value in part.items() if key != "$ref"}
    name = part.get("$ref", "").removeprefix("#/$defs/")
    return {**_without_references(definitions[name], definitions), **rest} if name else rest
