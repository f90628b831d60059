"""From what the ledger knows to HTML. Everything that came from outside is escaped by the templates."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from ledger.runs import Run
from reconcile.explain import kind_title
from reconcile.trend import TrendRun, picture, words
from reconcile.wording import OUTCOMES, count_of_people, way, what_changes
from service.access.refusals import Refusal
from service.access.visit import visit_of

__all__ = ["STYLE", "Bar", "bars", "page", "trend", "trouble_page"]

_FOLDER = Path(__file__).parent
STYLE = _FOLDER / "style.css"
_SVG = re.compile(r'<svg xmlns="([^"]+)" width="(\d+)" height="(\d+)">')
_SIGNS = {
    "succeeded": "well",
    "nothing_to_do": "well",
    "planned": "well",
    "applied": "well",
    "approved": "well",
    "held": "held",
    "rejected": "held",
    "partial": "part",
    "running": "busy",
    "applying": "busy",
    "stored": "plain",
    "superseded": "plain",
}
"""How a status is shown; whatever is not known as good or waiting has failed."""
_MINUTE, _HOUR = 60, 3600


class Bar(NamedTuple):
    name: str
    title: str
    people: int
    percent: float
    """Of the longest."""


def page(request: Request, template: str, *, status: int = HTTPStatus.OK, **given: object) -> Response:
    """A page with what each of them has: who is signed in, and the secret of their forms."""
    visit = visit_of(request)
    scopes = visit.token.scopes if visit.token and visit.session else ()
    shown = {
        "signed_in": visit.token.name if visit.token and visit.session else None,
        "may_run": "run" in scopes,
        "may_approve": "approve" in scopes,
        "csrf": visit.session.csrf if visit.session else "",
        **given,
    }
    return HTMLResponse(_ENVIRONMENT.get_template(template).render(shown), status)


def trouble_page(request: Request, status: int, said: Refusal) -> Response:
    """What went wrong, in words."""
    return page(request, "trouble.html", status=status, trouble=said, number=status)


def trend(runs: Sequence[TrendRun]) -> Markup:
    """The last runs as a picture within the page, with its words for who cannot see it."""
    told = escape(words(runs))

    def fitted(found: re.Match[str]) -> str:
        space, width, height = found.groups()
        return f'<svg xmlns="{space}" role="img" aria-label="{told}" viewBox="0 0 {width} {height}" width="{width}">'

    return Markup(_SVG.sub(fitted, picture(runs)))  # noqa: S704 -- drawn of numbers alone


def bars(counts: Mapping[str, int]) -> list[Bar]:
    """People per outcome, those that need somebody first."""
    longest = max(counts.values(), default=0)
    return [
        Bar(name, title, counts[name], round(100 * counts[name] / longest, 2))
        for name, title in OUTCOMES.items()
        if counts.get(name)
    ]


def _took(run: Run) -> str:
    seconds = ((run.ended_at or datetime.now(UTC)) - run.started_at).total_seconds()
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), _MINUTE)
    return f"{minutes // 60} h {minutes % 60} min" if seconds >= _HOUR else f"{minutes} min {rest} s"


def _applied(run: Run) -> str:
    applied = run.header.get("applied") or {}
    done, total = applied.get("done", 0), sum(applied.values())
    return "" if not total else f"{done:,}" if done == total else f"{done:,} of {total:,}"


def _first_sentence(error: str | None) -> str:
    """Of a run's error, without what is told as the next step."""
    return re.split(r" (?=(?:Not done|Next): )", error or "")[0]


def _done(operations: Iterable[Mapping[str, Any]]) -> str:
    kinds: dict[str, int] = {}
    for one in operations:
        kinds[one["kind"]] = kinds.get(one["kind"], 0) + 1
    return ", ".join(kind_title(kind) + (f" ({count})" if count > 1 else "") for kind, count in kinds.items())


def _instant(when: datetime | None) -> str:
    return "" if when is None else f"{when:%Y-%m-%d %H:%M} UTC"


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(_FOLDER / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters.update(
    applied=_applied,
    done=_done,
    first_sentence=_first_sentence,
    instant=_instant,
    kind=kind_title,
    people=count_of_people,
    sign=lambda status: _SIGNS.get(status, "failed"),
    spoken=lambda name: str(name).replace("_", " "),
    thousands=lambda number: f"{number:,}",
    took=_took,
    what_changes=what_changes,
)
_ENVIRONMENT.globals.update(way=way)
