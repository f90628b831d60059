"""Bitbucket's REST conventions on top of the HTTP client: addresses, pages, headers, and what a refusal means."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from typing import Final, TypeVar

from pydantic import SecretStr

from connectors.http.answer import Answer, decode_json
from connectors.http.auth import basic
from connectors.http.client import HttpClient
from connectors.http.exchange import Params, Timeouts
from connectors.http.paging import NextPageStart, Where, pages
from connectors.http.ratelimit import Limits, TokenBucket
from connectors.http.retry import RetryPolicy
from connectors.targets.bitbucket.refusals import Deed, PermissionMissing, is_login_refused, refusal
from connectors.targets.bitbucket.settings import BitbucketSettings
from connectors.targets.bitbucket.writes import Write, form_of
from directory.errors import CredentialsRefused, NotFound, OutcomeUnknown, TargetUnreadable, UsersyncError

__all__ = ["BitbucketApi", "Turned"]

Row = TypeVar("Row")
Kind = TypeVar("Kind")

_BASIC_AUTH_RULES: Final = "/rest/basicauth/{api}/config"

# What a read lacks when Bitbucket refuses it these, with the right password, is a permission for this one thing.
_OF_ONE_THING: Final = re.compile(r".*/(admin/(license|mail-server|rate-limit/settings(/users/[^/]+)?)|config)")


class Turned(NextPageStart[Row]):
    """Bitbucket's pages, and while they are turned: how many, and the last one as it came."""

    def __init__(self, row: type[Row], limit: int) -> None:
        super().__init__(row, limit)
        self.count = 0
        self.content = b""

    def following(self, here: Where, answer: Answer) -> Where | str | None:
        self.count += 1
        self.content = answer.content
        return super().following(here, answer)


