"""A YAML file and the line of everything in it, so that a mistake is told with its place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from connectors.problems import Problem
from directory.errors import ConfigurationError

__all__ = ["LocatedYaml", "Place", "read_yaml"]

Place = tuple[str | int, ...]
"""Keys and list indices, from the whole file down."""


@dataclass(frozen=True)
class LocatedYaml:
    path: Path
    raw: dict[str, Any]
    lines: dict[Place, int]

    def told(self, problem: Problem) -> str:
        """The problem in one line, with the file and the line of what is nearest to its place."""
        place = problem.place
        while place not in self.lines:
            place = place[:-1]
        return f"{self.path} line {self.lines[place]}: {problem.under()}"


def read_yaml(path: Path, *, what: str, not_done: str, instead: str) -> LocatedYaml:
    """Read a file that holds sections. `what` it is and what to do `instead` stand in errors.

    Raises `ConfigurationError` where it cannot be read, is not YAML, holds no sections, or a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(
            f"the {what} cannot be read ({reason})", subject=str(path), not_done=not_done, next_step=instead
        ) from None
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ConfigurationError(
            f"this is not YAML: {getattr(error, 'problem', None) or error}",
            subject=f"{path} line {mark.line + 1}" if mark else str(path),
            not_done=not_done,
            next_step="mend the file",
        ) from None
    if not isinstance(raw, dict) or node is None:
        raise ConfigurationError("the file holds no sections", subject=str(path), not_done=not_done, next_step=instead)
    lines: dict[Place, int] = {}
    _walk(path, node, (), lines, not_done)
    return LocatedYaml(path, raw, lines)


def _walk(path: Path, node: yaml.Node, place: Place, lines: dict[Place, int], not_done: str) -> None:
    lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*place, key.value)
            if inner in lines:
                raise ConfigurationError(
                    f"the key {'.'.join(map(str, inner))} stands in line {lines[inner]} already; only one would count",
                    subject=f"{path} line {key.start_mark.line + 1}",
                    not_done=not_done,
                    next_step="remove one of the two",
                )
            lines[inner] = key.start_mark.line + 1
            _walk(path, value, inner, lines, not_done)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _walk(path, item, (*place, index), lines, not_done)
