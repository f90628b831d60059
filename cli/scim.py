"""`usersync scim add`, `allow`, `list`, `token` and `revoke`: who may push to the SCIM receiver."""

# ruff: noqa: PLC0415 -- a command imports what it needs when it runs

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import AsJson, LedgerUrl
from directory.errors import ConfigurationError

if TYPE_CHECKING:
    from ledger.opening import Ledger
    from ledger.scim.connectors import Connector, Token

__all__ = ["commands"]

commands = typer.Typer(help="Who may push to the SCIM receiver: connectors and their tokens.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The connector's name, a part of its address.")]


@commands.command("add")
def add(
    name: Name,
    base_url: Annotated[
        str | None,
        typer.Option("--base-url", metavar="URL", help="Where clients reach it, if not where the service is told."),
    ] = None,
    schemas: Annotated[
        Path | None,
        typer.Option("--schemas", metavar="FILE", help="JSON: schemas of further attributes of users (RFC 7643, 7)."),
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", metavar="NETWORK", help="From where it may push; may be given again. Else anywhere."),
    ] = None,
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse what is not SCIM instead of mending it.")] = False,
    ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:
    """Let an identity provider push. It has no token yet: make one with `usersync scim token`."""
    from rich.text import Text

    import ledger as ledgers
    from cli.output import answers, say, whole_json
    from service.access.addresses import networks

    allowed = networks(allow or (), what="--allow", not_done="no connector was added")
    checked = _read_schemas(schemas) if schemas is not None else []
    with ledgers.open(ledger or ledgers.default_url()) as book:
        made = book.scim.connectors.add(name, base_url=base_url, strict=strict, schemas=checked, allowed=allowed)
    if as_json:
        whole_json(_described(made, []))
        return
    say(
        answers(),
        [
            Text(f"connector {made.slug} is at {_address(made)}"),
            *([Text(f"It may push from {_networks(made)} alone.")] if made.allowed else []),
            Text(f"Next: `usersync scim token {made.slug}` makes a token for it."),
        ],
    )


@commands.command("allow")
def allow(
    name: Name,
    given: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NETWORK]...", help="Addresses and networks, IPv4 and IPv6; none: from anywhere."),
    ] = None,
    ledger: LedgerUrl = None,
    as_json: AsJson = False,  # noqa: FBT002 -- Typer's options are such defaults
) -> None:
    """Say from where a connector may push, instead of what was said before. Nothing said means from anywhere."""
    from rich.text import Text

    from cli.books import looked_up
    from cli.output import answers, say, whole_json
    from service.access.addresses import networks

    allowed = networks(given or (), what="NETWORK", not_done="what the connector may push from is as it was")
    with looked_up(ledger) as book:
        changed = book.scim.connectors.allow(name, allowed)
        tokens = book.scim.connectors.tokens(changed)
    if as_json:
        whole_json(_described(changed, tokens))
        return
    where = f"{_networks(changed)} alone" if changed.allowed else "anywhere"
    say(answers(), [Text(f"{name} may push from {where}; a service that runs holds to it within a second")])


@commands.command("list")
def list_connectors(ledger: LedgerUrl = None, as_json: AsJson = False) -> None:  # noqa: FBT002 -- Typer's options
    """Show connectors and tokens: until when they are good, and when they were used last."""
    from rich.text import Text

    from cli.books import looked_up
    from cli.output import answers, say, whole_json

    with looked_up(ledger) as book:
        found = [(each, book.scim.connectors.tokens(each)) for each in book.scim.connectors.all()]
    if as_json:
        whole_json([_described(connector, tokens) for connector, tokens in found])
        return
    lines = [] if found else [Text("no connector yet; `usersync scim add` adds one")]
    for connector, tokens in found:
        state = "" if connector.revoked_at is None else f", revoked {connector.revoked_at:%Y-%m-%d %H:%M} UTC"
        lines.append(Text(f"{connector.slug}  {_address(connector)}{state}", style="bold"))
        if connector.allowed:
            lines.append(Text(f"  pushes from {_networks(connector)} alone"))
        for token in tokens:
            used = "never" if token.last_used_at is None else f"{token.last_used_at:%Y-%m-%d %H:%M} UTC"
            lines.append(Text(f"  token {token.id}  {_state(token):<30}last used {used}"))
        if not tokens and connector.revoked_at is None:
            lines.append(Text("  no token yet"))
    say(answers(), lines)