class BitbucketApi:
    """Sends requests as the account of the settings. Paths follow `/rest/api/<version>`.

    Once the login was refused nothing more is sent: every later call raises `CredentialsRefused`.
    """

    def __init__(self, settings: BitbucketSettings, password: SecretStr, retry: RetryPolicy | None = None) -> None:
        self._root = f"/rest/api/{settings.api}"
        self._basic_auth_rules = _BASIC_AUTH_RULES.format(api=settings.api)
        self._page_size = settings.page_size
        self._refused: Answer | None = None
        self._unpermitted: CredentialsRefused | None = None
        self.known_as: str | None = None
        """Who Bitbucket says we are, where it says so (`X-AUSERNAME`, percent-encoded)."""
        rate = settings.rate
        self._client = HttpClient(
            settings.url,
            name="Bitbucket",
            side="target",
            auth=basic(settings.username, password),
            retry=retry,
            limits=Limits(
                concurrency=settings.concurrency,
                bucket=None if rate is None else TokenBucket(rate.capacity, rate.refill_per_second),
            ),
            # Without it Bitbucket's XSRF check refuses a POST that has no body (creating accounts and groups).
            headers={"X-Atlassian-Token": "no-check"},
            timeouts=Timeouts(connect=settings.connect_timeout_seconds, read=settings.read_timeout_seconds),
            ca_file=settings.ca_bundle,
            refuses=self._refuses,
        )

    @property
    def requests(self) -> int:
        return self._client.requests

    async def close(self) -> None:
        await self._client.aclose()

    def turning(self, row: type[Row]) -> Turned[Row]:
        return Turned(row, self._page_size)

    async def pages(
        self,
        path: str,
        row: type[Row] | Turned[Row],
        deed: Deed,
        query: Params | None = None,
    ) -> AsyncGenerator[list[Row], None]:
        """The rows of each page that has any, to the last one."""
        self._stop_if_unpermitted()
        strategy = row if isinstance(row, Turned) else self.turning(row)
        try:
            async for rows in pages(self._client, self._root + path, strategy, query):
                yield rows
        except UsersyncError as error:
            raise self._in_words(error, deed) from error

    async def get(self, path: str, kind: type[Kind], deed: Deed) -> Kind:
        found = await self.get_or_none(path, kind, deed)
        if found is None:
            raise refusal(404, b"", deed)
        return found

    async def get_or_none(self, path: str, kind: type[Kind], deed: Deed) -> Kind | None:
        """One object, None where Bitbucket answers 404.

        Raises `PermissionMissing` where the login is right but lacks a permission for this one thing.
        """
        answer = await self._ask("GET", self._root + path, deed)
        return self._read(answer, kind, deed)

    async def basic_auth_rules(self, kind: type[Kind], deed: Deed) -> Kind | None:
        """From the resource that 9.x has for it; None where there is none."""
        return self._read(await self._ask("GET", self._basic_auth_rules, deed), kind, deed)

    async def send(self, write: Write) -> None:
        """Change something.

        Raises `OutcomeUnknown` where the answer was lost, and `PermissionMissing` where a permission is, for this one
        change or for all: the caller finds out, and says so with `give_up`. See `refusals` for the rest.
        """
        answer = await self._ask(write.method, self._root + write.path, write.deed, write)
        if not answer.is_success:
            raise refusal(answer.status, answer.content, write.deed, hide=self._client.redact)

    def give_up(self, error: CredentialsRefused) -> None:
        """Send nothing more: the login lacks the permission that everything needs."""
        self._unpermitted = self._unpermitted or error

    async def _ask(self, method: str, path: str, deed: Deed, write: Write | None = None) -> Answer:
        self._stop_if_unpermitted()
        form, content_type = None, "application/json"
        if write is not None and write.upload is not None:
            form, content_type = form_of(write.upload)
        try:
            answer = await self._client.request(
                method,
                path,
                params=None if write is None else write.query,
                json=None if write is None else write.body,
                form=form,
                # Also without a body: a POST without a content type fails the XSRF check.
                headers=None if write is None else {"Content-Type": content_type},
            )
        except UsersyncError as error:
            raise self._in_words(error, deed) from error
        self.known_as = answer.headers.get("x-ausername", self.known_as)
        return answer

    def _read(self, answer: Answer, kind: type[Kind], deed: Deed) -> Kind | None:
        if answer.status == 404:
            return None
        if not answer.is_success:
            raise refusal(answer.status, answer.content, deed, hide=self._client.redact)
        try:
            found: Kind = decode_json(answer.content, kind)
        except ValueError as error:  # msgspec's errors are ValueErrors
            raise TargetUnreadable(
                f"Bitbucket answered, but not with what its documents promise: {error}",
                subject=deed.subject,
                not_done=deed.not_done,
                next_step="check `url`, and that no proxy answers in Bitbucket's place",
            ) from error
        return found

    def _stop_if_unpermitted(self) -> None:
        if self._unpermitted is not None:
            known = self._unpermitted
            raise CredentialsRefused(
                known.what, subject=known.subject, not_done=known.not_done, next_step=known.next_step
            )

    def _refuses(self, answer: Answer) -> bool:
        """Whether an answer means that this login is no good, so that the client must not try it again."""
        if not is_login_refused(answer.method, answer.status, answer.content):
            return False
        unpermitted = isinstance(refusal(answer.status, answer.content, Deed("", "")), PermissionMissing)
        if unpermitted and (answer.method != "GET" or _OF_ONE_THING.fullmatch(answer.url)):
            return False
        self._refused = self._refused or answer
        return True

    def _in_words(self, error: UsersyncError, deed: Deed) -> UsersyncError:
        """The client's error with what it was for; a refused login as Bitbucket explains it."""
        if isinstance(error, CredentialsRefused) and self._refused is not None:
            return refusal(
                self._refused.status,
                self._refused.content,
                deed,
                reading=self._refused.method == "GET",
                hide=self._client.redact,
            )
        if isinstance(error, NotFound):
            return refusal(404, b"", deed)
        kind = type(error)
        not_done = error.not_done if isinstance(error, OutcomeUnknown) else deed.not_done
        what = f"{error.what} ({error.subject})" if error.subject else error.what
        return kind(what, subject=deed.subject, not_done=not_done, next_step=error.next_step)
