"""Secrets kept as Prefect blocks: `block:secret/okta-token`, `block:usersync-okta/production/token`.

They are read when a run begins, from the server that Prefect's settings name, and kept nowhere: a secret that somebody
changes in Prefect's pages is used by the next run, and no worker is started again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import httpx
from pydantic import BaseModel

from connectors.problems import nearest
from connectors.secret import references_in, register_scheme
from directory.errors import ConfigurationError

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import BlockDocument

__all__ = ["expiries_of_blocks", "prefect_server", "use_blocks"]

_NOTHING_DONE: Final = "nothing was read and nothing was written"
_SCHEME: Final = "block:"


class _Place(NamedTuple):
    reference: str
    type_slug: str
    name: str
    field: str | None


def use_blocks() -> None:
    """Teach `block:` references. Prefect is imported when the first one is looked up, and not before."""
    register_scheme("block", _read)


def expiries_of_blocks(settings: BaseModel) -> dict[str, date]:
    """Until when the secrets of a source's or a target's settings are good: by reference, such as
    `block:usersync-okta/production/token`, the `expires_on` of its block. References of other kinds, and blocks that
    say nothing, are left out. Asks the server once a reference; raises `ConfigurationError` as looking them up does.
    """
    found = {}
    for reference in dict.fromkeys(references_in(settings)):
        if reference.startswith(_SCHEME):
            place = _place(reference.removeprefix(_SCHEME))
            expires_on = _document(place).data.get("expires_on")
            if isinstance(expires_on, str):
                found[reference] = date.fromisoformat(expires_on[:10])
    return found


@contextmanager
def prefect_server(subject: str) -> Iterator[SyncPrefectClient]:
    """A connection to the server that Prefect's settings name; in a flow run, to the one that runs it.

    Raises `ConfigurationError` about the subject where none is named, none answers, or it does not let this one in.
    """
    # Two seconds, and only who has a `block:` needs it.
    from prefect.client.orchestration import get_client  # noqa: PLC0415
    from prefect.context import FlowRunContext  # noqa: PLC0415
    from prefect.settings import get_current_settings  # noqa: PLC0415

    if not get_current_settings().api.url and FlowRunContext.get() is None:
        raise ConfigurationError(
            "blocks are kept by a Prefect server, and none is named",
            subject=subject,
            not_done=_NOTHING_DONE,
            next_step="set PREFECT_API_URL to the address of its API, such as http://127.0.0.1:4200/api",
        )
    try:
        with get_client(sync_client=True) as client:
            yield client
    except (httpx.HTTPError, RuntimeError) as error:
        told = _unserved(error, subject)
        if told is None:
            raise
        raise told from None


def _unserved(error: Exception, subject: str) -> ConfigurationError | None:
    answer = getattr(error if hasattr(error, "response") else error.__cause__, "response", None)
    status = getattr(answer, "status_code", None)
    if status in {401, 403}:
        return ConfigurationError(
            f"the Prefect server does not let this process in (HTTP {status})",
            subject=subject,
            not_done=_NOTHING_DONE,
            next_step="set PREFECT_API_AUTH_STRING to what the server has as PREFECT_SERVER_API_AUTH_STRING",
        )
    if isinstance(error, RuntimeError) and not str(error).startswith("Failed to reach API"):
        return None
    return ConfigurationError(
        "the Prefect server that PREFECT_API_URL names does not answer"
        + ("" if status is None else f" as it should (HTTP {status})"),
        subject=subject,
        not_done=_NOTHING_DONE,
        next_step="see to the server, or use env: or file:",
    )


def _read(rest: str) -> str:
    place = _place(rest)
    return _text(place, _document(place))


def _place(rest: str) -> _Place:
    parts = rest.split("/")
    if len(parts) not in {2, 3} or not all(parts):
        raise ConfigurationError(
            "this names no block; it is block:TYPE/NAME, or block:TYPE/NAME/FIELD",
            subject=f"{_SCHEME}{rest}",
            not_done=_NOTHING_DONE,
            next_step="`usersync blocks list` prints the types and their fields",
        )
    return _Place(f"{_SCHEME}{rest}", parts[0], parts[1], parts[2] if len(parts) == 3 else None)


def _document(place: _Place) -> BlockDocument:
    from prefect.exceptions import ObjectNotFound  # noqa: PLC0415

    with prefect_server(place.reference) as client:
        try:
            return client.read_block_document_by_name(place.name, place.type_slug, include_secrets=True)
        except ObjectNotFound:
            raise _missing(client, place) from None


def _missing(client: SyncPrefectClient, place: _Place) -> ConfigurationError:
    types = [one.slug for one in client.read_block_types()]
    if place.type_slug not in types:
        ours = place.type_slug.startswith("usersync-")
        near = nearest(place.type_slug, types)
        what = "there is no such type of blocks"
        what += f"; did you mean {near}?" if near else f"; there are {', '.join(sorted(types))}"
        return ConfigurationError(
            what,
            subject=place.reference,
            not_done=_NOTHING_DONE,
            next_step="`usersync blocks register` makes usersync's types known to the server"
            if ours
            else "`usersync blocks list` prints usersync's types",
        )
    documents = client.read_block_documents_by_type(place.type_slug, include_secrets=False)
    names = sorted(one.name for one in documents if one.name)
    there = f"of the type {place.type_slug} there are {', '.join(names)}" if names else "the type has none"
    return ConfigurationError(
        f"there is no such block; {there}",
        subject=place.reference,
        not_done=_NOTHING_DONE,
        next_step="create it in the Prefect UI under Blocks, or use env: or file:",
    )


def _text(place: _Place, document: BlockDocument) -> str:
    """The one secret that is meant. Raises `ConfigurationError` where none, or more than one, can be meant."""
    described: dict[str, Any] = document.block_schema.fields if document.block_schema else {}
    fields = list(described.get("properties", {}))
    secret = [name for name in fields if name in described.get("secret_fields", [])]
    field = place.field
    if field is None:
        filled = [name for name in secret if document.data.get(name)] or secret
        if len(filled) != 1:
            raise _unclear(place, f"the block holds {len(filled)} secrets; name one of them", filled or fields)
        (field,) = filled
    elif field not in fields:
        raise _unclear(place, f"the block has no field {field}", secret or fields)
    value = document.data.get(field)
    if value is None or value == "":
        raise ConfigurationError(
            f"the field {field} of the block is empty",
            subject=place.reference,
            not_done=_NOTHING_DONE,
            next_step="fill it in, in the Prefect UI under Blocks",
        )
    if not isinstance(value, str):
        raise ConfigurationError(
            "the block holds no single text",
            subject=place.reference,
            not_done=_NOTHING_DONE,
            next_step="use a block of the type Secret, or one that `usersync blocks list` prints",
        )
    return _whole_pem(_unquoted(value) if place.type_slug == "secret" else value)


def _unclear(place: _Place, what: str, fields: list[str]) -> ConfigurationError:
    base = f"{_SCHEME}{place.type_slug}/{place.name}"
    return ConfigurationError(
        what,
        subject=place.reference,
        not_done=_NOTHING_DONE,
        next_step="write " + " or ".join(f"{base}/{field}" for field in fields),
    )


def _unquoted(text: str) -> str:
    """A Secret may hold any JSON; a text of it may be stored with its quotes."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, str) else text


def _whole_pem(text: str) -> str:
    """PEM text with its line breaks: the fields of Prefect's forms are single lines, and lose them."""
    if "-----BEGIN " not in text or "\n" in text.strip():
        return text
    lines = []
    for label, body in re.findall(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", text):
        packed = re.sub(r"\s", "", body)
        chunks = [packed[start : start + 64] for start in range(0, len(packed), 64)]
        lines += [f"-----BEGIN {label}-----", *chunks, f"-----END {label}-----"]
    return "\n".join([*lines, ""]) if lines else text
