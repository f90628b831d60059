"""Addresses, headers and bodies as they go out."""

from __future__ import annotations

import gzip

import pytest
from starlette.responses import Response

from connectors.http.client import HttpClient, Params
from directory.errors import ConfigurationError, CredentialsRefused
from tests.unit.connectors.http.small_server import answering, ok, status


async def test_parameters_are_encoded_and_none_is_left_out():
    with answering(ok()) as server:
        async with HttpClient(f"{server.url}/bitbucket/", name="x", side="target") as client:
            params: Params = {"filter": "müller & co", "start": 0, "flag": True, "none": None, "id": ["a", "b"]}
            await client.get_json("/admin/users", params, decode=list[int])
        asked = server.asked[0]
    assert asked.path == "/bitbucket/admin/users"
    assert asked.query == "filter=m%C3%BCller%20%26%20co&start=0&flag=true&id=a&id=b"


async def test_requests_say_who_they_come_from_and_what_they_accept():
    with answering(ok()) as server:
        async with HttpClient(server.url, name="x", side="target", headers={"X-Atlassian-Token": "no-check"}) as client:
            await client.request("POST", "/x", headers={"Content-Type": "application/json"})
        headers = server.asked[0].headers
    assert headers["user-agent"].startswith("usersync/")
    assert headers["accept-encoding"] == "gzip"
    assert headers["x-atlassian-token"] == "no-check"
    assert headers["content-type"] == "application/json"


async def test_compressed_answers_are_read():
    body = Response(gzip.compress(b"[1, 2]"), headers={"Content-Encoding": "gzip"}, media_type="application/json")
    with answering(body) as server:
        async with HttpClient(server.url, name="x", side="source") as client:
            assert await client.get_json("/x", decode=list[int]) == [1, 2]


async def test_cookies_of_a_server_are_not_sent_back():
    with answering(ok(set_cookie="JSESSIONID=1")) as server:
        async with HttpClient(server.url, name="x", side="source") as client:
            await client.get_json("/x", decode=list[int])
            await client.get_json("/x", decode=list[int])
        assert "cookie" not in server.asked[1].headers


@pytest.mark.parametrize("url", ["okta.example", "ftp://okta.example", "https://", "https://me:secret@okta.example"])
def test_an_address_that_cannot_work_is_a_configuration_error(url):
    with pytest.raises(ConfigurationError) as caught:
        HttpClient(url, name="Okta", side="source")
    assert "secret" not in str(caught.value)


async def test_a_missing_permission_is_no_empty_list():
    with answering(status(403, {"errorSummary": "You do not have permission"})) as server:
        async with HttpClient(server.url, name="x", side="source") as client:
            with pytest.raises(CredentialsRefused, match=r"may not do this .*You do not have permission"):
                await client.get_json("/x", decode=list[int])
            with pytest.raises(CredentialsRefused):
                await client.get_json("/x", decode=list[int])
        assert len(server.asked) == 2  # a permission is not a password: asking again locks nobody out


async def test_an_untrusted_certificate_is_not_tried_again(tmp_path):
    import socket
    import ssl
    import threading
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    from directory.errors import SourceUnavailable

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "server.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    connections = 0
    listener = socket.create_server(("localhost", 0))

    def accept() -> None:
        nonlocal connections
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            connections += 1
            try:
                context.wrap_socket(raw, server_side=True).close()
            except (ssl.SSLError, OSError):
                raw.close()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        async with HttpClient(f"https://localhost:{listener.getsockname()[1]}", name="Okta", side="source") as client:
            with pytest.raises(SourceUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
                await client.get_json("/x", decode=list[int])
        assert connections == 1
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(timeout=5)
