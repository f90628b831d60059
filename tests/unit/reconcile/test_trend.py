"""The picture of the last runs: parsed as what it is, SVG."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest

from reconcile.plan import KINDS
from reconcile.trend import RUNS_SHOWN, TrendRun, as_markdown, picture, removed_and_other, sign_of, words

BEGAN = datetime(2026, 11, 1, 6, 15, tzinfo=UTC)
NAMESPACE = "{http://www.w3.org/2000/svg}"


def run(
    number: int = 0, *, status: str = "succeeded", given: int = 0, removed: int = 0, seconds: float = 3
) -> TrendRun:
    return TrendRun(BEGAN + timedelta(hours=number), status, given, removed, seconds)


def paths(svg: str) -> dict[str, str]:
    """Outlines by the class of their path."""
    tree = ET.fromstring(svg)
    return {path.attrib["class"]: path.attrib["d"] for path in tree.iter(f"{NAMESPACE}path") if "class" in path.attrib}


def bars(outline: str) -> list[tuple[int, int]]:
    """Place and height of each bar; a height below zero goes up."""
    return [(int(x), int(height)) for x, height in re.findall(r"M(\d+) \d+h\d+v(-?\d+)", outline)]


def test_what_was_given_goes_up_and_what_was_removed_goes_down_in_the_column_of_the_run() -> None:
    drawn = paths(picture([run(0, given=100, removed=25), run(1), run(2, removed=100)]))
    (given,) = bars(drawn["given"])
    first, last = bars(drawn["removed"])
    assert given[1] < 0 < first[1] < last[1]
    assert given[0] == first[0]
    assert last[0] - first[0] == 2 * 18


def test_one_operation_is_seen_beside_a_million() -> None:
    drawn = paths(picture([run(given=1_000_000), run(1, given=1, removed=1)]))
    assert all(abs(height) >= 2 for outline in ("given", "removed") for _, height in bars(drawn[outline]))


def test_runs_that_ended_otherwise_have_a_colour_and_a_shape_of_their_own() -> None:
    svg = picture(
        [run(status="nothing_to_do"), run(1, status="held"), run(2, status="partial"), run(3, status="failed")]
    )
    tree = ET.fromstring(svg)
    signs = {
        path.attrib["class"]: path
        for path in tree.iter(f"{NAMESPACE}path")
        if path.attrib.get("class") in {"well", "held", "part", "failed"}
    }
    assert set(signs) == {"well", "held", "part", "failed"}
    assert len({path.attrib["fill"] for path in signs.values()}) == 4
    assert len({re.sub(r"^M\d+ \d+", "", path.attrib["d"]) for path in signs.values()}) == 4


@pytest.mark.parametrize("status", ["crashed", "failed", "refused", "of a later version"])
def test_what_did_not_end_well_is_never_marked_as_if_it_had(status: str) -> None:
    assert sign_of(status) == "failed"


def test_only_the_last_thirty_are_drawn() -> None:
    many = [run(number, given=5) for number in range(RUNS_SHOWN + 7)]
    assert picture(many) == picture(many[7:])
    assert len(bars(paths(picture(many))["given"])) == RUNS_SHOWN


def test_it_stays_small_and_inside_its_frame() -> None:
    svg = picture([run(n, status="held", given=n * 999_999, removed=7**n, seconds=4000 * n) for n in range(60)])
    assert len(svg) < 5_000
    tree = ET.fromstring(svg)
    width, height = (int(tree.attrib[side]) for side in ("width", "height"))
    for outline in paths(svg).values():
        starts = [(int(x), int(y)) for x, y in re.findall(r"M(\d+) (\d+)", outline)]
        assert all(0 <= x <= width - 12 and 0 <= y <= height for x, y in starts)


def test_no_run_is_a_picture_too() -> None:
    assert words([]) == "No run has ended yet."
    assert paths(picture([])) == {}


def test_words_say_what_the_picture_shows() -> None:
    said = words([run(status="held", seconds=200), run(1, given=1200, removed=3), run(2, status="crashed")])
    assert said == (
        "The last 3 runs, oldest first: 1 ended well, 1 held, 1 failed; 1,200 added or changed, 3 removed; "
        "the longest took 3 min."
    )


def test_the_image_of_the_markdown_is_the_picture_with_its_words() -> None:
    runs = [run(given=3)]
    text = as_markdown(runs)
    found = re.fullmatch(r"!\[([^\]]+)\]\(data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)", text)
    assert found is not None
    assert found[1] == words(runs)
    assert base64.b64decode(found[2]).decode() == picture(runs)


def test_every_kind_is_given_or_removed_but_what_only_usersync_remembers() -> None:
    removed, given = removed_and_other(dict.fromkeys(KINDS, 1))
    assert removed + given == len(KINDS) - 2
    assert removed_and_other({"remove_access": 2, "remove_membership": 3, "create": 1, "update": 1, "leave": 9}) == (
        5,
        2,
    )
