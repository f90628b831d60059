"""Several requests at a time: what one failure, which cancelled the rest, says on its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["first_of", "one_plain_failure"]


@contextmanager
def one_plain_failure() -> Iterator[None]:
    """Raises the first failure of a task group in place of the group. An interruption passes as it is."""
    try:
        yield
    except ExceptionGroup as failures:
        raise first_of(failures) from None


def first_of(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first failure itself, however deep the groups are nested."""
    failure = failures.exceptions[0]
    return first_of(failure) if isinstance(failure, BaseExceptionGroup) else failure
