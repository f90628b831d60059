"""What `usersync check` says of a Bitbucket."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote, urlsplit

import polars as pl

from connectors.contract import CheckFinding
from connectors.targets.bitbucket.api import BitbucketApi
from connectors.targets.bitbucket.check_rate import check_rate_limit
from connectors.targets.bitbucket.read_back import account_named
from connectors.targets.bitbucket.reads import read_accounts, read_licence
from connectors.targets.bitbucket.refusals import Deed, PermissionMissing
from connectors.targets.bitbucket.settings import BitbucketSettings
from connectors.targets.bitbucket.wire import (
    BasicAuthRules,
    MailServer,
    MemberRow,
    Properties,
)
from directory.errors import CredentialsRefused, UsersyncError

__all__ = ["check_target"]

OLDEST: Final = (6, 7)
NEWEST: Final = (9, 4)


async def check_target(api: BitbucketApi, settings: BitbucketSettings) -> list[CheckFinding]:
    """Findings in the order in which one would mend them. After a refused login nothing more is asked."""
    findings = _transport(settings)
    steps = (_version, _login, _licence, _rank, _basic_auth, check_rate_limit, _accounts)
    for step in steps:
        try:
            findings += await step(api, settings)
        except UsersyncError as error:
            findings.append(CheckFinding("problem", error.what, error.next_step))
            if isinstance(error, CredentialsRefused) or step is _version:
                return findings
    findings.append(
        CheckFinding(
            "note",
            "Bitbucket cannot deactivate an account: where a sync deactivates, access is removed instead (groups and "
            "grants that give it), the account stays 'active' there and its seat is free",
        )
    )
    return findings


def _transport(settings: BitbucketSettings) -> list[CheckFinding]:
    parts = urlsplit(settings.url)
    findings = []
    if parts.scheme == "http" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}:
        findings.append(
            CheckFinding("problem", "the password travels unencrypted (http)", "use the https address of Bitbucket")
        )
    return findings


async def _version(api: BitbucketApi, _settings: BitbucketSettings) -> list[CheckFinding]:
    found = await api.get("/application-properties", Properties, Deed("Bitbucket", "the rest was not checked"))
    numbers = tuple(int(part) for part in found.version.split(".")[:2] if part.isdigit())
    if OLDEST <= numbers <= NEWEST:
        return [CheckFinding("ok", f"{found.display_name} {found.version} answers")]
    return [
        CheckFinding(
            "note",
            f"{found.display_name} {found.version} answers; usersync is made for 6.7 to 9.4",
            "try `usersync plan` first and compare what it read with what the administration pages show",
        )
    ]


async def _login(api: BitbucketApi, settings: BitbucketSettings) -> list[CheckFinding]:
    row = await account_named(api, settings.username)
    known_as = unquote(api.known_as or settings.username)
    if known_as.casefold() != settings.username.casefold() or row is None:
        return [
            CheckFinding(
                "problem",
                f"the login {settings.username} works, but Bitbucket knows that account as {known_as}, so usersync "
                "could not tell it from the accounts it manages",
                "set `username` to the username that Bitbucket's user list shows for it",
            )
        ]
    return [CheckFinding("ok", f"logged in as {row.name}; that account is never touched")]


async def _licence(api: BitbucketApi, _settings: BitbucketSettings) -> list[CheckFinding]:
    """Only an ADMIN may see the licence, so it tells the rank as well."""
    found = await read_licence(api)
    rank = CheckFinding("ok", "the account is an administrator (ADMIN or higher)")
    if found is None:
        return [rank, CheckFinding("note", "no licence is installed, so seats cannot be counted")]
    used = found.status.current_number_of_users if found.status else None
    maximum = found.maximum_number_of_users
    if found.unlimited_number_of_users or maximum is None:
        return [rank, CheckFinding("ok", f"{used} seats used, the licence is unlimited")]
    if used is not None and used >= maximum:
        full = f"all seats are taken: {used} of {maximum}"
        return [rank, CheckFinding("problem", full, "free seats or buy some before people are added")]
    return [rank, CheckFinding("ok", f"{used} of {maximum} seats used")]


async def _rank(api: BitbucketApi, settings: BitbucketSettings) -> list[CheckFinding]:
    query = {"permission": "SYS_ADMIN"}
    highest: list[str] = []
    async for rows in api.pages("/users", MemberRow, Deed("system administrators", "not read"), query):
        highest += [row.name for row in rows]
    if settings.username.casefold() in {name.casefold() for name in highest}:
        return await _mail_server(api) if settings.notify else []
    findings = [
        CheckFinding(
            "note",
            f"the account is no SYS_ADMIN, so Bitbucket lets it change no SYS_ADMIN ({len(highest)} accounts)",
            "leave system administrators to their own care, or grant SYS_ADMIN to the account",
        )
    ]
    if settings.notify:
        unseen = "`notify` is on, and only a SYS_ADMIN may see whether Bitbucket has a mail server"
        findings.append(CheckFinding("note", unseen, "see under Administration, Mail server"))
    return findings


async def _mail_server(api: BitbucketApi) -> list[CheckFinding]:
    found = await api.get_or_none("/admin/mail-server", MailServer, Deed("mail server", "not read"))
    if found is None:
        missing = "`notify` is on, but Bitbucket has no mail server, so it creates no account"
        return [CheckFinding("problem", missing, "configure one under Administration, Mail server, or drop `notify`")]
    return [CheckFinding("ok", f"new accounts are notified through {found.hostname}")]


async def _basic_auth(api: BitbucketApi, settings: BitbucketSettings) -> list[CheckFinding]:
    try:
        rules = await api.basic_auth_rules(BasicAuthRules, Deed("authentication methods", "not read"))
    except PermissionMissing:
        # Who may see them is not documented. That we got here shows that they let us in.
        return []
    if rules is None or not rules.block_requests:
        return []
    if settings.username.casefold() in {name.casefold() for name in rules.allowed_users}:
        return [CheckFinding("ok", "basic authentication is switched off, and the account is on its allow-list")]
    return [
        CheckFinding(
            "problem",
            "basic authentication is switched off and the account is not on the allow-list",
            "add it under Administration, Authentication methods; usersync may have come through an allowed path",
        )
    ]


async def _accounts(api: BitbucketApi, _settings: BitbucketSettings) -> list[CheckFinding]:
    pages = await read_accounts(api)
    accounts = pl.concat(pages)
    fixed = accounts.filter(~(pl.col("mutable_details") & pl.col("mutable_groups")))
    if fixed.is_empty():
        return [CheckFinding("ok", f"all {accounts.height} accounts can be changed")]
    counted = fixed.group_by(pl.col("directory").fill_null("no directory")).len().sort("len", descending=True)
    where = ", ".join(f"{count} in {name}" for name, count in counted.rows())
    return [
        CheckFinding(
            "note",
            f"{accounts.height - fixed.height} of {accounts.height} accounts can be changed; the others belong to "
            f"directories that Bitbucket only reads ({where})",
            "change those where they come from; a sync reports them and leaves them alone",
        )
    ]
