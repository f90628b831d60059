"""`usersync test`."""

# ruff: noqa: FBT002, PLC0415 -- Typer's options are such defaults; a command imports what it needs when it runs

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import AsJson, SyncArgument

if TYPE_CHECKING:
    from rich.text import Text

    from tasks.cases import CaseResult

__all__ = ["judge"]


def judge(
    sync: SyncArgument,
    cases: Annotated[
        Path | None,
        typer.Option("--cases", metavar="FOLDER", help="Where the cases are; beside the sync file, if not given."),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write a JUnit report too, for a CI server.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Judge the cases beside a sync file: people in, accounts and groups out. Nothing is asked over a network."""
    from dataclasses import asdict

    from cli.output import answers, say, whole_json, width_of
    from tasks.cases import folder_beside, judge_cases
    from tasks.sync_file import load_sync_file
    from tasks.workshop import find_sync_file

    path = find_sync_file(sync)
    judged = judge_cases(cases or folder_beside(path), load_sync_file(path).policy)
    if junit is not None:
        _write_junit(junit, path.stem, judged)
    if as_json:
        whole_json([asdict(result) for result in judged])
    else:
        console = answers()
        say(console, _lines(judged, width_of(console)))
    raise typer.Exit(1 if any(result.failures for result in judged) else 0)


def _lines(judged: list[CaseResult], width: int | None) -> Iterator[Text]:
    from rich.text import Text

    from cli.render.grid import labelled, safe

    longest = max(len(result.name) for result in judged)
    for result in judged:
        word, style = ("FAILED", "bold red") if result.failures else ("holds", "green")
        name = f"{safe(result.name):<{longest}}"
        yield Text.assemble((f"{word:<8}", style), (name, "bold"), safe(f"  {result.about}") if result.about else "")
        for failure in result.failures:
            yield from labelled("", f"· {failure}", width=width)
    failed = sum(bool(result.failures) for result in judged)
    yield Text()
    verdict = f"{failed} of {len(judged)} cases failed" if failed else f"all {len(judged)} cases hold"
    yield Text(verdict, style="bold red" if failed else "bold")


def _write_junit(path: Path, sync: str, judged: list[CaseResult]) -> None:
    import xml.etree.ElementTree as ET

    failed = sum(bool(result.failures) for result in judged)
    suite = ET.Element("testsuite", name=sync, tests=str(len(judged)), failures=str(failed))
    for result in judged:
        case = ET.SubElement(suite, "testcase", classname=sync, name=result.name, file=result.path)
        if result.failures:
            ET.SubElement(case, "failure", message=result.failures[0]).text = "\n".join(result.failures)
    ET.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)
