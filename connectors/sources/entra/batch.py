"""Many small requests in few: up to twenty go into one `POST /$batch`, and each answer is judged by itself.

Graph, "Combine multiple HTTP requests using JSON batching". The answer to the batch is 200 even where requests in it
were throttled; those, and only those, are sent again, after the time that they were told.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from connectors.http.client import HttpClient
from connectors.http.ratelimit import Gate
from connectors.http.retry import seconds_to_wait
from directory.errors import CredentialsRefused, UsersyncError

__all__ = ["Batches", "Job"]

MOST: Final = 20
_RETRIED: Final = frozenset({401, 424, 429, 500, 502, 503, 504})


@dataclass
class Job:
    """One request. `then` gets the decoded body, or None for a 404, and may ask for more."""

    url: str
    """Below `/v1.0`, beginning with a slash."""
    decode: Any
    then: Callable[[Any], Iterable[Job]]
    headers: dict[str, str] = field(default_factory=dict)
    absent: str | None = None
    """The code of Graph that says that there is nothing; another 404 is an error then."""
    failed: Callable[[UsersyncError], None] | None = None
    """Told of an error that concerns this request alone, instead of ending all."""
    tries: int = 0
    unauthorized: int = 0
    waited: float = 0.0


class _Inner(msgspec.Struct):
    id: str
    status: int
    headers: dict[str, str] = {}
    body: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"null"))


class _Batch(msgspec.Struct):
    responses: list[_Inner]


class _Queue:
    """What waits to be asked, and how many batches are under way."""

    def __init__(self, waiting: deque[Job]) -> None:
        self._waiting = waiting
        self._changed = asyncio.Condition()
        self._under_way = 0

    async def take(self) -> list[Job]:
        """The next batch; empty at the end."""
        async with self._changed:
            await self._changed.wait_for(self._is_ready)
            taken = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
            self._under_way += bool(taken)
            return taken

    async def settle(self, more: Iterable[Job]) -> None:
        """A batch was answered, and brought more to ask."""
        async with self._changed:
            self._under_way -= 1
            self._waiting.extend(more)
            self._changed.notify_all()

    def _is_ready(self) -> bool:
        return len(self._waiting) >= MOST or self._under_way == 0


class Batches:
    """A batch that is not full is sent only when no other is under way, since an answer may bring more requests."""

    def __init__(self, client: HttpClient, sleep: Callable[[float], Awaitable[None]], workers: int) -> None:
        self._client = client
        self._sleep = sleep
        self._workers = workers
        self._gate = Gate()

    async def run(self, jobs: Iterable[Job]) -> None:
        """Until every job, and all that they asked for, is done.

        Raises as `HttpClient.get_json` does, but for a 404, which `then` is told.
        """
        queue = _Queue(deque(jobs))
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._workers):
                tasks.create_task(self._work(queue))

    async def _work(self, queue: _Queue) -> None:
        while taken := await queue.take():
            more: list[Job] = []
            try:
                more = await self._send(taken)
            finally:
                await queue.settle(more)

    async def _send(self, jobs: list[Job]) -> list[Job]:
        """What is left to ask: jobs that must be tried again, and those that the answers brought."""
        await self._gate.wait(self._sleep)
        answers = {answer.id: answer for answer in (await self._post(jobs)).responses}
        left: list[Job] = []
        for number, job in enumerate(jobs):
            job.tries += 1
            left += self._settled(job, answers.get(str(number)))
        return left

    async def _post(self, jobs: list[Job]) -> _Batch:
        requests = [
            {"id": str(number), "method": "GET", "url": job.url, **({"headers": job.headers} if job.headers else {})}
            for number, job in enumerate(jobs)
        ]
        failures = self._client.failures
        reason = ""
        for _ in range(self._client.retry.malformed_attempts):
            answer = await self._client.request("POST", "/v1.0/$batch", json={"requests": requests}, is_read=True)
            said = self._client.redact(answer.excerpt())
            if answer.status == 403:
                raise failures.forbidden("POST $batch", said)
            if not answer.is_success:
                raise failures.unreadable("POST $batch", f"HTTP {answer.status}: {said}")
            try:
                return answer.json(_Batch)
            except msgspec.ValidationError as error:
                raise failures.unreadable("POST $batch", str(error)) from None
            except msgspec.DecodeError as error:
                reason = f"no whole JSON ({error})"
        raise failures.unreadable("POST $batch", reason)

    def _settled(self, job: Job, answer: _Inner | None) -> Iterable[Job]:
        try:
            return self._judged(job, answer)
        except CredentialsRefused:
            raise
        except UsersyncError as error:
            if job.failed is None:
                raise
            job.failed(error)
            return ()

    def _judged(self, job: Job, answer: _Inner | None) -> Iterable[Job]:
        failures, what = self._client.failures, f"GET {job.url.partition('?')[0]}"
        if answer is None:
            return self._again(job, "the batch holds no answer to it", None)
        if 200 <= answer.status < 300:
            try:
                return job.then(msgspec.json.decode(answer.body, type=job.decode))
            except msgspec.DecodeError as error:
                raise failures.unreadable(what, str(error)) from None
        if answer.status == 404 and (job.absent is None or job.absent.encode() in bytes(answer.body)):
            return job.then(None)
        said = self._client.redact(" ".join(bytes(answer.body).decode("utf-8", "replace").split())[:200])
        if answer.status == 401:
            job.unauthorized += 1
        if answer.status == 403:
            raise failures.forbidden(what, said)
        if job.unauthorized > 1:
            raise failures.refused(what, answer.status, said)
        if answer.status not in _RETRIED:
            raise failures.unreadable(what, f"HTTP {answer.status}: {said}")
        told = seconds_to_wait({name.lower(): value for name, value in answer.headers.items()})
        # The next batch meets a 401 of its own, and the client renews the token.
        return self._again(job, f"HTTP {answer.status}", 0.0 if answer.status == 401 else told)

    def _again(self, job: Job, reason: str, told: float | None) -> list[Job]:
        retry = self._client.retry
        wait = retry.backoff(job.tries) if told is None else told
        job.waited += wait
        if job.tries >= retry.attempts or wait > retry.longest_wait or job.waited > retry.give_up_after:
            raise self._client.failures.unavailable(f"GET {job.url.partition('?')[0]}", reason, job.tries)
        self._gate.close_for(wait)
        return [job]
