"""A step of the pipeline: a Prefect task inside a flow run, a plain function outside of one.

Prefect's throw-away server costs some 20 seconds a process and forgets the last task runs when it ends (measured, see
docs/decisions), so the command line and the demo run the same steps without it. Prefect is imported by flows alone.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from functools import cached_property, partial, update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar

from directory.errors import Retryable

__all__ = ["Step", "in_flow_run", "step"]

P = ParamSpec("P")
R = TypeVar("R")

RETRY_DELAYS = [10.0, 60.0]
"""Seconds between the tries of a task that talks to a system. The connector has retried each request by then, so what
is left is an outage of minutes."""


def in_flow_run() -> bool:
    """Whether the caller runs inside a Prefect flow run."""
    context = sys.modules.get("prefect.context")
    return context is not None and context.FlowRunContext.get() is not None


class Step(Generic[P, R]):
    def __init__(self, function: Callable[P, Awaitable[R]], *, retries: int, shown: bool) -> None:
        self.function = function
        self.retries = retries
        self.shown = shown
        update_wrapper(self, function)

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        if self.shown and in_flow_run():
            result: R = await self.task(partial(self.function, *args, **kwargs))
            return result
        return await self.function(*args, **kwargs)

    @cached_property
    def task(self) -> Any:
        """The step as a Prefect task of one argument: the call to make.

        Prefect looks into arguments for results of other tasks, container by container; in a thousand batches of calls
        that takes longer than the rest of its work. A partial it leaves alone. Nothing is hashed, cached or stored.
        """
        from prefect import task  # noqa: PLC0415 - costs two seconds, and only a flow run needs it
        from prefect.cache_policies import NO_CACHE  # noqa: PLC0415

        async def run(call: Callable[[], Awaitable[R]]) -> R:
            return await call()

        run.__qualname__ = self.function.__qualname__
        return task(
            name=self.function.__name__.replace("_", "-"),
            description=self.function.__doc__,
            retries=self.retries,
            retry_delay_seconds=RETRY_DELAYS[: self.retries],
            retry_condition_fn=_worth_another_try,
            cache_policy=NO_CACHE,
            persist_result=False,
            log_prints=False,
        )(run)


def step(*, retries: int = 0, shown: bool = True) -> Callable[[Callable[P, Awaitable[R]]], Step[P, R]]:
    """Make a step of an async function. `retries` counts further tries after an error that is `Retryable`.

    One that is not `shown` is no task run: for what asks nobody or is not tried again as a whole. A task run is
    three events, which take some 20 kB of Prefect's database until they are forgotten (measured with 3.8.8).
    """

    def decorate(function: Callable[P, Awaitable[R]]) -> Step[P, R]:
        return Step(function, retries=retries, shown=shown)

    return decorate


async def _worth_another_try(_task: Any, _task_run: Any, state: Any) -> bool:
    error = await state.aresult(raise_on_failure=False)
    return isinstance(error, Retryable)
