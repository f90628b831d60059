"""`usersync serve`, `token` and `audit`: the HTTP service, who may use it, and what they asked for."""

# ruff: noqa: FBT002, PLC0415 -- Typer's options are such defaults; a command imports what it needs when it runs

from __future__ import annotations

import gc
import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import AsJson, LedgerUrl
from directory.errors import ConfigurationError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from ledger.tokens import Token
    from service.scim import ScimSettings

__all__ = ["audit", "serve", "tokens"]

_PORT = 8642
_MANY = 20
_KEEP_ALIVE_SECONDS = 15
_MOST_CONNECTIONS = 200
_MOST_HEADERS = 16_384
_GRACE_SECONDS = 30
_COMMAND = (sys.executable, "-P", "-c", "from cli.main import run; run()")
"""`-P`: nothing is imported from the working folder, whatever lies there."""


class ScopeName(StrEnum):
    """Typer takes no list of literals."""

    READ = "read"
    RUN = "run"
    APPROVE = "approve"


tokens = typer.Typer(
    help="Tokens of the HTTP service.", no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]}
)


def serve(  # noqa: PLR0913, PLR0917 -- each is an option of the command
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Where to listen; this machine alone, if not given.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="0 takes a free one.")] = _PORT,
    syncs: Annotated[Path, typer.Option("--syncs", metavar="FOLDER", help="The sync files.")] = Path("syncs"),
    tls_cert: Annotated[
        Path | None, typer.Option("--tls-cert", metavar="FILE", help="Certificate and its chain, PEM.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option("--tls-key", metavar="FILE", help="Its private key, PEM.")] = None,
    proxy: Annotated[
        list[str] | None,
        typer.Option(
            "--proxy",
            metavar="NETWORK",
            help="A reverse proxy with TLS, by address or network; may be given again. Nobody else is let in then.",
        ),
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", metavar="NETWORK", help="From where requests may come; may be given again."),
    ] = None,
    rate: Annotated[
        float, typer.Option("--rate", min=0.1, help="Requests a second of one token, in the long run.")
    ] = 20.0,
    person_seconds: Annotated[
        float,
        typer.Option("--person-seconds", min=1, max=600, help="How long a request for one person may wait."),
    ] = 50.0,
    public_url: Annotated[
        str | None,
        typer.Option(
            "--public-url",
            metavar="URL",
            help="What identity providers reach this by, such as https://usersync.example.com; has SCIM served too.",
        ),
    ] = None,
    ledger: LedgerUrl = None,
) -> None:
    """Serve the HTTP API and its pages, until it is stopped."""
    from service.access.addresses import networks
    from service.settings import refuse_openness

    proxies = networks(proxy or (), what="--proxy")
    allowed = networks(allow or (), what="--allow")
    _both_or_none(tls_cert, tls_key)
    refuse_openness(host, tls=tls_cert is not None, proxies=proxies)

    import ledger as ledgers
    from cli.output import words
    from ledger.instant import now
    from service.access.rate import Rate
    from service.app import make_app
    from service.settings import ServiceSettings

    settings = ServiceSettings(
        ledger_url=ledger or ledgers.default_url(),
        syncs=syncs,
        command=_COMMAND,
        proxies=proxies,
        allowed=allowed,
        secure=tls_cert is not None or bool(proxies),
        rate=Rate(per_second=rate, burst=max(1, round(5 * rate))),
        person_seconds=person_seconds,
    )
    app = make_app(settings, _receiver(public_url))
    with ledgers.open(settings.ledger_url) as book:
        if not any(token.good(now()) for token in book.tokens.all()):
            words().print(
                "nobody can use it yet: `usersync token add NAME --scope read` makes a token", highlight=False
            )
    _serve(app, host, port, tls_cert, tls_key)


def _receiver(public_url: str | None) -> ScimSettings | None:
    from pydantic import ValidationError

    from service.scim import ScimSettings

    try:
        return None if public_url is None else ScimSettings(public_url=public_url)
    except ValidationError:
        raise ConfigurationError(
            "this is no address that clients can use",
            subject=f"--public-url {public_url}",
            not_done="the service was not started",
            next_step="give it as https://usersync.example.com, with a path if a proxy adds one, and no query",
        ) from None


def _both_or_none(certificate: Path | None, key: Path | None) -> None:
    missing = [str(file) for file in (certificate, key) if file is not None and not file.is_file()]
    if (certificate is None) == (key is None) and not missing:
        return
    raise ConfigurationError(
        f"the file does not exist: {', '.join(missing)}" if missing else "TLS needs a certificate and its key",
        not_done="the service was not started",
        next_step="give --tls-cert and --tls-key, two PEM files that this user may read",
    )


def _serve(app: ASGIApp, host: str, port: int, certificate: Path | None, key: Path | None) -> None:
    import socket
    from contextlib import suppress

    import uvicorn

    from cli.output import words

    try:
        listener = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=_MOST_CONNECTIONS
        )
    except OSError as error:
        raise ConfigurationError(
            f"nothing can listen there: {error.strerror or error}",
            subject=f"{host} port {port}",
            not_done="the service was not started",
            next_step="see what listens there already, or give another --port",
        ) from None
    config = uvicorn.Config(
        app,
        # Whose request it is is decided by ourselves, by declared proxies.
        proxy_headers=False,
        server_header=False,
        # Addresses hold names of people. Writes are in the audit log.
        access_log=False,
        log_level="warning",
        lifespan="on",
        http="h11",
        ws="none",
        h11_max_incomplete_event_size=_MOST_HEADERS,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        ssl_certfile=certificate,
        ssl_keyfile=None if key is None else str(key),
    )
    shown = f"[{host}]" if ":" in host else host
    scheme = "http" if certificate is None else "https"
    words().print(f"serving at {scheme}://{shown}:{listener.getsockname()[1]}/; Ctrl-C stops it", highlight=False)
    # What was imported by now stays for as long as this runs; the collector need not look through it again.
    gc.freeze()
    # The server has closed its connections when the interruption reaches us.
    with listener, suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])


