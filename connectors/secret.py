"""Secrets are named in a sync file, never written there: `env:NAME`, `file:/path`, `block:slug/name`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, SecretStr

from directory.errors import ConfigurationError

__all__ = ["SecretReference", "register_scheme", "resolve_secret"]

_SCHEMES: Final[dict[str, Callable[[str], str]]] = {}


def _check_reference(reference: str) -> str:
    scheme, separator, rest = reference.partition(":")
    if not separator or scheme not in {"env", "file", "block"} or not rest:
        # The value is not repeated: somebody may have pasted the secret itself.
        raise ValueError("a secret is given as env:NAME, file:/path or block:type/name, never as itself")
    return reference


SecretReference = Annotated[str, AfterValidator(_check_reference)]
"""The type of a setting that names a secret."""


def register_scheme(scheme: str, read: Callable[[str], str]) -> None:
    """Teach another way to look a secret up; `read` gets what follows the colon."""
    _SCHEMES[scheme] = read


def resolve_secret(reference: str) -> SecretStr:
    """Look the secret up. Raises `ConfigurationError` where it is missing or empty."""
    scheme, _, rest = reference.partition(":")
    reader = {"env": _from_environment, "file": _from_file, **_SCHEMES}.get(scheme)
    if reader is None:
        raise ConfigurationError(
            f"nothing here can look up a secret of the kind {scheme!r}",
            subject=reference,
            next_step="use env: or file:, or run the sync as a Prefect flow for block:",
        )
    value = reader(rest)
    if not value:
        raise ConfigurationError("the secret is empty", subject=reference, next_step="set it and run `usersync check`")
    return SecretStr(value)


def _from_environment(name: str) -> str:
    try:
        return os.environ[name]
    except KeyError:
        raise ConfigurationError(
            "the environment variable is not set",
            subject=f"env:{name}",
            not_done="nothing was read and nothing was written",
            next_step=f"set {name} for the process that runs usersync, then run `usersync check`",
        ) from None


def _from_file(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigurationError(
            f"the secret's file cannot be read ({error.strerror})",
            subject=f"file:{path}",
            not_done="nothing was read and nothing was written",
            next_step="give the file to the user that runs usersync, then run `usersync check`",
        ) from None
