"""The last runs of a sync as a picture: what each changed, how it ended, how long it took.

An SVG of a few kilobytes without a style sheet or a script, so that it may stand as a `data:` address in the markdown
of an artifact. Both of Prefect's user interfaces show such a picture, and neither shows SVG that is written into the
markdown itself (measured in Chromium with Prefect 3.8.8). A picture does not learn which theme the page has: its greys
are as far from white as from black.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from reconcile.plan import REMOVING

__all__ = ["RUNS_SHOWN", "Sign", "TrendRun", "as_markdown", "picture", "removed_and_other", "sign_of", "words"]

RUNS_SHOWN = 30

Sign = Literal["well", "held", "part", "failed"]

_SIGNS: dict[str, Sign] = {
    "succeeded": "well",
    "nothing_to_do": "well",
    "planned": "well",
    "held": "held",
    "rejected": "held",
    "partial": "part",
}
_UNSAID = frozenset({"leave", "release"})
"""Kinds that change what usersync remembers, and nothing in the target."""
_REMOVING = REMOVING - _UNSAID


@dataclass(frozen=True)
class TrendRun:
    """One run as the picture shows it."""

    began: datetime
    status: str
    given: int
    """Acknowledged operations that add or change."""
    removed: int
    """Acknowledged operations that take away."""
    seconds: float


def sign_of(status: str) -> Sign:
    """How a run of that status is marked; whatever is not known as good or waiting has failed."""
    return _SIGNS.get(status, "failed")


def removed_and_other(done: dict[str, int]) -> tuple[int, int]:
    """Of acknowledged operations per kind: how many take away, and how many add or change."""
    removed = sum(count for kind, count in done.items() if kind in _REMOVING)
    return removed, sum(count for kind, count in done.items() if kind not in _UNSAID) - removed


_STEP, _BAR, _LEFT = 18, 12, 100
_BASE, _TALL = 64, 48
"""The line from which bars go up for what was given and down for what was removed, and the tallest bar."""
_DOWN = 32
_SIGN_LINE, _TIME_LINE, _FOOT = 116, 148, 166
_HEIGHT = 188
_WIDTH = _LEFT + RUNS_SHOWN * _STEP + 8
_GREY = "#767676"
_COLOURS: dict[Sign, str] = {"well": "#2da44e", "held": "#bf8700", "part": "#bf5af2", "failed": "#d1242f"}
_MEANING: dict[Sign, str] = {"well": "well", "held": "held", "part": "in part", "failed": "failed"}


def picture(runs: Sequence[TrendRun]) -> str:
    """The runs, oldest first, as SVG; of more than `RUNS_SHOWN` the last. Bars grow with the logarithm, so that
    a first run of thousands leaves those of a few visible."""
    shown = runs[-RUNS_SHOWN:]
    most_given, most_removed = (max((getattr(run, what) for run in shown), default=0) for what in ("given", "removed"))
    longest = max((run.seconds for run in shown), default=0.0)
    columns = [(_LEFT + number * _STEP, run) for number, run in enumerate(shown)]
    most = max(most_given, most_removed)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}">',
        f'<g font-family="sans-serif" font-size="11" fill="{_GREY}">',
        f"<title>{words(shown)}</title>",
        _bars("given", "#3b82f6", ((x, _BASE, -_length(run.given, most, _TALL)) for x, run in columns)),
        _bars("removed", "#e16f24", ((x, _BASE + 1, _length(run.removed, most, _DOWN)) for x, run in columns)),
        _bars("time", _GREY, ((x, _TIME_LINE, -_length(run.seconds, longest, 18)) for x, run in columns)),
        f'<path d="M{_LEFT} {_BASE}.5H{_WIDTH - 8}" stroke="{_GREY}" stroke-width="1"/>',
    ]
    for sign in _MEANING:
        outlines = "".join(
            _outline(sign, x + _BAR // 2, _SIGN_LINE) for x, run in columns if sign_of(run.status) == sign
        )
        if outlines:
            parts.append(f'<path class="{sign}" fill="{_COLOURS[sign]}" d="{outlines}"/>')
    parts += [
        _text(4, _BASE - 30, "added, changed:"),
        _text(4, _BASE - 17, f"at most {_short(most_given)}"),
        _text(4, _BASE + 14, "removed:"),
        _text(4, _BASE + 27, f"at most {_short(most_removed)}"),
        _text(4, _SIGN_LINE + 4, "ended"),
        _text(4, _TIME_LINE - 9, "took"),
        _text(4, _TIME_LINE + 4, f"at most {_span(longest)}"),
    ]
    if shown:
        parts.append(_text(_LEFT, _FOOT, f"{shown[0].began:%Y-%m-%d %H:%M}"))
        if len(shown) > RUNS_SHOWN // 2:
            last = columns[-1][0] + _BAR
            parts.append(_text(last, _FOOT, f"{shown[-1].began:%Y-%m-%d %H:%M}", anchor="end"))
    x = _LEFT
    for sign, meaning in _MEANING.items():
        parts.append(f'<path fill="{_COLOURS[sign]}" d="{_outline(sign, x + 5, _HEIGHT - 9)}"/>')
        parts.append(_text(x + 14, _HEIGHT - 5, meaning))
        x += 70
    return "".join([*parts, "</g></svg>"])


def words(runs: Sequence[TrendRun]) -> str:
    """What the picture shows, for who cannot see it."""
    if not runs:
        return "No run has ended yet."
    counts = {sign: sum(sign_of(run.status) == sign for run in runs) for sign in _MEANING}
    told = {"well": "ended well", "held": "held", "part": "applied in part", "failed": "failed"}
    ends = ", ".join(f"{count} {told[sign]}" for sign, count in counts.items() if count)
    given, removed = sum(run.given for run in runs), sum(run.removed for run in runs)
    many = "The only run" if len(runs) == 1 else f"The last {len(runs)} runs, oldest first"
    longest = _span(max(run.seconds for run in runs))
    return f"{many}: {ends}; {given:,} added or changed, {removed:,} removed; the longest took {longest}."


def as_markdown(runs: Sequence[TrendRun]) -> str:
    """The picture as an image of a markdown text."""
    drawn = base64.b64encode(picture(runs).encode()).decode()
    return f"![{words(runs[-RUNS_SHOWN:])}](data:image/svg+xml;base64,{drawn})"


def _length(count: float, most: float, longest: int) -> int:
    """Nothing only for nothing."""
    return 0 if count <= 0 or most <= 0 else max(2, round(longest * math.log1p(count) / math.log1p(most)))


def _bars(name: str, colour: str, bars: Iterable[tuple[int, int, int]]) -> str:
    outlines = "".join(f"M{x} {y}h{_BAR}v{length}h-{_BAR}z" for x, y, length in bars if length)
    return f'<path class="{name}" fill="{colour}" d="{outlines}"/>' if outlines else ""


def _outline(sign: Sign, x: int, y: int) -> str:
    """Told apart without colours: a dot, a square, a triangle, a cross."""
    if sign == "well":
        return f"M{x - 3} {y}a3 3 0 1 0 6 0a3 3 0 1 0-6 0z"
    if sign == "held":
        return f"M{x - 5} {y - 5}h10v10h-10z"
    if sign == "part":
        return f"M{x} {y - 6}l6 11h-12z"
    return f"M{x - 6} {y - 4}l2-2 4 4 4-4 2 2-4 4 4 4-2 2-4-4-4 4-2-2 4-4z"


def _text(x: int, y: int, said: str, *, anchor: str = "start") -> str:
    place = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{x}" y="{y}"{place}>{said}</text>'


_THOUSAND = 10_000


def _short(count: int) -> str:
    return f"{count:,}" if count < _THOUSAND else f"{count / 1000:.0f}k"


_MINUTE, _HOUR = 60, 3600
_SECONDS_TOLD = 120


def _span(seconds: float) -> str:
    if seconds < _SECONDS_TOLD:
        return f"{seconds:.0f} s"
    return f"{seconds / _MINUTE:.0f} min" if seconds < _HOUR else f"{seconds / _HOUR:.1f} h"
