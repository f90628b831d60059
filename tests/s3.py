"""An S3 for the tests alone, on a free port of the loopback address, kept in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import httpx

__all__ = ["BUCKET", "keys", "missing", "server"]

BUCKET = "usersync-results"


def missing() -> str | None:
    """Why no server can be started or talked to here."""
    absent = [package for package in ("moto", "flask", "s3fs") if find_spec(package) is None]
    return f"not installed: {', '.join(absent)}" if absent else None


@contextmanager
def server() -> Iterator[str]:
    """The address of a server with an empty bucket, `BUCKET`."""
    from moto.server import ThreadedMotoServer

    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    try:
        host, port = running.get_host_and_port()
        url = f"http://{host}:{port}"
        # What moto keeps belongs to the process, and outlives its servers.
        httpx.post(f"{url}/moto-api/reset").raise_for_status()
        client = _client(url)
        client.create_bucket(Bucket=BUCKET)
        client.close()
        yield url
    finally:
        running.stop()


def keys(url: str) -> set[str]:
    """Of all that lies in the bucket."""
    client = _client(url)
    found = client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
    client.close()
    return {one["Key"] for one in found}


def _client(url: str) -> Any:
    import boto3  # type: ignore[import-untyped]

    return boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing"
    )