@commands.command("token")
def token(
    name: Name,
    days: Annotated[
        float | None, typer.Option("--days", min=0.001, help="For how long it is good; for ever where not given.")
    ] = None,
    ledger: LedgerUrl = None,
    as_json: AsJson = False,  # noqa: FBT002 -- Typer's options are such defaults
) -> None:
    """Make a further token and print it, this once. Those there are stay good: revoke them when nobody uses them."""
    from datetime import timedelta

    from rich.text import Text

    from cli.books import looked_up
    from cli.output import answers, say, whole_json, words
    from ledger.instant import now

    expires_at = None if days is None else now() + timedelta(days=days)
    with looked_up(ledger) as book:
        made = book.scim.connectors.add_token(name, expires_at=expires_at)
    if as_json:
        whole_json({"id": made.id, "token": made.secret, "expires_at": expires_at})
        return
    say(answers(), [Text(made.secret)])
    say(words(), [Text(f"token {made.id} of {name}; it is not kept and cannot be shown again")])


@commands.command("revoke")
def revoke(
    name: Name,
    token_id: Annotated[
        str | None, typer.Option("--token", metavar="ID", help="This token alone; otherwise the whole connector.")
    ] = None,
    ledger: LedgerUrl = None,
) -> None:
    """Take a token, or a connector with all its tokens, out of use. What was pushed stays."""
    from rich.text import Text

    from cli.books import looked_up
    from cli.output import answers, say

    with looked_up(ledger) as book:
        _revoke(book, name, token_id)
    what = f"connector {name}" if token_id is None else f"token {token_id} of {name}"
    say(answers(), [Text(f"{what} is revoked; a service that runs refuses it within a second")])


def _revoke(book: Ledger, name: str, token_id: str | None) -> None:
    if token_id is None:
        book.scim.connectors.revoke(name)
    else:
        book.scim.connectors.revoke_token(name, token_id)


def _read_schemas(path: Path) -> list[dict[str, Any]]:
    import json

    from service.scim.shape import checked_schemas

    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"the file of schemas cannot be read as JSON: {error}",
            subject=str(path),
            not_done="no connector was added",
            next_step="name a file with a schema of RFC 7643, section 7, or a list of them",
        ) from None
    listed = raw if isinstance(raw, list) else [raw]
    if not all(isinstance(each, dict) for each in listed):
        raise ConfigurationError(
            "the file holds something that is no JSON object",
            subject=str(path),
            not_done="no connector was added",
            next_step="name a file with a schema of RFC 7643, section 7, or a list of them",
        )
    return checked_schemas(listed)


def _address(connector: Connector) -> str:
    return f"{(connector.base_url or '<address of the service>').rstrip('/')}/scim/{connector.slug}/v2"


def _networks(connector: Connector) -> str:
    return ", ".join(map(str, connector.allowed))


def _state(token: Token) -> str:
    if token.revoked_at is not None:
        return f"revoked {token.revoked_at:%Y-%m-%d %H:%M} UTC"
    if token.expires_at is None:
        return "good"
    return f"{'good until' if token.live else 'expired'} {token.expires_at:%Y-%m-%d %H:%M} UTC"


def _described(connector: Connector, tokens: list[Token]) -> dict[str, Any]:
    return {
        "name": connector.slug,
        "base_url": connector.base_url,
        "strict": connector.strict,
        "schemas": [each.get("id") for each in connector.schemas],
        "allow": [str(each) for each in connector.allowed],
        "created_at": connector.created_at,
        "revoked_at": connector.revoked_at,
        "tokens": [
            {
                "id": each.id,
                "good": each.live and connector.revoked_at is None,
                "created_at": each.created_at,
                "expires_at": each.expires_at,
                "revoked_at": each.revoked_at,
                "last_used_at": each.last_used_at,
            }
            for each in tokens
        ],
    }
