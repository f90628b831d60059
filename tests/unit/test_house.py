"""The house as it is drawn: how long a file may be, what a module may be called, who may know Prefect."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("cli", "connectors", "directory", "flows", "ledger", "reconcile", "sandbox", "service", "tasks")
MOST_LINES = 500
SAYS_NOTHING = {"base", "common", "core", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}
MAY_KNOW_PREFECT = {"cli", "flows", "tasks"}


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def named(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def at_import(node: ast.AST) -> Iterator[ast.AST]:
    """What runs when the module is imported: all but the bodies of functions, and what only a type checker reads."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from at_import(child)


def imported(tree: ast.Module) -> set[str]:
    """The top-level packages that importing the module imports."""
    names: set[str] = set()
    for node in at_import(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


def test_the_packages_are_where_this_test_looks() -> None:
    assert [name for name in PACKAGES if not (ROOT / name / "__init__.py").is_file()] == []
    assert len(sources(*PACKAGES)) > 50


def test_no_file_is_longer_than_a_reader_is_patient() -> None:
    long = [
        f"{path.relative_to(ROOT)}: {count} lines"
        for path in sources(*PACKAGES, "tests", "benchmarks")
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    ]
    assert long == []


def test_every_module_is_called_after_what_it_is_about() -> None:
    paths = sources(*PACKAGES, "tests", "benchmarks")
    vague = [
        path for path in paths if SAYS_NOTHING & {part.lower() for part in path.relative_to(ROOT).with_suffix("").parts}
    ]
    assert named(vague) == []


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {path.parent for path in sources(*PACKAGES, "tests")}
    assert named(sorted(folder for folder in folders if not (folder / "__init__.py").is_file())) == []


def test_every_package_says_what_it_is_and_what_it_offers() -> None:
    silent = []
    for path in sources(*PACKAGES):
        if path.name != "__init__.py":
            continue
        tree = parsed(path)
        names = {
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        passes_on = any(isinstance(node, ast.ImportFrom) and node.module != "__future__" for node in tree.body)
        if ast.get_docstring(tree) is None or (passes_on and "__all__" not in names):
            silent.append(path)
    assert named(silent) == []


def test_every_module_says_what_it_is_about() -> None:
    assert named([path for path in sources(*PACKAGES) if ast.get_docstring(parsed(path)) is None]) == []


def test_only_flows_tasks_and_the_command_line_import_prefect() -> None:
    others = [name for name in PACKAGES if name not in MAY_KNOW_PREFECT]
    found = named([path for path in sources(*others) if "prefect" in imported(parsed(path))])
    assert found == ["connectors/blocks.py"], "the one module that offers forms for credentials"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import prefect.states", {"prefect"}),
        ("from prefect import flow", {"prefect"}),
        ("try:\n    import prefect\nexcept ImportError:\n    pass", {"prefect"}),
        ("class A:\n    import prefect", {"prefect"}),
        ("def f():\n    import prefect", set()),
        ("if TYPE_CHECKING:\n    import prefect", set()),
        ("import prefect_like", {"prefect_like"}),
    ],
)
def test_imports_are_found_wherever_they_run(text: str, found: set[str]) -> None:
    assert imported(ast.parse(text)) == found
