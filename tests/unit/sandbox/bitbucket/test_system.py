from __future__ import annotations

import struct

import httpx
import pytest

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"


@pytest.mark.parametrize(("version", "build"), [("6.10.0", "6010000"), ("9.4.1", "9004001"), ("8.14", "8014000")])
@pytest.mark.parametrize("api", ["1.0", "latest"])
def test_the_version_is_told_to_anybody_under_both_names_of_the_api(launch, version, build, api):
    bitbucket = launch(version=version)
    answer = httpx.get(f"{bitbucket.base_url}/rest/api/{api}/application-properties")

    assert answer.headers["content-type"] == "application/json;charset=UTF-8"
    assert answer.json() == {
        "version": version,
        "buildNumber": build,
        "buildDate": "1578626301641",
        "displayName": "Bitbucket",
    }


def test_the_state_of_the_server_is_told_to_anybody(bitbucket):
    assert httpx.get(f"{bitbucket.base_url}/status").json() == {"state": "RUNNING"}


@pytest.mark.parametrize(
    "path", ["/rest/api/latest/nope", "/rest/api/2.0/users", "/rest/nope", "/nope", "/rest/api/latest/users/a/b"]
)
def test_an_unknown_route_is_a_404_without_a_body(bitbucket, path):
    answer = bitbucket.http.get(f"{bitbucket.base_url}{path}")

    assert (answer.status_code, answer.content) == (404, b"")


def test_a_known_route_with_another_method_is_a_405(bitbucket):
    assert bitbucket.http.delete("/users").status_code == 405
    assert bitbucket.http.put("/users/admin/avatar.png").status_code == 405


@pytest.mark.parametrize(
    ("accept", "status"), [("application/json", 200), ("text/html, */*;q=0.1", 200), ("application/xml", 406)]
)
def test_an_answer_that_nobody_would_accept_is_a_406_without_a_body(bitbucket, accept, status):
    answer = bitbucket.http.get("/users", headers={"Accept": accept})

    assert (answer.status_code, bool(answer.content)) == (status, status == 200)


def test_a_single_server_is_a_cluster_of_one_node(bitbucket):
    cluster = bitbucket.http.get("/admin/cluster").json()

    assert cluster["running"] is True
    assert cluster["nodes"] == [cluster["localNode"]]


@pytest.mark.parametrize(("mail_server", "status"), [(False, 404), (True, 200)])
def test_the_mail_server_is_described_or_absent(launch, mail_server, status):
    assert launch(mail_server=mail_server).http.get("/admin/mail-server").status_code == status


@pytest.mark.parametrize(("version", "status"), [("8.19.0", 404), ("9.4.0", 200)])
def test_only_new_versions_tell_whether_basic_is_blocked(launch, version, status):
    bitbucket = launch(version=version)

    assert bitbucket.http.get(f"{bitbucket.base_url}/rest/basicauth/latest/config").status_code == status


def png(width: int, height: int, size: int = 100) -> bytes:
    return (PNG + struct.pack(">II", width, height)).ljust(size, b"\0")


@pytest.mark.parametrize(
    ("image", "status"),
    [
        (png(1024, 1024), 201),
        (png(1025, 10), 400),
        (png(10, 10, 1024 * 1024 + 1), 400),
        (b"", 400),
    ],
)
def test_an_avatar_has_bounds(bitbucket, image, status):
    answer = bitbucket.http.post("/users/admin/avatar.png", files={"avatar": ("a.png", image, "image/png")})

    assert answer.status_code == status
    if status == 201:
        assert answer.content == b""
        assert answer.headers["location"].endswith("/users/admin/avatar.png")
        assert bitbucket.effects == [("upload_avatar", "admin")]


def test_an_avatar_needs_its_form_field_and_the_token_header(bitbucket):
    url = f"{bitbucket.base_url}/rest/api/latest/users/admin/avatar.png"
    image = ("a.png", png(1, 1), "image/png")

    assert bitbucket.http.post(url, files={"picture": image}).status_code == 400
    assert httpx.post(url, files={"avatar": image}, auth=("admin", "admin")).status_code == 403
    assert bitbucket.http.post(url, json={}).status_code == 415


def test_a_deleted_avatar_is_answered_with_the_default_ones_address(bitbucket):
    bitbucket.http.post("/users/admin/avatar.png", files={"avatar": ("a.png", png(1, 1), "image/png")})
    for _ in range(2):
        answer = bitbucket.http.delete("/users/admin/avatar.png")
        assert (answer.status_code, list(answer.json())) == (200, ["href"])
    assert bitbucket.effects == [("upload_avatar", "admin"), ("delete_avatar", "admin")]


def test_the_avatar_of_another_needs_an_administrator_who_is_not_outranked(bitbucket):
    jane, ann = bitbucket.account("jane"), bitbucket.account("ann", "ADMIN")

    assert jane.delete("/users/ann/avatar.png").status_code == 401
    assert jane.delete("/users/jane/avatar.png").status_code == 200
    assert ann.delete("/users/jane/avatar.png").status_code == 200
    assert ann.delete("/users/admin/avatar.png").status_code == 401
    assert ann.delete("/users/nobody/avatar.png").status_code == 404
