"""A list is read to its proven end, or the read fails."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connectors.http.client import HttpClient
from connectors.http.exchange import Params
from connectors.http.failures import Side
from connectors.http.paging import LinkHeader, NextPageStart, Offset, Strategy, pages
from connectors.http.retry import RetryPolicy
from directory.errors import SourceUnavailable, SourceUnreadable, TargetUnreadable
from tests.unit.connectors.http.small_server import Handler, Sleeps, SmallServer, answering, ok, status


async def read(
    server: SmallServer, strategy: Strategy[int], params: Params | None = None, side: Side = "source"
) -> list[int]:
    retry = RetryPolicy(attempts=2)
    async with HttpClient(server.url, name="x", side=side, sleep=Sleeps(), retry=retry) as client:
        return [row async for page in pages(client, "/rows", strategy, params) for row in page]


def linked(rows: list[int], *links: str) -> Response:
    """Each link on a header line of its own, as Okta sends them."""
    response = JSONResponse(rows)
    for link in links:
        response.headers.append("Link", link)
    return response


def by_link(rows: list[int], size: int) -> Handler:
    def answer(request: Request) -> Response:
        after = int(request.query_params.get("after", 0))
        base = f"{request.url.scheme}://{request.url.netloc}/rows"
        links = [f'<{base}?limit={size}&after={after}>; rel="self"']
        if after + size < len(rows):
            links.append(f'<{base}?limit={size}&after={after + size}>; rel="next"')
        return linked(rows[after : after + size], *links)

    return answer


async def test_links_on_several_header_lines_are_followed_to_the_end():
    with answering(by_link(list(range(25)), 10)) as server:
        assert await read(server, LinkHeader(int), {"limit": 10, "search": "status pr"}) == list(range(25))
        assert [asked.query for asked in server.asked] == [
            "limit=10&search=status%20pr",
            "limit=10&after=10",
            "limit=10&after=20",
        ]


async def test_links_on_one_header_line_are_told_apart():
    def answer(request: Request) -> Response:
        if "p" in request.query_params:
            return ok([2])
        base = f"http://{request.url.netloc}/rows"
        return linked([1], f'<{base}?x=1,2>; rel="self", <{base}?p=2>; rel="next"; title="a, b"')

    with answering(answer) as server:
        assert await read(server, LinkHeader(int)) == [1, 2]


async def test_an_empty_list_is_one_request_and_no_rows():
    with answering(ok([])) as server:
        assert await read(server, LinkHeader(int)) == []
        assert len(server.asked) == 1


async def test_an_empty_page_in_the_middle_does_not_end_the_list():
    def answer(request: Request) -> Response:
        page = int(request.query_params.get("p", 0))
        link = f'<http://{request.url.netloc}/rows?p={page + 1}>; rel="next"'
        return linked([[1], [], [3]][page], *([link] if page < 2 else []))

    with answering(answer) as server:
        assert await read(server, LinkHeader(int)) == [1, 3]


async def test_a_next_link_that_was_followed_already_is_noticed():
    def answer(request: Request) -> Response:
        page = int(request.query_params.get("p", 0))
        return linked([page], f'<http://{request.url.netloc}/rows?p={1 if page == 2 else page + 1}>; rel="next"')

    with answering(answer) as server:
        with pytest.raises(SourceUnreadable, match="read already"):
            await read(server, LinkHeader(int))
        assert len(server.asked) == 3


async def test_a_page_that_comes_again_under_another_link_is_noticed():
    def answer(request: Request) -> Response:
        page = int(request.query_params.get("p", 0))
        return linked([1, 2], f'<http://{request.url.netloc}/rows?p={page + 1}>; rel="next"')

    with answering(answer) as server, pytest.raises(SourceUnreadable, match="second time"):
        await read(server, LinkHeader(int))


async def test_a_chain_of_empty_pages_without_an_end_is_noticed():
    def answer(request: Request) -> Response:
        page = int(request.query_params.get("p", 0))
        return linked([], f'<http://{request.url.netloc}/rows?p={page + 1}>; rel="next"')

    with answering(answer) as server, pytest.raises(SourceUnreadable, match="does not end"):
        await read(server, LinkHeader(int))


async def test_a_next_link_to_another_host_is_not_followed_with_our_credentials():
    with (
        answering(linked([1], '<https://evil.example/rows?p=2>; rel="next"')) as server,
        pytest.raises(SourceUnreadable, match="another host"),
    ):
        await read(server, LinkHeader(int))


async def test_a_page_that_fails_for_good_fails_the_read():
    def answer(request: Request) -> Response:
        if "p" in request.query_params:
            return status(500)
        return linked([1], f'<http://{request.url.netloc}/rows?p=2>; rel="next"')

    with answering(answer) as server, pytest.raises(SourceUnavailable):
        await read(server, LinkHeader(int))


def by_offset(rows: list[int]) -> Handler:
    def answer(request: Request) -> Response:
        first, most = int(request.query_params["first"]), int(request.query_params["max"])
        return ok(rows[first : first + most])

    return answer


@pytest.mark.parametrize(("count", "requests"), [(0, 1), (7, 1), (10, 2), (25, 3)])
async def test_offsets_are_counted_until_a_page_is_not_full(count, requests):
    with answering(by_offset(list(range(count)))) as server:
        assert await read(server, Offset(int, 10)) == list(range(count))
        assert len(server.asked) == requests


async def test_a_short_page_in_the_middle_does_not_end_a_list_read_until_it_is_empty():
    def answer(request: Request) -> Response:
        return ok({"0": [1, 2], "3": [3], "6": []}[request.query_params["first"]])

    with answering(answer) as server:
        assert await read(server, Offset(int, 3, until_empty=True)) == [1, 2, 3]


async def test_a_server_that_ignores_the_offset_is_noticed():
    with answering(ok(list(range(10)))) as server, pytest.raises(SourceUnreadable, match="second time"):
        await read(server, Offset(int, 10))


def page(values: list[int], **rest: int) -> Response:
    return ok({"values": values, "isLastPage": "nextPageStart" not in rest, **rest})


async def test_the_next_page_start_is_the_servers_and_never_counted():
    with answering(page([1, 2], nextPageStart=7), page([], nextPageStart=9), page([3])) as server:
        assert await read(server, NextPageStart(int, 1000), {"filter": "a"}, side="target") == [1, 2, 3]
        assert [asked.query for asked in server.asked] == [f"filter=a&start={start}&limit=1000" for start in (0, 7, 9)]


async def test_a_page_that_is_not_the_last_one_but_names_no_next_one_fails_the_read():
    with (
        answering(ok({"values": [1], "isLastPage": False})) as server,
        pytest.raises(TargetUnreadable, match="names no next one"),
    ):
        await read(server, NextPageStart(int, 25), side="target")


async def test_a_next_page_start_that_goes_round_in_circles_is_noticed():
    with (
        answering(page([1], nextPageStart=5), page([2], nextPageStart=0)) as server,
        pytest.raises(TargetUnreadable, match="read already"),
    ):
        await read(server, NextPageStart(int, 25), side="target")
