"""Pictures over HTTP: from the simulated vendors and from addresses, and into the simulated Bitbucket."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from connectors.contract import Picture, PictureSource
from connectors.picture_links import LARGEST, PictureLinks
from connectors.sources.google import GoogleSource
from directory.call import ResetPicture, SetPicture
from directory.errors import CredentialsRefused, NotFound, OperationRefused, UsersyncError
from sandbox.bitbucket import BitbucketSimulator
from sandbox.company import Company
from sandbox.faults import Fault, FaultKind
from sandbox.population import company as found_company
from sandbox.serving import served
from tests.contract.api_description import ApiDescription, description_file
from tests.contract.bitbucket_defects import bitbucket_description
from tests.contract.bitbucket_target_setup import PASSWORD, PASSWORD_VARIABLE, bitbucket, settled, target_for
from tests.contract.entra_stage import MARKED_SECRET, entra
from tests.contract.google_description import google_description
from tests.contract.judged import Judged
from tests.contract.source_contract import QUICK
from tests.contract.test_google_source import google, settings_for, workspace
from tests.contract.test_graph_simulator_spec import ALIASES, DEFECTS
from tests.images import png


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENTRA_SECRET", MARKED_SECRET)
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)


@pytest.fixture
def firm() -> Company:
    return found_company(people=45, groups=4)


async def had(source: PictureSource, ids: list[str], size: int = 96) -> dict[str, Picture]:
    return {external_id: picture async for external_id, picture in source.pictures(ids, size)}


# Entra ID.


async def test_photos_of_entra_come_twenty_a_request_and_a_missing_one_is_none(firm: Company):
    with entra(firm) as (simulator, source, _):
        assert isinstance(source, PictureSource)
        ids = list(simulator.state.users())
        simulator.state.photos = {user_id: png("red", 648) for user_id in ids[:40]}
        found = await had(source, ids)
        await source.close()
    assert found == {**dict.fromkeys(ids[:40], png("red", 648)), **dict.fromkeys(ids[40:], None)}
    assert len([address for address in simulator.batched if "/photos/96x96/" in address]) == len(ids)
    # Who has none was asked a second time: a photo may be narrower than what was asked for.
    assert len([address for address in simulator.batched if "/photo/$value" in address]) == len(ids) - 40
    assert len(simulator.requests) <= 1 + len(ids) // 20 + 2


async def test_a_photo_narrower_than_wanted_comes_as_it_is(firm: Company):
    with entra(firm) as (simulator, source, _):
        (user_id, *_others) = simulator.state.users()
        simulator.state.photos = {user_id: png("red", 64)}
        assert await had(source, [user_id], 1024) == {user_id: png("red", 64)}
        await source.close()


@pytest.mark.parametrize("status", [404, 400, 503])
async def test_a_photo_of_entra_that_fails_is_an_error_and_not_none(firm: Company, status: int):
    with entra(firm) as (simulator, source, _):
        ids = list(simulator.state.users())[:3]
        simulator.state.photos = {user_id: png("red") for user_id in ids}
        simulator.faults.add(Fault(FaultKind.STATUS, f"/users/{ids[1]}/", status=status, times=9))
        found = await had(source, ids)
        await source.close()
    assert (found[ids[0]], found[ids[2]]) == (png("red"), png("red"))
    assert isinstance(found[ids[1]], UsersyncError)


async def test_entra_without_the_permission_refuses_all(firm: Company):
    with entra(firm) as (simulator, source, _):
        ids = list(simulator.state.users())[:3]
        simulator.faults.add(Fault(FaultKind.STATUS, "/photos/", status=403, times=9))
        with pytest.raises(CredentialsRefused):
            await had(source, ids)
        await source.close()


async def test_addresses_of_photos_are_in_graphs_description(firm: Company):
    file = description_file("msgraph-v1.0.users-groups.openapi.json")
    described = ApiDescription.load(file, defects=DEFECTS, aliases=ALIASES)
    with entra(firm) as (simulator, source, _):
        await had(source, list(simulator.state.users())[:2])
        await source.close()
    assert len(simulator.batched) == 4
    for address in simulator.batched:
        described.check_request("GET", address, "")


# Google.


async def test_thumbnails_of_google_come_one_a_request(firm: Company, monkeypatch: pytest.MonkeyPatch):
    api = google_description()
    simulator = workspace(firm)
    ids = list(simulator.state.user_ids())
    # So many lengths that every kind of padding comes up.
    simulator.state.photos = {
        user_id: png("red", 90 + number) + b"." * number for number, user_id in enumerate(ids[:9])
    }
    judged = Judged(simulator.app, api, ignored=("/token",))
    with served(judged) as url:
        source = GoogleSource(settings_for(url, monkeypatch), retry=QUICK)
        assert isinstance(source, PictureSource)
        found = await had(source, ids)
        await source.close()
    judged.verdict()
    assert found == {**dict.fromkeys(ids, None), **simulator.state.photos}


@pytest.mark.parametrize("status", [404, 503])
async def test_a_thumbnail_that_fails_is_an_error_and_not_none(
    firm: Company, monkeypatch: pytest.MonkeyPatch, status: int
):
    with google(firm, monkeypatch) as (simulator, source, _):
        ids = list(simulator.state.user_ids())[:3]
        simulator.faults.add(Fault(FaultKind.STATUS, f"/users/{ids[1]}/photos", status=status, times=9))
        found = await had(source, ids)
        await source.close()
    assert (found[ids[0]], found[ids[2]]) == (None, None)
    assert isinstance(found[ids[1]], UsersyncError)


# Addresses in a column.


@pytest.fixture
def gallery() -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []

    async def photo(request: Request) -> Response:
        asked.append(request.url.path)
        if request.path_params["name"] == "moved":
            return RedirectResponse("/photos/jane")
        if request.path_params["name"] == "endless":
            return Response(b"x" * (LARGEST + 1))
        return Response(png("red")) if request.path_params["name"] == "jane" else Response(status_code=404)

    with served(Starlette(routes=[Route("/photos/{name}", photo)])) as url:
        yield url, asked


async def test_an_address_on_a_host_that_is_named_is_fetched(gallery: tuple[str, list[str]]):
    url, _ = gallery
    async with PictureLinks([url.removeprefix("http://")], schemes=["http"]) as links:
        assert await links.fetch(f"{url}/photos/jane") == png("red")


@pytest.mark.parametrize(
    ("name", "said"), [("moved", "answered 307"), ("endless", "larger than 10 MB"), ("nobody", "answered 404")]
)
async def test_what_is_behind_an_address_and_no_picture_is_an_error(
    gallery: tuple[str, list[str]], name: str, said: str
):
    url, asked = gallery
    async with PictureLinks([url.removeprefix("http://")], schemes=["http"]) as links:
        found = await links.fetch(f"{url}/photos/{name}")
    assert isinstance(found, UsersyncError)
    assert said in str(found)
    assert asked == [f"/photos/{name}"]


@pytest.mark.parametrize(
    ("altered", "said"),
    [
        (lambda url: url, "`pictures.hosts` does not name"),
        (lambda url: url.replace("http:", "ftp:"), "over https alone"),
        (lambda url: url.replace("http:", "file:"), "over https alone"),
        (lambda url: url.replace("//", "//photos.example@"), "`pictures.hosts` does not name"),
        (lambda url: "http://[", "is none"),
    ],
    ids=["other host", "ftp", "file", "user in the address", "broken"],
)
async def test_nothing_else_is_asked(gallery: tuple[str, list[str]], altered: Callable[[str], str], said: str):
    url, asked = gallery
    async with PictureLinks(["photos.example"], schemes=["http"]) as links:
        found = await links.fetch(altered(f"{url}/photos/jane"))
    assert isinstance(found, UsersyncError)
    assert said in str(found)
    assert asked == []


# Bitbucket.


def setting(name: str, content: bytes) -> SetPicture:
    return SetPicture(name, hashlib.sha256(content).hexdigest(), content)


def worn(simulator: BitbucketSimulator, name: str) -> bytes | None:
    user = simulator.state.user(name)
    assert user is not None
    return simulator.state.avatars.get(user.id)


async def test_a_picture_is_set_as_it_is_and_reset_as_described():
    async with bitbucket() as (simulator, _, _url):
        settled(simulator)
        judged = Judged(simulator.app, bitbucket_description(), ignored=())
        with served(judged) as url:
            target = target_for(url)
            # Every byte there is, as a picture may hold it.
            content = png("red") + bytes(range(256)) + b"\r\n--\n\r"
            await target.apply(setting("jane", content))
            assert worn(simulator, "jane") == content
            await target.apply(setting("jane", content))
            await target.apply(ResetPicture("jane"))
            await target.apply(ResetPicture("jane"))
            assert worn(simulator, "jane") is None
            assert not await target.holds(ResetPicture("jane"))
            await target.close()
        judged.verdict()


@pytest.mark.parametrize(
    "content",
    [b"<svg/>", png("red", 1025), png("red") + b"." * 1024 * 1024],
    ids=["no image", "too wide", "too large"],
)
async def test_a_picture_that_bitbucket_does_not_take_is_refused(content: bytes):
    async with bitbucket() as (simulator, target, _):
        settled(simulator)
        with pytest.raises(OperationRefused):
            await target.apply(setting("jane", content))
        assert worn(simulator, "jane") is None


async def test_an_account_that_is_gone_is_not_found():
    async with bitbucket() as (simulator, target, _):
        settled(simulator)
        with pytest.raises(NotFound):
            await target.apply(ResetPicture("nobody"))


async def test_the_own_account_is_spared():
    async with bitbucket() as (_, target, _url):
        with pytest.raises(OperationRefused, match="never touches"):
            await target.apply(setting("admin", png("red")))


@pytest.mark.parametrize("call", [setting("jane", png("red")), ResetPicture("jane")], ids=["set", "reset"])
async def test_a_lost_answer_is_sent_again(call: SetPicture | ResetPicture):
    async with bitbucket() as (simulator, target, _):
        settled(simulator)
        lost = simulator.faults.lose_answer(path="*/avatar.png")
        await target.apply(call)
        assert lost.spent
        assert (worn(simulator, "jane") is None) == isinstance(call, ResetPicture)
