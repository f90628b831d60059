"""Secrets are named in a sync file, never written there: `env:NAME`, `file:/path`, `block:type/name/field`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final, get_args

from pydantic import AfterValidator, BaseModel, SecretStr

from directory.errors import ConfigurationError

__all__ = ["SecretReference", "references_in", "register_scheme", "resolve_secret", "secret_fields"]

_SCHEMES: Final[dict[str, Callable[[str], str]]] = {}


def _check_reference(reference: str) -> str:
    scheme, separator, rest = reference.partition(":")
    if not separator or scheme not in {"env", "file", "block"} or not rest:
        # The value is not repeated: somebody may have pasted the secret itself.
        raise ValueError("a secret is given as env:NAME, file:/path or block:type/name, never as itself")
    return reference


SecretReference = Annotated[str, AfterValidator(_check_reference)]
"""The type of a setting that names a secret."""


def secret_fields(settings: type[BaseModel]) -> Iterator[tuple[tuple[str, ...], type[BaseModel]]]:
    """The fields that name a secret: the keys that lead to each, and the model it stands in. Sections within too."""
    for name, field in settings.model_fields.items():
        parts = list(_parts(field.annotation))
        if any(_names_a_secret(part) for part in [field, *parts]):
            yield (name,), settings
        for part in parts:
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from (((name, *path), inner) for path, inner in secret_fields(part))


def references_in(settings: BaseModel) -> list[str]:
    """The references that were given, in the order of the fields."""
    found: list[str] = []
    for path, _ in secret_fields(type(settings)):
        value: Any = settings
        for key in path:
            value = getattr(value, key, None)
        if isinstance(value, str):
            found.append(value)
    return found


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)


def _names_a_secret(part: Any) -> bool:
    metadata = [*getattr(part, "metadata", ()), *getattr(part, "__metadata__", ())]
    return any(isinstance(one, AfterValidator) and one.func is _check_reference for one in metadata)


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
            next_step="use env: or file:",
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
