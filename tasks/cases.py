"""The cases that stand beside a sync file: read, checked whole, and judged one by one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from connectors.problems import problems
from directory.errors import ConfigurationError
from reconcile.cases import Case, failures_of
from reconcile.policy import Policy
from tasks.located_yaml import read_yaml

__all__ = ["CaseResult", "folder_beside", "judge_cases"]

_NOTHING_DONE = "no case was judged"


@dataclass(frozen=True)
class CaseResult:
    name: str
    path: str
    about: str | None
    failures: tuple[str, ...]
    """What came out otherwise than expected; empty where the case holds."""


def folder_beside(sync_file: Path) -> Path:
    """Where the cases of a sync file are: `syncs/okta.cases` for `syncs/okta.yaml`."""
    return sync_file.with_suffix(".cases")


def judge_cases(folder: Path, policy: Policy) -> list[CaseResult]:
    """Judge every `*.yaml` of a folder, in the order of their names.

    Raises `ConfigurationError` where there is none, or with every mistake of every file, a line each.
    """
    paths = sorted(folder.glob("*.yaml")) if folder.is_dir() else []
    if not paths:
        raise ConfigurationError(
            "there is no case to judge" if folder.is_dir() else "there is no such folder",
            subject=str(folder),
            not_done=_NOTHING_DONE,
            next_step="put a case there, such as those in syncs/okta.cases; docs/policy-tests.md tells what it holds",
        )
    cases, mistakes = [], []
    for path in paths:
        page = read_yaml(path, what="case", not_done=_NOTHING_DONE, instead="start from one in syncs/okta.cases")
        try:
            cases.append((path, Case.model_validate(page.raw)))
        except ValidationError as error:
            mistakes += [page.told(problem) for problem in problems(error, Case)]
    if mistakes:
        raise ConfigurationError(
            "\n".join(mistakes),
            not_done=_NOTHING_DONE,
            next_step="mend the cases; `usersync schema case` prints what one may hold",
        )
    return [CaseResult(path.stem, str(path), case.about, _judged(path, case, policy)) for path, case in cases]


def _judged(path: Path, case: Case, policy: Policy) -> tuple[str, ...]:
    try:
        return failures_of(case, policy)
    except ConfigurationError as error:
        raise ConfigurationError(
            f"{error.subject}: {error.what}" if error.subject else error.what,
            subject=str(path),
            not_done=_NOTHING_DONE,
            next_step=f"give the attribute to somebody in the case, or mend the sync file ({error.next_step})",
        ) from None
