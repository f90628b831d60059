"""The connection by python-ldap, the one module that knows it.

It blocks, so it works in threads; an answer is waited for in short turns, so that whoever cancels need not wait.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from connectors.secret import resolve_secret
from connectors.sources.ldap.connection import (
    Control,
    Entry,
    NoSuchObject,
    Page,
    RefusedSearch,
    Scope,
    UnavailableControl,
)
from connectors.sources.ldap.settings import LdapSettings
from directory.errors import ConfigurationError, CredentialsRefused, SourceUnavailable, SourceUnreadable, UsersyncError

__all__ = ["open_connection"]

T = TypeVar("T")

_PAGED: Final = "1.2.840.113556.1.4.319"
_TURN_SECONDS: Final = 0.5
_CONNECT_SECONDS: Final = 10.0
_NOTHING_READ: Final = "nothing was read and nothing was written"
_SCOPES: Final[Mapping[Scope, int]] = {"base": 0, "one": 1, "subtree": 2}
_LIMITS: Final = {3: "time limit", 4: "size limit", 11: "administrative limit"}
_PASSING: Final = {51: "it is busy", 52: "it is unavailable"}
_LDAPS_PORT: Final = 636
_REFERRAL: Final = 10


def open_connection(settings: LdapSettings) -> PythonLdap:
    """Not bound yet. Raises `ConfigurationError` where python-ldap is missing, or the password cannot be had."""
    try:
        library = import_module("ldap")
        controls = import_module("ldap.controls")
    except ImportError as error:
        raise ConfigurationError(
            f"the library for LDAP cannot be loaded ({error})",
            subject="the source ldap",
            not_done=_NOTHING_READ,
            next_step="install usersync with its extra `ldap` (python-ldap; it is compiled, which takes gcc and the "
            "headers of OpenLDAP and SASL: on Debian libldap2-dev and libsasl2-dev)",
        ) from None
    return PythonLdap(settings, library, controls)


class _Raw:
    """A response control as it came."""

    controlType = ""  # noqa: N815 python-ldap's name
    criticality = False

    def __init__(self) -> None:
        self.value = b""

    def decodeControlValue(self, value: bytes | None) -> None:  # noqa: N802 python-ldap's name
        self.value = value or b""


class PythonLdap:
    """Fulfils `Connection`. One search at a time."""

    def __init__(self, settings: LdapSettings, library: Any, controls: Any) -> None:
        self._settings = settings
        self._ldap = library
        self._controls = controls
        self._password = None if settings.bind_password is None else resolve_secret(settings.bind_password)
        # Any control is taken as it came; python-ldap looks classes up by OID, and takes an empty table for none.
        self._raw: defaultdict[str, type[_Raw]] = defaultdict(lambda: _Raw, {_PAGED: _Raw})
        self._native: Any = None
        self._stopped = threading.Event()

    async def bind(self) -> None:
        await self._in_thread(self._bind)

    async def search(
        self,
        base: str,
        scope: Scope,
        filter_: str,
        attributes: Sequence[str],
        controls: Sequence[Control] = (),
        *,
        page: tuple[int, bytes] | None = None,
    ) -> Page:
        wanted = [self._controls.RequestControl(control.oid, control.critical, control.value) for control in controls]
        if page is not None:
            size, cookie = page
            wanted.append(self._controls.SimplePagedResultsControl(True, size=size, cookie=cookie))  # noqa: FBT003

        def work() -> Page:
            asked = self._native.search_ext(
                base, _SCOPES[scope], filter_, list(attributes) or ["1.1"], serverctrls=wanted
            )
            return self._page(*self._answer(asked))

        return await self._in_thread(work, f"searching {base or 'the root DSE'} for {filter_}")

    async def close(self) -> None:
        native, self._native = self._native, None
        self._stopped.set()
        if native is not None:
            await asyncio.to_thread(self._unbind, native)

    def _unbind(self, native: Any) -> None:
        try:
            native.unbind_ext_s()
        except self._ldap.LDAPError:
            return

    async def _in_thread(self, work: Callable[[], T], doing: str = "connecting") -> T:
        def judged() -> T:
            try:
                return work()
            except self._ldap.LDAPError as error:
                raise self._failure(error, doing) from None

        try:
            return await asyncio.to_thread(judged)
        except asyncio.CancelledError:
            self._stopped.set()
            raise

    def _bind(self) -> None:
        settings, library = self._settings, self._ldap
        native = library.initialize(settings.url)
        self._native = native
        native.set_option(library.OPT_PROTOCOL_VERSION, 3)
        native.set_option(library.OPT_REFERRALS, 0)
        native.set_option(library.OPT_NETWORK_TIMEOUT, min(_CONNECT_SECONDS, settings.timeout))
        native.set_option(library.OPT_TIMEOUT, min(_CONNECT_SECONDS, settings.timeout))
        if settings.is_encrypted:
            self._demand_certificate(native)
        if settings.starts_tls:
            native.start_tls_s()
        secret = "" if self._password is None else self._password.get_secret_value()
        self._answer(native.simple_bind(settings.bind_dn or "", secret))

    def _demand_certificate(self, native: Any) -> None:
        """Whatever the machine's ldap.conf says: a server that cannot prove who it is gets no password."""
        library = self._ldap
        trusted = self._settings.ca_file or ssl.get_default_verify_paths().cafile
        if self._settings.ca_file is not None and not Path(self._settings.ca_file).is_file():
            raise ConfigurationError(
                "there is no such file", subject=f"ca_file {self._settings.ca_file}", not_done=_NOTHING_READ
            )
        native.set_option(library.OPT_X_TLS_REQUIRE_CERT, library.OPT_X_TLS_DEMAND)
        if trusted is not None:
            native.set_option(library.OPT_X_TLS_CACERTFILE, str(trusted))
        native.set_option(library.OPT_X_TLS_NEWCTX, 0)

    def _answer(self, asked: int) -> tuple[list[Any], list[Any]]:
        deadline = time.monotonic() + self._settings.timeout
        while not self._stopped.is_set():
            try:
                _, rows, _, controls, _, _ = self._native.result4(
                    asked, all=1, timeout=_TURN_SECONDS, add_ctrls=1, resp_ctrl_classes=self._raw
                )
            except self._ldap.TIMEOUT:
                if time.monotonic() >= deadline:
                    self._native.abandon_ext(asked)
                    raise
            else:
                return rows, controls
        raise SourceUnavailable("the search was interrupted", subject=self._where, not_done=_NOTHING_READ)

    def _page(self, rows: list[Any], controls: list[_Raw]) -> Page:
        entries, referrals = [], []
        for dn, attributes, own in rows:
            if dn is None:
                referrals += [value.decode() if isinstance(value, bytes) else str(value) for value in attributes]
                continue
            values = {name.lower(): found for name, found in attributes.items()}
            entries.append(Entry(dn, values, {control.controlType: control.value for control in own or ()}))
        raw = {control.controlType: control.value for control in controls or ()}
        return Page(entries, referrals, raw, self._cookie(raw.get(_PAGED)))

    def _cookie(self, value: bytes | None) -> bytes:
        if not value:
            return b""
        paged = self._controls.SimplePagedResultsControl()
        paged.decodeControlValue(value)
        return bytes(paged.cookie or b"")

    @property
    def _where(self) -> str:
        return f"the directory {self._settings.url}"

    def _failure(self, error: Exception, doing: str) -> UsersyncError:
        """What python-ldap raised, sorted by consequence. The password is in none of its texts."""
        told = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
        number = int(told.get("result", 0) or 0)
        detail = "; ".join(str(told[key]) for key in ("desc", "info") if told.get(key)) or type(error).__name__
        distrusted = self._distrusted(error) if doing == "connecting" else None
        if distrusted is not None:
            return SourceUnreadable(
                f"no encrypted connection can be made ({distrusted})",
                subject=self._where,
                not_done=f"the password was not sent, {_NOTHING_READ}",
                next_step="give the authority that issued the server's certificate as ca_file, and in url the name "
                "that stands in the certificate",
            )
        if isinstance(error, self._ldap.FILTER_ERROR):
            return ConfigurationError(
                f"the library refuses a filter ({detail}): {doing}", subject=self._where, not_done=_NOTHING_READ
            )
        if number in _PASSING or number < 0 or not number:
            reason = _PASSING.get(number, detail)
            return SourceUnavailable(
                f"no answer while {doing} ({reason})",
                subject=self._where,
                not_done=_NOTHING_READ,
                next_step="try again later; `usersync check` says whether the directory answers",
            )
        return self._refusal(number, detail, doing)

    def _distrusted(self, error: Exception) -> str | None:
        """Why no encrypted connection came about, where it is not that the server is out of reach.

        The library calls both the same, so that a server that answers is asked once more by Python's own TLS.
        """
        settings = self._settings
        if settings.starts_tls:
            return "its certificate is not trusted" if isinstance(error, self._ldap.CONNECT_ERROR) else None
        if not settings.is_encrypted or not isinstance(error, self._ldap.SERVER_DOWN):
            return None
        parts = urlsplit(settings.url)
        host = parts.hostname or ""
        try:
            trust = ssl.create_default_context(cafile=settings.ca_file)
            with (
                socket.create_connection((host, parts.port or _LDAPS_PORT), _CONNECT_SECONDS) as plain,
                trust.wrap_socket(plain, server_hostname=host),
            ):
                return None
        except ssl.SSLError as refused:
            return getattr(refused, "verify_message", None) or str(refused.reason)
        except OSError:
            return None

    def _refusal(self, number: int, detail: str, doing: str) -> UsersyncError:
        where: dict[str, str] = {"subject": self._where, "not_done": _NOTHING_READ}
        if number in {8, 13}:
            step = "use ldaps:// or encryption: starttls"
            return CredentialsRefused(f"it wants an encrypted connection ({detail})", next_step=step, **where)
        if number in {48, 49} or (number == 53 and doing == "connecting"):
            step = "correct bind_dn and the secret that bind_password names, then run `usersync check`"
            return CredentialsRefused(f"it refuses the credentials ({detail})", next_step=step, **where)
        if number == 50:
            step = "let the account read what base, people_base and groups_base name"
            return CredentialsRefused(f"the account may not do this: {doing} ({detail})", next_step=step, **where)
        if number in _LIMITS:
            what = f"the server's {_LIMITS[number]} ended {doing} before its end, and a part is no list"
            step = "raise that limit for the account that bind_dn names, or lower page_size"
        elif number == _REFERRAL:
            what = f"it holds no such part of the tree, and refers to another server: {doing}"
            step = "name the server that holds it, or correct base"
        else:
            what = f"it refuses {doing} ({detail}, LDAP result {number})"
            step = (
                "correct base, people_base and groups_base" if number == NoSuchObject.code else "run `usersync check`"
            )
        kinds = {kind.code: kind for kind in (NoSuchObject, UnavailableControl)}
        refused = kinds.get(number, RefusedSearch)(what, next_step=step, **where)
        refused.code = number
        return refused
