"""Credentials as Prefect blocks: a form for each connector that needs some. The one module here that knows Prefect.

The types are made from the connectors' settings: a field for each setting that names a secret. A sync file names a
field as `block:usersync-okta/production/token`: type, name of the block, field. Nothing here reads a block.

There is no `_logo_url`: Prefect's client takes addresses of http and https alone (3.8.8), and a form must open offline.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType, new_class
from typing import Any, Final

from prefect.blocks.core import Block
from pydantic import BaseModel, Field, SecretStr

from connectors import catalog
from connectors.secret import secret_fields
from directory.field_help import field_help

__all__ = ["EXPIRES_ON", "block_types", "type_slug"]

EXPIRES_ON: Final = "expires_on"
"""The field that every type has, and that is no secret."""

_TITLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "bitbucket": "Bitbucket",
        "entra": "Entra ID",
        "google": "Google Workspace",
        "keycloak": "Keycloak",
        "ldap": "LDAP",
        "okta": "Okta",
        "onelogin": "OneLogin",
        "rest": "JSON API",
        "sql": "Database",
    }
)
_HELP: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ldap bind_password": "The password of bind_dn.",
        "bitbucket password": "The password of the account that usersync logs in with, not an HTTP access token.",
        "rest client_secret": "The client's secret, where `auth` is of the type oauth2.",
        "rest password": "Where `auth` is of the type basic.",
        "rest token": "Where `auth` is of the type bearer.",
        "rest value": "Where `auth` is of the type header: what is sent in it.",
        "sql password": "The password of the database's user.",
        "keycloak client_secret": "The secret of the client.",
        "onelogin client_secret": "The secret of the API credential.",
    }
)
"""What a form says where the setting says nothing, or says it to a reader of the whole section."""


def block_types() -> dict[str, type[Block]]:
    """The types by slug, in the order of the kinds; a connector that needs no secret has none.

    Raises `ConfigurationError` where a connector from outside cannot be loaded.
    """
    kinds: list[tuple[catalog.Side, str]] = [("source", kind) for kind in catalog.source_kinds()]
    kinds += [("target", kind) for kind in catalog.target_kinds()]
    found = {}
    for side, kind in kinds:
        settings = catalog.settings_model(side, kind)
        if any(secret_fields(settings)):
            found[type_slug(kind)] = _block_type(side, kind, settings)
    return found


def type_slug(kind: str) -> str:
    """What the block type of a connector is called in references."""
    return f"usersync-{kind}"


def _block_type(side: catalog.Side, kind: str, settings: type[BaseModel]) -> type[Block]:
    slug = type_slug(kind)
    secrets = list(secret_fields(settings))
    namespace: dict[str, Any] = {
        "__module__": __name__,
        "__qualname__": f"{kind.title()}Block",
        "__annotations__": {},
        "_block_type_name": f"usersync {_TITLES.get(kind, kind)}",
        "_block_type_slug": slug,
        "_description": f"What usersync logs in with at a {side} of the kind {kind}.",
        "_code_example": "\n".join(
            [
                "In a sync file, with the name that you give this block:",
                "```yaml",
                f"{side}:",
                f"  kind: {kind}",
                *_as_yaml(secrets[0][0], f"block:{slug}/NAME/{secrets[0][0][-1]}"),
                "```",
            ]
        ),
    }
    for path, model in secrets:
        name = path[-1]
        help_text = _HELP.get(f"{kind} {name}") or field_help(model).get(name) or f"What `{'.'.join(path)}` names."
        # One secret of several is enough: which, the sync file says. An empty one is none.
        namespace["__annotations__"][name] = SecretStr
        namespace[name] = (
            Field(description=help_text)
            if len(secrets) == 1
            else Field(default=SecretStr(""), description=f"{help_text} Leave it empty where it is not used.")
        )
    # Fields stand in a form in the order of the annotations.
    namespace["__annotations__"][EXPIRES_ON] = date | None
    namespace[EXPIRES_ON] = Field(
        default=None,
        description="The last day on which all of this is good, if it ends. usersync warns before that day.",
    )
    return new_class(f"{kind.title()}Block", (Block,), exec_body=lambda body: body.update(namespace))


def _as_yaml(path: tuple[str, ...], value: str) -> list[str]:
    lines = [f"{'  ' * depth}{key}:" for depth, key in enumerate(path, start=1)]
    lines[-1] += f" {value}"
    return lines
