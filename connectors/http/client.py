"""The client: one method that sends, and one that sends and decodes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlsplit

import msgspec
from pydantic import SecretStr
from tenacity import AsyncRetrying, RetryCallState

from connectors.http.answer import Answer
from connectors.http.auth import Authentication, Fields, NoAuthentication
from connectors.http.exchange import Attempt, Call, Exchange, Params, Timeouts, throttled
from connectors.http.failures import Failures, Side
from connectors.http.ratelimit import Gate, Limits, Sleep
from connectors.http.redaction import Redactor, hide_secrets_in_library_logs
from connectors.http.retry import RetryPolicy, Verdict
from directory.errors import ConfigurationError, CredentialsRefused, UsersyncError

__all__ = ["HttpClient", "Params", "Timeouts"]

T = TypeVar("T")

_READS: Final = frozenset({"GET", "HEAD"})
_RETRIED_WRITES: Final = frozenset({Verdict.THROTTLED, Verdict.NOT_SENT, Verdict.UNAUTHORIZED})
_RETRIED_READS: Final = _RETRIED_WRITES | {Verdict.LOST, Verdict.MALFORMED}


class HttpClient:
    """Sends requests to one system.

    `refuses` says which answers mean that our credentials are no good; a system that answers 401 for a single object
    passes its own. After such an answer the client is latched: every later call raises `CredentialsRefused` without
    sending anything. Until a first answer came, requests go out one at a time, so a wrong password fails once and not
    as often as there are connections (five failed logins lock a Bitbucket account).

    `throttles` says which further answers, besides 429 and 503, mean that we ask too fast and that nothing happened. It
    is shown 4xx alone; Google throttles with a 403.
    """

    def __init__(  # noqa: PLR0913 each is one decision of a connector
        self,
        base_url: str,
        *,
        name: str,
        side: Side,
        auth: Authentication | None = None,
        retry: RetryPolicy | None = None,
        limits: Limits | None = None,
        headers: Mapping[str, str] | None = None,
        timeouts: Timeouts | None = None,
        ca_file: Path | None = None,
        refuses: Callable[[Answer], bool] = lambda answer: answer.status == 401,
        throttles: Callable[[Answer], bool] = lambda _answer: False,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        hide_secrets_in_library_logs()
        parts = urlsplit(base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.password:
            raise ConfigurationError(
                f"the address of {name} must look like https://host or https://host/context, without credentials in it",
                next_step="correct the url in the sync file",
            )
        self.base_url = base_url.rstrip("/")
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.name = name
        self.requests = 0
        """Every request sent so far: retries and token requests included."""
        self.failures = Failures(side, name)
        self.retry = retry or RetryPolicy()
        self.limits = limits or Limits()
        self._auth = auth or NoAuthentication()
        self.redact = Redactor(self._auth.secrets)
        self._refuses = refuses
        self._throttles = throttles
        self._sleep = sleep
        self._exchange = Exchange(
            self.origin,
            parts.hostname,
            {
                "User-Agent": f"usersync/{_own_version()}",
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                **(headers or {}),
            },
            timeouts or Timeouts(),
            ca_file,
        )
        self._slots = asyncio.Semaphore(self.limits.concurrency)
        self._limiter = self.limits.bucket.limiter() if self.limits.bucket else None
        self._gate = Gate()
        self._first = asyncio.Lock()
        self._answered = False
        self._refusal: CredentialsRefused | None = None

    def __repr__(self) -> str:
        return f"HttpClient({self.base_url!r}, name={self.name!r}, requests={self.requests})"

    @property
    def is_refused(self) -> bool:
        """Whether the credentials were refused, so that nothing is sent any more."""
        return self._refusal is not None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._exchange.aclose()

    async def get_json(
        self, url: str, params: Params | None = None, *, decode: type[T], headers: Fields | None = None
    ) -> T:
        """The decoded body of a 2xx answer.

        `url` is a path below the base URL, or an address of the same origin. Raises `SourceUnavailable` or
        `TargetUnavailable` after the last retry, `SourceUnreadable` or `TargetUnreadable` for what the documents do not
        promise, `NotFound` for a 404, `CredentialsRefused` for a 401 or a 403.
        """
        value: T = (await self.get(url, params, decode=decode, headers=headers)).value
        return value

    async def get(
        self, url: str, params: Params | None = None, *, decode: Any, headers: Fields | None = None
    ) -> Answer:
        """As `get_json`, with the whole answer: what was decoded is its `value`."""
        call = self._call("GET", url, params=params, headers=headers, decode=decode)
        answer = await self._run(call)
        if answer.is_success:
            return answer
        said = self.redact(answer.excerpt())
        if answer.status == 404:
            raise self.failures.missing(str(call), said)
        if answer.status == 403:
            raise self.failures.forbidden(str(call), said)
        where = f" to {self.redact(answer.headers['location'])}" if "location" in answer.headers else ""
        raise self.failures.unreadable(str(call), f"HTTP {answer.status}{where}: {said}")

    async def request(
        self,
        method: str,
        url: str,
        *,
        params: Params | None = None,
        json: Any = None,
        form: Fields | bytes | None = None,
        headers: Fields | None = None,
        is_read: bool | None = None,
    ) -> Answer:
        """The answer, whatever its status below 500; what a 4xx means is the caller's to say.

        `json` is encoded by msgspec; a `form` of bytes goes as it is, with its content type among the headers.
        `is_read` marks a request that changes nothing although it is a POST. Raises
        `OutcomeUnknown` at once where a change was sent and its answer was lost or is 500, 502 or 504; `...Unavailable`
        where it is known not to have happened; `CredentialsRefused`.
        """
        body: bytes | Fields | None = form
        further: dict[str, str | SecretStr] = dict(headers or {})
        if json is not None:
            body = msgspec.json.encode(json)
            further.setdefault("Content-Type", "application/json")
        return await self._run(self._call(method, url, params=params, headers=further, body=body, is_read=is_read))

    def _call(  # noqa: PLR0913 these are the parts of a request
        self,
        method: str,
        url: str,
        *,
        params: Params | None = None,
        headers: Fields | None = None,
        body: bytes | Fields | None = None,
        is_read: bool | None = None,
        decode: Any = None,
        authenticated: bool = True,
    ) -> Call:
        whole = url if url.startswith(("http://", "https://")) else f"{self.base_url}/{url.lstrip('/')}"
        if authenticated and whole != self.origin and not whole.startswith(f"{self.origin}/"):
            raise self.failures.unreadable(
                f"{method} {self.redact(whole.partition('?')[0])}",
                "a link leads to another host, where our credentials must not go",
            )
        reads = method in _READS if is_read is None else is_read
        return Call(method, whole, params, headers or {}, body, reads, decode, authenticated)

    async def _run(self, call: Call) -> Answer:
        async with self._slots:
            if not self._answered:
                async with self._first:
                    if not self._answered:
                        answer = await self._with_retries(call)
                        self._answered = True
                        return answer
            return await self._with_retries(call)

    async def _send_form(self, url: str, form: Fields, headers: Fields) -> Answer:
        """For tokens: outside of the slots, since whoever needs the token holds one."""
        call = self._call("POST", url, headers=headers, body=form, is_read=True, authenticated=False)
        return await self._with_retries(call)

    async def _with_retries(self, call: Call) -> Answer:
        tries = 1
        try:
            attempt = await self._attempt(call)
            # Nearly every request succeeds at once, and setting the loop up would cost a tenth of it.
            if _is_retried(call, attempt):
                attempt, tries = await self._again(call, attempt)
        except CredentialsRefused as refusal:
            self._refusal = self._refusal or refusal
            raise
        if attempt.verdict is Verdict.FINAL and attempt.answer is not None:
            return attempt.answer
        raise self._error(call, attempt, tries)

    async def _again(self, call: Call, failed: Attempt) -> tuple[Attempt, int]:
        """Retry after a first attempt that failed; how the last one ended, and how many were made in all."""
        made = [failed]

        async def attempt_once() -> Attempt:
            return made.pop() if made else await self._attempt(call)

        loop = AsyncRetrying(
            sleep=self._sleep,
            retry=lambda state: not _failed(state) and _is_retried(call, _attempt_of(state)),
            wait=self._wait,
            stop=self._stop,
            retry_error_callback=_attempt_of,
        )
        attempt: Attempt = await loop(attempt_once)
        return attempt, int(loop.statistics["attempt_number"])

    async def _attempt(self, call: Call) -> Attempt:
        await self._gate.wait(self._sleep)
        if self._limiter is not None and call.authenticated:
            await self._limiter.acquire()
        if self.limits.budget is None or not call.authenticated:
            return await self._exchanged(call)
        window = await self.limits.budget.spend(call.url, self._sleep)
        answer: Answer | None = None
        try:
            attempt = await self._exchanged(call)
            answer = attempt.answer
        finally:
            self.limits.budget.settle(window, None if answer is None else answer.headers)
        return attempt

    async def _exchanged(self, call: Call) -> Attempt:
        if self._refusal is not None:
            return Attempt(Verdict.REFUSED)
        credentials = await self._auth.headers(self._send_form) if call.authenticated else {}
        if self._refusal is not None:
            return Attempt(Verdict.REFUSED)
        self.requests += 1
        attempt = self._slowed(await self._exchange.send(call, credentials))
        if attempt.told is not None and attempt.told <= self.retry.longest_wait:
            self._gate.close_for(attempt.told)
        if attempt.answer is None or not call.authenticated or not self._refuses(attempt.answer):
            return attempt
        if self._auth.renew(credentials) and not call.renewed:
            call.renewed = True
            return Attempt(Verdict.UNAUTHORIZED, attempt.answer)
        self._refusal = self.failures.refused(str(call), attempt.answer.status, self.redact(attempt.answer.excerpt()))
        return Attempt(Verdict.REFUSED)

    def _slowed(self, attempt: Attempt) -> Attempt:
        """The attempt, or one that is throttled where this system says so in a way of its own."""
        answer = attempt.answer
        if answer is None or attempt.verdict is not Verdict.FINAL or not 400 <= answer.status < 500:
            return attempt
        return throttled(answer) if self._throttles(answer) else attempt

    def _wait(self, state: RetryCallState) -> float:
        attempt = _attempt_of(state)
        if attempt.verdict is Verdict.UNAUTHORIZED:
            return 0.0
        if attempt.too_many_at_once:
            return self.retry.concurrency_backoff()
        return self.retry.backoff(state.attempt_number) if attempt.told is None else attempt.told

    def _stop(self, state: RetryCallState) -> bool:
        most = self.retry.attempts
        if _attempt_of(state).verdict is Verdict.MALFORMED:
            most = min(most, self.retry.malformed_attempts)
        return (
            state.attempt_number >= most
            or state.upcoming_sleep > self.retry.longest_wait
            or state.idle_for + state.upcoming_sleep > self.retry.give_up_after
        )

    def _error(self, call: Call, attempt: Attempt, tries: int) -> UsersyncError:
        what = str(call)
        if self._refusal is not None and attempt.verdict is Verdict.REFUSED:
            first = self._refusal
            return CredentialsRefused(
                first.what, subject=first.subject, not_done=first.not_done, next_step=first.next_step
            )
        if attempt.verdict in {Verdict.MALFORMED, Verdict.UNFIT}:
            return self.failures.unreadable(what, attempt.reason)
        if attempt.verdict is Verdict.LOST and not call.is_read:
            return self.failures.outcome_unknown(what, self.redact(attempt.reason))
        return self.failures.unavailable(what, self.redact(attempt.reason), tries)


def _attempt_of(state: RetryCallState) -> Attempt:
    if state.outcome is None:  # the loop asks only after an attempt
        raise AssertionError("no attempt was made")
    attempt: Attempt = state.outcome.result()
    return attempt


def _failed(state: RetryCallState) -> bool:
    return state.outcome is None or state.outcome.failed


def _is_retried(call: Call, attempt: Attempt) -> bool:
    return attempt.verdict in (_RETRIED_READS if call.is_read else _RETRIED_WRITES)


@lru_cache(maxsize=1)
def _own_version() -> str:
    try:
        return version("bitbucket-usersync")
    except PackageNotFoundError:
        return "0"
