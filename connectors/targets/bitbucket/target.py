"""Bitbucket as a target: read it, change it, read a lost answer back."""

from __future__ import annotations

import asyncio
from typing import Final

from connectors.contract import AccountScope, CheckFinding, Progress, ReadScope
from connectors.http.retry import RetryPolicy
from connectors.secret import resolve_secret
from connectors.targets.bitbucket.account_read import read_account
from connectors.targets.bitbucket.api import BitbucketApi
from connectors.targets.bitbucket.check import check_target
from connectors.targets.bitbucket.read_back import account_named, group_exists, is_there
from connectors.targets.bitbucket.reads import read_licence, read_target
from connectors.targets.bitbucket.refusals import Deed, PermissionMissing
from connectors.targets.bitbucket.settings import BitbucketSettings
from connectors.targets.bitbucket.writes import Write, parts_of, picture_write, touched, write_for
from directory.call import Call, DeleteAccount, EraseAccount, RemoveMembership, ResetPicture, SetPicture
from directory.errors import (
    CredentialsRefused,
    NotFound,
    OperationRefused,
    OutcomeUnknown,
    Retryable,
    TargetUnavailable,
)
from directory.snapshot import TargetSnapshot

__all__ = ["BitbucketTarget"]

SENDS: Final = 3
"""How often a change is sent whose answer is lost each time and which reading back does not find."""

FIRST_LOOK_SECONDS: Final = 0.25


class BitbucketTarget:
    """Fulfils `connectors.contract.PersonTarget`."""

    def __init__(self, settings: BitbucketSettings, *, retry: RetryPolicy | None = None) -> None:
        """Raises `ConfigurationError` where the password cannot be looked up."""
        self._settings = settings
        self._api = BitbucketApi(settings, resolve_secret(settings.password), retry)

    @property
    def requests(self) -> int:
        return self._api.requests

    async def read(self, scope: ReadScope, progress: Progress | None = None) -> TargetSnapshot:
        return await read_target(
            self._api,
            scope,
            principal=self._settings.username,
            concurrency=self._settings.concurrency,
            progress=progress,
        )

    async def read_account(self, scope: AccountScope) -> TargetSnapshot | None:
        return await read_account(self._api, scope, principal=self._settings.username)

    async def apply(self, call: Call) -> None:
        """Carry out one change; see the contract.

        Raises `OutcomeUnknown` as well, where an answer was lost and Bitbucket cannot be asked what became of it: then
        `holds` tells later. Members beyond `max_members_per_call` are sent in several requests, and an error in a later
        one leaves the earlier ones done.
        """
        self._spare_own_account(call)
        for part in parts_of(call, self._settings):
            await self._carry_out(part)

    async def holds(self, call: Call) -> bool:
        for part in parts_of(call, self._settings):
            if not await is_there(part, self._api):
                return False
        return True

    async def check(self) -> list[CheckFinding]:
        return await check_target(self._api, self._settings)

    async def close(self) -> None:
        await self._api.close()

    def _spare_own_account(self, call: Call) -> None:
        """The last line of defence: the planner leaves this account out long before."""
        own = self._settings.username
        if own.casefold() in {username.casefold() for username in touched(call)}:
            raise OperationRefused(
                "this is the account that usersync logs in with, which it never touches",
                subject=f"account {own}",
                not_done=f"{type(call).__name__} was not sent",
                next_step="change this account by hand, or let usersync log in with an account of its own",
            )

    async def _carry_out(self, call: Call) -> None:
        write = await self._write(call)
        lost: OutcomeUnknown | None = None
        for _ in range(SENDS):
            try:
                await self._api.send(write)
            except OutcomeUnknown as error:
                lost = error
                if await self._shows(call, lost):
                    return
            except OperationRefused as error:
                # After a lost answer a refusal may well mean that the first attempt was carried out.
                if lost is not None and await self._shows(call, lost):
                    return
                if isinstance(error, NotFound) and await self._is_gone_already(call):
                    return
                raise
            except PermissionMissing as error:
                raise await self._for_this_one_only(write.deed, error) from error
            else:
                return
        raise TargetUnavailable(
            f"the answer was lost {SENDS} times, and Bitbucket does not show the change",
            subject=write.deed.subject,
            not_done=write.deed.not_done,
            next_step="see why connections to Bitbucket break (proxy, load balancer, time limits), and run again",
        ) from lost

    async def _write(self, call: Call) -> Write:
        if not isinstance(call, SetPicture | ResetPicture):
            return write_for(call, self._settings)
        row = await account_named(self._api, call.username)
        if row is None or row.slug is None:
            raise NotFound(
                f"Bitbucket has no account {call.username}",
                subject=f"account {call.username}",
                not_done="its picture was not changed",
                next_step="somebody removed or renamed it since the plan was made; run again for a new plan",
            )
        return picture_write(call, row.slug)

    async def _shows(self, call: Call, lost: OutcomeUnknown) -> bool:
        """Look for a change, several times: nodes of a cluster show each other's with a lag."""
        if isinstance(call, SetPicture | ResetPicture):
            return False
        left = self._settings.read_back_seconds
        pause = FIRST_LOOK_SECONDS
        while True:
            try:
                if await is_there(call, self._api):
                    return True
            except Retryable:
                raise lost from None
            if left <= 0:
                return False
            await asyncio.sleep(min(pause, left))
            left -= pause
            pause *= 2

    async def _is_gone_already(self, call: Call) -> bool:
        """Whether a 404 means that there was nothing left to take away.

        Bitbucket answers 404 to the removal of a membership for an unknown account, an unknown group, and an account
        that is no member; only the last is as good as done.
        """
        if isinstance(call, DeleteAccount | EraseAccount):
            return await is_there(call, self._api)
        if not isinstance(call, RemoveMembership):
            return False
        return (
            await is_there(call, self._api)
            and await account_named(self._api, call.username) is not None
            and await group_exists(self._api, call.group)
        )

    async def _for_this_one_only(self, deed: Deed, error: PermissionMissing) -> OperationRefused | CredentialsRefused:
        """Tell a change that is beyond an ADMIN from a login that is none; Bitbucket answers 401 to both.

        It costs one more request, which only an ADMIN may make.
        """
        try:
            await read_licence(self._api)
        except CredentialsRefused:
            self._api.give_up(error)
            return error
        return OperationRefused(
            "Bitbucket does not permit this one change, though the login is an ADMIN (401): SYS_ADMINs and their "
            "groups are changed by SYS_ADMINs alone, and accounts of a read-only directory by nobody here",
            subject=deed.subject,
            not_done=deed.not_done,
            next_step="leave it out of the sync, or grant SYS_ADMIN to the account that usersync logs in with",
        )