@tokens.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose it is; it is kept with what they do.")],
    scope: Annotated[
        list[ScopeName],
        typer.Option("--scope", help="read, run or approve; give it again for more."),
    ],
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="AGE", help="After so long it ends, such as 90d or 12w.")
    ] = None,
    ledger: LedgerUrl = None,
) -> None:
    """Make a token. It is shown once, on stdout, and kept nowhere."""
    import ledger as ledgers
    from cli.output import answers, words
    from ledger.instant import now
    from tasks.pruning import age

    ends = None if expires is None else now() + age(expires)
    with ledgers.open(ledger or ledgers.default_url()) as book:
        made, whole = book.tokens.add(name, [one.value for one in scope], expires_at=ends)
    answers().print(whole, soft_wrap=True, highlight=False)
    until = "" if made.expires_at is None else f", until {made.expires_at:%Y-%m-%d %H:%M} UTC"
    words().print(f"token {made.id} of {made.name}: {', '.join(made.scopes)}{until}", soft_wrap=True, highlight=False)


@tokens.command("list")
def list_tokens(ledger: LedgerUrl = None, as_json: AsJson = False) -> None:
    """List all tokens that were ever made, without themselves."""
    from cli.books import looked_up
    from cli.output import answers, say, whole_json, width_of
    from cli.render.grid import grid

    with looked_up(ledger) as book:
        found = book.tokens.all()
    if as_json:
        whole_json([asdict(token) for token in found])
        return
    console = answers()
    table = [("TOKEN", "NAME", "SCOPES", "LAST USED", "STATE"), *(_row(token) for token in found)]
    say(console, grid(table, width=width_of(console), whole=(0,), indent=0))


def _row(token: Token) -> tuple[str, ...]:
    from ledger.instant import now

    state = "good" if token.good(now()) else "revoked" if token.revoked_at else "expired"
    if token.expires_at and state == "good":
        state += f" until {token.expires_at:%Y-%m-%d}"
    used = "never" if token.used_at is None else f"{token.used_at:%Y-%m-%d %H:%M} UTC"
    return token.id, token.name, ", ".join(token.scopes), used, state


@tokens.command("revoke")
def revoke(
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="Its id, or its name.")], ledger: LedgerUrl = None
) -> None:
    """End a token at once, and the sessions of browsers that came with it."""
    from cli.books import looked_up
    from cli.output import answers

    with looked_up(ledger) as book:
        ended = book.tokens.revoke(token)
    answers().print(f"token {ended.id} of {ended.name} is revoked", soft_wrap=True, highlight=False)


def audit(
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many.")] = _MANY,
    ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:
    """List who asked the HTTP service to change what, from where, and what was answered."""
    from cli.books import looked_up
    from cli.output import answers, say, whole_json, width_of
    from cli.render.grid import grid

    with looked_up(ledger) as book:
        found = book.audit.latest(limit=limit)
    if as_json:
        whole_json([{**asdict(one), "at": one.at.isoformat()} for one in found])
        return
    console = answers()
    rows = [
        (f"{one.at:%Y-%m-%d %H:%M:%S}", one.who or "(nobody)", one.client, one.what, str(one.status or "no answer"))
        for one in found
    ]
    say(
        console, grid([("AT", "WHO", "FROM", "WHAT", "ANSWERED"), *rows], width=width_of(console), whole=(0,), indent=0)
    )
