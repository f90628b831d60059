"""How the service is run. The command line fills this in; nothing here is read from the environment."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from directory.errors import ConfigurationError
from service.access.addresses import Networks, address
from service.access.rate import Rate

__all__ = ["ServiceSettings", "refuse_openness"]


@dataclass(frozen=True)
class ServiceSettings:
    ledger_url: str
    syncs: Path
    """The folder of sync files."""
    command: tuple[str, ...]
    """What runs `usersync`, to which its arguments are added: runs get a process of their own."""
    proxies: Networks = ()
    """Reverse proxies; where there are any, nobody else is let in."""
    allowed: Networks = ()
    """From where requests may come; from anywhere where empty."""
    secure: bool = False
    """Whether browsers see HTTPS: here or at a proxy."""
    rate: Rate = field(default_factory=lambda: Rate(per_second=20, burst=100))
    """Requests of one token or one session."""
    failures: Rate = field(default_factory=lambda: Rate(per_second=0.2, burst=10))
    """Tokens that are not known, from one address."""
    most_url: int = 8_000
    most_body: int = 65_536
    body_seconds: float = 15
    person_seconds: float = 50
    """How long a request for one person is kept waiting; the run goes on after that."""
    start_seconds: float = 20
    """How long a request that starts a run waits for its id."""


def refuse_openness(host: str, *, tls: bool, proxies: Networks) -> None:
    """Raises ConfigurationError where tokens would be sent in the clear to whoever listens."""
    if tls or proxies or _loopback(host):
        return
    raise ConfigurationError(
        "the service would be open to the network without TLS",
        subject=f"--host {host}",
        not_done="the service was not started",
        next_step="give --tls-cert and --tls-key, or put a reverse proxy with TLS before it and name that with "
        "--proxy, or leave --host out to serve this machine alone",
    )


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return address(host).is_loopback
    except ValueError:
        return False
