"""Errors that tell a tired administrator what happened, to what, what was not done and what to do next."""

from __future__ import annotations

import copy
import pickle

import pytest

from directory import errors
from directory.errors import (
    AlreadyExists,
    ConfigurationError,
    Fatal,
    Held,
    OperationRefused,
    Retryable,
    Skippable,
    UsersyncError,
)


def test_an_error_reads_as_one_paragraph():
    error = ConfigurationError(
        "the source has no column 'emial'",
        subject="attributes.email",
        not_done="nothing was planned",
        next_step="did you mean 'email'?",
    )
    assert str(error) == (
        "attributes.email: the source has no column 'emial'. Not done: nothing was planned. Next: did you mean 'email'?"
    )
    assert str(Held("the plan is held")) == "the plan is held."


def test_everybody_has_one_consequence():
    consequences = (Retryable, Skippable, Held, Fatal)
    leaves = [getattr(errors, name) for name in errors.__all__]
    for kind in leaves:
        if kind is not UsersyncError:
            assert sum(issubclass(kind, one) for one in consequences) == 1
    assert issubclass(AlreadyExists, OperationRefused)


@pytest.mark.parametrize("name", errors.__all__)
def test_the_tree_in_the_words_above_names_every_error(name: str):
    assert name in (errors.__doc__ or "")


def test_an_error_survives_being_copied_and_pickled():
    error = AlreadyExists("an account of that name is there", subject="account ann", next_step="adopt it")
    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(other) is AlreadyExists
        assert str(other) == str(error)
        assert other.subject == "account ann"
